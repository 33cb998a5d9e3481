"""Finds what a lake's files have lost or what changed in them, beyond a file that is missing.

Spark writes a checksum with each page of a Parquet file. delta-rs writes none, so runs note a SHA-256 of each bronze
file. And bronze counts itself: each line of the fetch log says how many rows its fetch brought.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from loaders.bronze import LOAD_ID, ROW_ID
from loaders.tables import FETCH_LOG, TABLES, TOKEN_METRICS, TRANSACTION_HISTORY, WHALE_HOLDERS
from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.lake.identity import write_whole
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location

CHUNK_BYTES = 1 << 20
CHECKSUMS_NAME = "checksums.json"
TABLE_OF_KIND = {"tokens": TOKEN_METRICS, "holders": WHALE_HOLDERS, "swaps": TRANSACTION_HISTORY}


def unreadable_file(location: str, names: Iterable[str]) -> str | None:
    """Return the first file of a table that cannot be read to its end, with the reason; None where all can."""
    files, folder = arrow_location(location)
    for name in names:
        try:
            with files.open_input_file(f"{folder}/{name}") as source:
                # by the page: a checksum that does not hold, or what cannot be unpacked, is an error
                for _ in pq.ParquetFile(source, page_checksum_verification=True).iter_batches():
                    pass
        except (OSError, pa.ArrowException) as error:
            return f"{name}: {' '.join(str(error).split())[:200]}"
    return None


def record_checksums(lake: Lake) -> int:
    """Note the checksum of each bronze file that has none yet; returns how many. The caller holds the lake's lock.

    Files of a Delta table never change, so one that differs later is corrupted. A store checks its objects itself.

    Raises:
        SmartTraderError: A table cannot be read, or the note cannot be written.
    """
    if not lake.paths.is_local:
        return 0
    known = _recorded(lake.paths)
    root = str(lake.paths.local_root)
    current = {name: known.get(name) or _sha256(f"{root}/{name}") for name in _bronze_files(lake)}
    # other targets' tables, with schemas of their own, are noted in the same file
    own = f"{schema_name('bronze')}/"
    others = {name: digest for name, digest in known.items() if not name.startswith(own)}
    if current.keys() != known.keys() - others.keys():
        write_whole(str(lake.paths.home / CHECKSUMS_NAME), json.dumps(others | current).encode())
    return len(current.keys() - known.keys())


def changed_file(lake: Lake, table: tuple[str, str], names: Iterable[str]) -> str | None:
    """Return the first file of a table that is no longer what a run has noted; None where all are.

    Args:
        lake: The lake.
        table: Schema and name.
        names: Its files.
    """
    known = _recorded(lake.paths)
    for name in names:
        noted = known.get(f"{table[0]}/{table[1]}/{name}")
        if noted is not None and _sha256(f"{lake.paths.table(*table)}/{name}") != noted:
            return f"{name}: its checksum is not the one noted when it was new"
    return None


def lost_rows(lake: Lake) -> list[str]:
    """Compare bronze with its own log; returns what is missing, a line for each table.

    Raises:
        SmartTraderError: A table cannot be read.
    """
    complete = _complete_loads(lake)
    found = []
    unlisted = _loads(lake) - complete - _pending_loads(lake.paths)
    if unlisted:
        found.append(
            f"{schema_name('bronze')}._dlt_loads: {len(unlisted)} loads have rows but are not listed, so that these "
            f"count for nothing, the first: {min(unlisted)}"
        )
    if not lake.has("bronze", FETCH_LOG.name):
        has_rows = any(lake.has("bronze", table.name) for table in TABLE_OF_KIND.values())
        return [*found, f"{schema_name('bronze')}.{FETCH_LOG.name}: gone"] if has_rows else found
    columns = ["fetch_id", "kind", "item", "rows", LOAD_ID]
    log = [row for row in lake.read("bronze", FETCH_LOG.name, columns).to_pylist() if row[LOAD_ID] in complete]
    for kind, table in TABLE_OF_KIND.items():
        name = f"{schema_name('bronze')}.{table.name}"
        fetches = [row for row in log if row["kind"] == kind and row["rows"]]
        if fetches and not lake.has("bronze", table.name):
            found.append(f"{name}: gone, with {sum(row['rows'] for row in fetches)} rows of {len(fetches)} fetches")
            continue
        there = _rows_by_fetch(lake, table.name, complete) if lake.has("bronze", table.name) else Counter()
        short = [row for row in fetches if there[row["fetch_id"]] < row["rows"]]
        if short:
            first = short[0]
            missing = sum(row["rows"] - there[row["fetch_id"]] for row in short)
            found.append(
                f"{name}: {missing} rows of {len(short)} fetches are gone, the first: {kind} of {first['item']}, "
                f"{there[first['fetch_id']]} of {first['rows']} rows"
            )
        unlogged = there.keys() - {row["fetch_id"] for row in log}
        if unlogged:
            found.append(f"{schema_name('bronze')}.{FETCH_LOG.name}: {len(unlogged)} fetches of {name} are gone")
    return found


def _rows_by_fetch(lake: Lake, table: str, complete: set[str]) -> Counter[str]:
    """Count a table's rows that count, once each, by the fetch that brought them."""
    counts: Counter[str] = Counter()
    rows = lake.read("bronze", table, ["fetch_id", ROW_ID], pc.field(LOAD_ID).isin(sorted(complete)))
    grouped = rows.group_by("fetch_id").aggregate([(ROW_ID, "count_distinct")])
    counts.update(
        dict(zip(grouped["fetch_id"].to_pylist(), grouped[f"{ROW_ID}_count_distinct"].to_pylist(), strict=True))
    )
    return counts


def _complete_loads(lake: Lake) -> set[str]:
    """Return the loads that dlt has listed as landed."""
    files, folder = arrow_location(lake.location("bronze", "_dlt_loads"))
    infos = files.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
    loads = set()
    for info in infos:
        if info.extension == "jsonl":
            with files.open_input_stream(info.path) as stream:
                lines = [json.loads(line) for line in stream.read().decode().splitlines() if line.strip()]
            loads |= {line["load_id"] for line in lines if line["status"] == 0}
    return loads


def _loads(lake: Lake) -> set[str]:
    """Return the loads that any bronze table has rows of."""
    loads: set[str] = set()
    for table in TABLES:
        if lake.has("bronze", table.name):
            loads |= set(pc.unique(lake.read("bronze", table.name, [LOAD_ID])[LOAD_ID]).to_pylist())
    return loads


def _pending_loads(paths: LakePaths) -> set[str]:
    """Return the packages that wait in dlt's folder: a kill may have landed some of their rows already."""
    kinds = ("normalize/extracted", "load/new", "load/normalized")
    return {path.name for kind in kinds for path in paths.dlt_home.glob(f"*/{kind}/*") if path.is_dir()}


def _bronze_files(lake: Lake) -> list[str]:
    """Return the files of bronze by their path in the lake, which stays true where a lake is moved."""
    found = []
    for table in TABLES:
        if lake.has("bronze", table.name):
            actions = lake.delta("bronze", table.name).get_add_actions(flatten=True)
            found += [f"{schema_name('bronze')}/{table.name}/{path}" for path in actions["path"].to_pylist()]
    return found


def _recorded(paths: LakePaths) -> dict[str, str]:
    try:
        recorded = json.loads((paths.home / CHECKSUMS_NAME).read_text())
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def _sha256(name: str) -> str:
    files, path = arrow_location(name)
    digest = hashlib.sha256()
    with files.open_input_stream(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
