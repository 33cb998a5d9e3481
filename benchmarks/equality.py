"""Whether two lakes hold the same rows, whichever engine wrote them.

    python benchmarks/equality.py LAKE OTHER

Every table of silver, gold and the snapshots is compared: its columns, their types, and its rows, each as often as it
occurs, by a hash of its values. Left out is what says when a row was written and by which run. Two lakes that were
loaded each on its own differ in the ids of their loads. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from deltalake import DeltaTable

SCHEMAS = ("silver", "gold", "snapshots")
#: What a build writes of itself: its clock, its run, and the number that its clock gave a load.
OWN_COLUMNS = frozenset({"processed_at", "gold_processed_at_", "batch_id", "load_batch", "covered_batch"})
MEMORY = "2GB"


@dataclass(slots=True)
class Equality:
    """What was compared, and what differs by table."""

    tables: int = 0
    rows: int = 0
    differences: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        counted = f"{self.rows:,} rows in {self.tables} tables"
        return f"{counted}, {len(self.differences)} tables differ" if self.differences else f"{counted}, equal"


def compare(one: Path, other: Path) -> Equality:
    """Compare two lakes table by table.

    Raises:
        SystemExit: A folder holds no table; the message names it.
    """
    names = [_tables(lake) for lake in (one, other)]
    found = Equality()
    for name in sorted(names[0] ^ names[1]):
        found.differences[name] = f"only in {one if name in names[0] else other}"
    for name in sorted(names[0] & names[1]):
        rows, difference = _compare_table(DeltaTable(one / name), DeltaTable(other / name))
        found.tables += 1
        found.rows += rows
        if difference:
            found.differences[name] = difference
    return found


def _tables(lake: Path) -> set[str]:
    names = {
        f"{schema}/{path.name}"
        for schema in SCHEMAS
        if (lake / schema).is_dir()
        for path in (lake / schema).iterdir()
        if DeltaTable.is_deltatable(str(path))
    }
    if not names:
        raise SystemExit(f"error: {lake} holds no table of {', '.join(SCHEMAS)}\n  fix: name a lake that was built")
    return names


def _compare_table(one: DeltaTable, other: DeltaTable) -> tuple[int, str]:
    """Return the first table's rows, and what differs or nothing."""
    columns = [[(field.name, str(field.type)) for field in table.schema().fields] for table in (one, other)]
    if columns[0] != columns[1]:
        changed = sorted({name for name, _ in set(columns[0]) ^ set(columns[1])})
        return 0, f"columns: {', '.join(changed) or 'their order'}"
    compared = ", ".join(f'"{name}"' for name, _ in columns[0] if name not in OWN_COLUMNS)
    database = duckdb.connect(config={"memory_limit": MEMORY})
    database.register("one", one.to_pyarrow_dataset())
    database.register("other", other.to_pyarrow_dataset())
    # bags of millions of rows count as equal if their hashes are, which needs no memory; others are taken apart
    hashes = f"select count(*), sum(cast(hash({compared}) as hugeint)), bit_xor(hash({compared})) from "
    bags = [database.execute(hashes + table).fetchall()[0] for table in ("one", "other")]
    rows = [bag[0] for bag in bags]
    if bags[0] == bags[1]:
        return rows[0], ""
    alone = [
        database.execute(
            f"select count(*) from (select {compared} from {ours} except all select {compared} from {theirs})"
        ).fetchall()[0][0]
        for ours, theirs in (("one", "other"), ("other", "one"))
    ]
    return rows[0], f"{alone[0]:,} of {rows[0]:,} rows in the first alone, {alone[1]:,} of {rows[1]:,} in the other"


def main() -> None:
    """Compare the lakes that are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path, help="folder of a lake")
    parser.add_argument("other", type=Path, help="folder of another")
    given = parser.parse_args()
    found = compare(given.lake, given.other)
    for name, difference in found.differences.items():
        print(f"{name}: {difference}")
    print(found)
    if found.differences:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
