"""Makes a large lake of a small one's bronze: every wallet so many times, under names of its own.

    python benchmarks/grow.py SMALL LARGE --times 20 [--onto --one-in 100]

A wallet's swaps stay as they are, so figures per wallet are known. Tokens, holders and lists of loads are copied.
LARGE must not exist; with --onto it must, and only the loads that it lacks are added, of one wallet in so many.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

#: Columns that name a wallet or one of its rows, by table.
NAMED = {
    "transaction_history": ("wallet_address", "owner", "tx_hash", "_dlt_id", "fetch_id"),
    "fetch_log": ("item", "fetch_id", "_dlt_id"),
}
SWAPS_ONLY = {"fetch_log": "kind = 'swaps'", "transaction_history": "true"}


def copies(table: pa.Table, name: str, numbers: range, one_in: int) -> pa.RecordBatchReader:
    """Return a table's rows once for each number, the first ones under the names that they have.

    Args:
        table: The small lake's rows.
        name: Of the table.
        numbers: Of the copies.
        one_in: One wallet in so many is copied.
    """
    renamed = ", ".join(f"{column} || if(copy = 0, '', '_' || copy) as {column}" for column in NAMED[name])
    wallet = NAMED[name][0]
    database = duckdb.connect()
    database.register("small", table)
    return database.sql(
        f"select small.* replace ({renamed}) from range({numbers.start}, {numbers.stop}) as copies(copy), small "
        f"where {SWAPS_ONLY[name]} and hash({wallet} || copy) % {one_in} = 0 order by copy, _dlt_load_id, {wallet}"
    ).to_arrow_reader(100_000)


def grow(small: Path, large: Path, times: int, one_in: int, onto: bool) -> None:
    """Write the large lake's bronze."""
    if not onto:
        shutil.copytree(small / "bronze", large / "bronze")
    for name in NAMED:
        rows = DeltaTable(str(small / "bronze" / name)).to_pyarrow_table()
        target = str(large / "bronze" / name)
        if onto:
            loads = DeltaTable(target).to_pyarrow_table(columns=["_dlt_load_id"])["_dlt_load_id"]
            known = set(loads.unique().to_pylist())
            rows = rows.filter(pa.array([load not in known for load in rows["_dlt_load_id"].to_pylist()]))
        made = copies(rows, name, range(0 if onto else 1, times), one_in)
        write_deltalake(target, made, mode="append")
        print(f"{name}: {DeltaTable(target).to_pyarrow_dataset().count_rows():,} rows")
    if onto:
        for file in (small / "bronze" / "_dlt_loads").iterdir():
            shutil.copy(file, large / "bronze" / "_dlt_loads" / file.name)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("small", type=Path)
    parser.add_argument("large", type=Path)
    parser.add_argument("--times", type=int, required=True)
    parser.add_argument("--one-in", type=int, default=1)
    parser.add_argument("--onto", action="store_true")
    options = parser.parse_args()
    grow(options.small, options.large, options.times, options.one_in, options.onto)


if __name__ == "__main__":
    main()
