"""Finds rows that bronze has lost: each line of the fetch log holds how many rows its fetch brought."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain

import pyarrow.compute as pc

from loaders.bronze import LOAD_ID, ROW_ID
from loaders.resources import RESOURCES
from loaders.tables import FETCH_LOG, TABLES
from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.lake.delta import is_one_of
from smart_trader.lake.loads import LOADS, load_files
from smart_trader.lake.reader import Lake


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
            f"{schema_name('bronze')}.{LOADS}: {len(unlisted)} loads have rows but are not listed, so that these "
            f"count for nothing, the first: {min(unlisted)}"
        )
    if not lake.has("bronze", FETCH_LOG.name):
        has_rows = any(lake.has("bronze", resource.table.name) for resource in RESOURCES)
        return [*found, f"{schema_name('bronze')}.{FETCH_LOG.name}: gone"] if has_rows else found
    columns = ["fetch_id", "kind", "item", "rows", LOAD_ID]
    log = [row for row in lake.read("bronze", FETCH_LOG.name, columns).to_pylist() if row[LOAD_ID] in complete]
    for resource in RESOURCES:
        kind, table = resource.kind, resource.table
        name = f"{schema_name('bronze')}.{table.name}"
        fetches = [row for row in log if row["kind"] == kind and row["rows"]]
        if fetches and not lake.has("bronze", table.name):
            found.append(f"{name}: gone, with {sum(row['rows'] for row in fetches)} rows of {len(fetches)} fetches")
            continue
        there = _count_rows_by_fetch(lake, table.name, complete) if lake.has("bronze", table.name) else Counter()
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


def _count_rows_by_fetch(lake: Lake, table: str, complete: set[str]) -> Counter[str]:
    """Count a table's rows that count, once each, by the fetch that brought them."""
    counts: Counter[str] = Counter()
    rows = lake.read("bronze", table, ["fetch_id", ROW_ID], is_one_of(LOAD_ID, complete))
    grouped = rows.group_by("fetch_id").aggregate([(ROW_ID, "count_distinct")])
    counts.update(
        dict(zip(grouped["fetch_id"].to_pylist(), grouped[f"{ROW_ID}_count_distinct"].to_pylist(), strict=True))
    )
    return counts


def _complete_loads(lake: Lake) -> set[str]:
    """Return the loads that dlt has listed as landed."""
    files, paths = load_files(lake)
    loads = set()
    for path in chain.from_iterable(paths.values()):
        with files.open_input_stream(path) as stream:
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
