"""Takes out of a lake what is stamped with the future: runs of a mistyped --as-of, or of a clock that was ahead.

Time in a lake never moves back, so everything stamped later than now came after everything else: without it the lake is
as it was before those runs. Rows are copied to `_set_aside` first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet

from loaders.bronze import Bronze
from loaders.tables import (
    FETCH_LOG,
    PIPELINE_RUNS,
    TOKEN_CREATIONS,
    TOKEN_METRICS,
    TOKEN_PRICES,
    TRANSACTION_HISTORY,
    WHALE_HOLDERS,
)
from smart_trader.clock import now, spelled
from smart_trader.config.schemas import schema_name
from smart_trader.console import ProgressFn
from smart_trader.lake.delta import open_table
from smart_trader.lake.disk import ASIDE
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location, is_remote
from smart_trader.lakehouse.session import Engine
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.dbt import Builds

# Schema, table, and the column with the time of the run. The log comes last: until it is clean, runs are refused.
BRONZE = (
    ("bronze", TOKEN_METRICS.name, "observed_at"),
    ("bronze", WHALE_HOLDERS.name, "observed_at"),
    ("bronze", TRANSACTION_HISTORY.name, "fetched_at"),
    ("bronze", TOKEN_CREATIONS.name, "observed_at"),
    ("bronze", TOKEN_PRICES.name, "observed_at"),
    ("bronze", PIPELINE_RUNS.name, "as_of"),
    ("bronze", FETCH_LOG.name, "as_of"),
)
HISTORIES = (
    ("silver", "pnl_due_wallets", "calculation_date"),
    ("silver", "pnl_history", "calculation_date"),
    ("silver", "calculation_checks", "calculation_date"),
    ("gold", "trader_evaluations", "evaluated_at"),
    ("gold", "smart_traders", "evaluated_at"),
    ("gold", "standing_history", "scored_at"),
    ("gold", "list_quality", "scored_at"),
    ("gold", "forward_returns", "measured_at"),
    ("gold", "score_calibration", "measured_at"),
)
# A state of the future is deleted, and the one that it ended goes on.
SNAPSHOTS = (
    ("snapshots", "tracked_tokens_history", "dbt_valid_from"),
    ("snapshots", "tracked_whales_history", "dbt_valid_from"),
)
# A history by load, not by time.
SWAP_LOADS = ("silver", "swap_load_batches")


@dataclass(frozen=True, slots=True)
class Future:
    """What a lake holds of the future.

    Attributes:
        after: Rows stamped later than this are of the future.
        rows: Their number by schema and table, where there are any.
        runs: The time and the number of fetches of each run.
        load_ids: The loads they came in.
    """

    after: datetime
    rows: dict[tuple[str, str], int]
    runs: dict[str, tuple[datetime, int]]
    load_ids: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __str__(self) -> str:
        lines = [f"stamped later than {spelled(self.after)}:"]
        lines += [f"  run {name}, at {spelled(at)}: {count} fetches" for name, (at, count) in self.runs.items()]
        lines += [f"  {schema}.{table}: {count} rows" for (schema, table), count in self.rows.items()]
        return "\n".join(lines)


def find_future(lake: Lake, after: datetime) -> Future:
    """Count what a lake holds of the time after a time."""
    rows, load_ids = {}, set()
    for schema, table, column in (*BRONZE, *HISTORIES, *SNAPSHOTS):
        if not lake.has(schema, table):
            continue
        columns = [column, "_dlt_load_id"] if schema == "bronze" else [column]
        found = lake.read(schema, table, columns, pc.field(column) > pa.scalar(after))
        if found.num_rows:
            rows[schema, table] = found.num_rows
        if schema == "bronze":
            load_ids.update(found["_dlt_load_id"].to_pylist())
    runs: dict[str, tuple[datetime, int]] = {}
    if ("bronze", FETCH_LOG.name) in rows:
        where = pc.field("as_of") > pa.scalar(after)
        log = lake.read("bronze", FETCH_LOG.name, ["run_id", "as_of"], where).to_pylist()
        counts = Counter(row["run_id"] for row in log)
        runs = {row["run_id"]: (row["as_of"], counts[row["run_id"]]) for row in log}
    return Future(after, rows, runs, tuple(sorted(load_ids)))


def discard_future(
    lake: Lake, future: Future, builds_at: Callable[[datetime], Builds], engine: Engine, progress: ProgressFn
) -> None:
    """Take out of a lake what is of the future, and build it again without. The caller holds its lock.

    Cut short at any point, it goes on where it is called again: what is derived goes before bronze does, so that no
    build goes on from it, and the log last.

    Args:
        lake: The lake.
        future: What `find_future` found.
        builds_at: Makes what builds at a time.
        engine: What it builds with; a lake without a built table needs none.
        progress: Takes progress lines.
    """
    progress(f"copied to {_copy_aside(lake, future)}")
    if not any(lake.derived_tables()):
        _delete_from_bronze(lake, future, progress)
        return
    BuildState(lake).forget()
    _rewind_histories(lake, future)
    kept = builds_at(now()).histories()
    for name in sorted(set(lake.derived_tables()) - kept):
        _remove_folder(lake.paths.table(*name))
    _delete_from_bronze(lake, future, progress)
    # not before: what the lake holds is registered in a server's catalog now
    engine.wait()
    builds_at(_newest_time(lake)).rebuild(progress)


def _copy_aside(lake: Lake, future: Future) -> str:
    folder = lake.paths.table(ASIDE, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-future")
    files, path = arrow_location(folder)
    if not is_remote(folder):
        files.create_dir(path)
    columns = {(schema, table): column for schema, table, column in (*BRONZE, *HISTORIES, *SNAPSHOTS)}
    for (schema, table), column in columns.items():
        if (schema, table) in future.rows:
            rows = lake.read(schema, table, where=pc.field(column) > pa.scalar(future.after))
            pyarrow.parquet.write_table(rows, f"{path}/{schema}.{table}.parquet", filesystem=files)
    return folder


def _rewind_histories(lake: Lake, future: Future) -> None:
    """Delete the future from what no build makes again."""
    later = f"{{column}} > {_timestamp(future.after)}"
    for schema, table, column in (*HISTORIES, *SNAPSHOTS):
        _delete(lake, schema, table, later.format(column=column))
    for schema, table, _ in SNAPSHOTS:
        if lake.has(schema, table):
            reopened = later.format(column="dbt_valid_to")
            open_table(lake.location(schema, table)).update({"dbt_valid_to": "null"}, predicate=reopened)
    if future.load_ids:
        listed = ", ".join(f"'{load_id}'" for load_id in future.load_ids)
        _delete(lake, *SWAP_LOADS, f"load_id in ({listed})")


def _delete(lake: Lake, schema: str, table: str, condition: str) -> int:
    """Delete rows through delta-rs, which needs no server; returns how many."""
    if not lake.has(schema, table):
        return 0
    return int(open_table(lake.location(schema, table)).delete(condition)["num_deleted_rows"])


def _timestamp(timestamp: datetime) -> str:
    return f"arrow_cast('{spelled(timestamp)}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _remove_folder(location: str) -> None:
    """Remove a table that is built again."""
    files, folder = arrow_location(location)
    if files.get_file_info(folder).type == pyarrow.fs.FileType.Directory:
        files.delete_dir(folder)


def _delete_from_bronze(lake: Lake, future: Future, progress: ProgressFn) -> None:
    for schema, table, column in BRONZE:
        if deleted := _delete(lake, schema, table, f"{column} > {_timestamp(future.after)}"):
            progress(f"{schema}.{table}: {deleted} rows removed")


def _newest_time(lake: Lake) -> datetime:
    """Return the newest time of the lake; a build may be later than the newest fetch."""
    times = [Bronze(lake.paths, schema_name("bronze")).newest_as_of()]
    if lake.has("silver", "pnl_history"):
        dates = lake.read("silver", "pnl_history", ["calculation_date"])["calculation_date"]
        times.append(pc.max(dates).as_py())
    return max((time for time in times if time is not None), default=now())
