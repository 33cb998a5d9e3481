"""The state of a lake: what needs attention, its source and size, work that waits, items left alone, its runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smart_trader.birdeye import MONTHLY_CU
from smart_trader.config.schemas import schema_name
from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.data_sources import BIRDEYE
from smart_trader.lake.delta import table_names
from smart_trader.lake.disk import disk_usage
from smart_trader.lake.identity import read_identity
from smart_trader.lake.lock import lake_holder
from smart_trader.lake.reader import Lake
from smart_trader.reports.alerts import DEFAULT_MAX_AGE, find_alerts
from smart_trader.reports.run_history import last_good, run_facts, step_rows, units_since
from smart_trader.reports.verdicts import quarantined_wallets

LAYERS = {
    "bronze": (
        "token_metrics",
        "whale_holders",
        "transaction_history",
        "token_creations",
        "token_prices",
        "fetch_log",
        "pipeline_runs",
    ),
    "silver": ("tracked_tokens", "tracked_whales", "wallet_swaps", "wallet_trades", "position_pnl", "pnl_history"),
    "gold": ("trader_evaluations", "smart_traders", "leaderboard"),
}
# named here: the loaders' libraries take a second to import
QUEUES = {
    "whale_fetch_queue": "tokens whose holders",
    "transaction_fetch_queue": "wallets whose swaps",
    "price_fetch_queue": "tokens whose prices",
    "launch_fetch_queue": "tokens whose launches",
}
# Kind of fetch, and the table that says which of its items are left alone after failures.
LEFT_ALONE = (
    ("holders", "tracked_tokens", "token_address"),
    ("swaps", "tracked_whales", "wallet_address"),
    ("prices", "price_fetch_queue", "item"),
    ("launches", "launch_fetch_queue", "item"),
)
WEEK = timedelta(days=7)


def status_facts(
    lake: Lake, runs: int = 1, max_age: timedelta = DEFAULT_MAX_AGE, present: datetime | None = None
) -> dict[str, Any]:
    """Return the state of a lake.

    Args:
        lake: The lake.
        runs: How many of its newest runs are listed.
        max_age: Age from which on its list is stale.
        present: The present time; default: this machine's.

    Raises:
        SmartTraderError: A table or the project's settings cannot be read.
    """
    present = present or datetime.now(UTC)
    settings = read_variables(ProjectVariables)
    holder = lake_holder(lake.paths)
    identity = read_identity(lake.paths)
    source = identity.source if identity else None
    steps = step_rows(lake)
    history = run_facts(steps)
    tables = [_table_facts(lake, schema, name) for schema, names in LAYERS.items() for name in names]
    facts: dict[str, Any] = {
        "observed_at": present,
        "lake": lake.paths.uri.removeprefix("file:"),
        "data_source": source,
        "is_made_up": source not in (None, BIRDEYE),
        "in_use_by": str(holder) if holder else None,
        "list": _list_facts(lake, history, present),
        "size": _size_facts(lake, steps, present),
        "disk": _disk_facts(lake, settings),
        "units": _unit_facts(lake, settings, present),
        "pending": _pending(lake, present),
        "left_alone": _left_alone(lake),
        "runs": history[-runs:],
        "last_run": [row for row in steps if row["run_id"] == history[-1]["run_id"]] if history else [],
        "tables": tables,
    }
    facts["alerts"] = [alert.as_json() for alert in find_alerts(facts, max_age)]
    return facts


def _list_facts(lake: Lake, history: list[dict[str, Any]], present: datetime) -> dict[str, Any]:
    """Return the list's length and age; a run ahead of this machine's clock makes it no younger than its making."""
    good = last_good(history)
    known = min(good["as_of"], good["ended_at"]) if good else None
    is_there = lake.has("gold", "leaderboard")
    return {
        "wallets": lake.row_count("gold", "leaderboard") if is_there else None,
        "as_of": good["as_of"] if good else None,
        "made_at": good["ended_at"] if good else None,
        "age_seconds": max(0.0, (present - known).total_seconds()) if known else None,
    }


def _size_facts(lake: Lake, steps: list[dict[str, Any]], present: datetime) -> dict[str, Any]:
    """Return the bytes that the newest versions of all tables hold, and about how many of them came in a week."""
    bronze = schema_name("bronze")
    names = table_names(lake.paths.table(bronze, "").rstrip("/"))
    located = [*lake.derived_tables(), *((bronze, name) for name in names)]
    size = sum(_added(lake.delta_at(schema, name), "size_bytes") for schema, name in located)
    landed = sum(row["rows"] or 0 for row in steps)
    lately = sum(row["rows"] or 0 for row in steps if row["started_at"] >= present - WEEK)
    # maintenance rewrites files, so that their times say nothing; rows are landed once
    return {"tables": len(located), "bytes": size, "week_bytes": round(size * lately / landed) if landed else None}


def _disk_facts(lake: Lake, settings: ProjectVariables) -> dict[str, Any] | None:
    if not lake.paths.is_local:
        return None
    usage = disk_usage(lake.paths.local_root)
    return {
        "used_percent": round(100 * usage.used / usage.total, 1),
        "free_bytes": usage.free,
        "warn_percent": settings.disk_warn_percent,
        "refuse_percent": settings.disk_refuse_percent,
    }


def _unit_facts(lake: Lake, settings: ProjectVariables, present: datetime) -> dict[str, Any]:
    month = present.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {
        "month": f"{month:%Y-%m}",
        "spent": units_since(lake, month),
        "plan": settings.birdeye_plan,
        "of_plan": MONTHLY_CU[settings.birdeye_plan],
    }


def _pending(lake: Lake, present: datetime) -> dict[str, dict[str, Any]]:
    """Return what the work lists hold, and when the next of what is not due yet falls due."""
    pending = {}
    for queue, what in QUEUES.items():
        if lake.has("silver", queue):
            times = lake.read("silver", queue, ["due_at"])["due_at"].to_pylist()
            later = [at for at in times if at > present]
            pending[what] = {
                "due": len(times) - len(later),
                "later": len(later),
                "next_due_at": min(later, default=None),
            }
    return pending


def _left_alone(lake: Lake) -> dict[str, list[str]]:
    found = {}
    if lake.has("silver", "tracked_whales"):
        for what in ("exhausted", "too_active"):
            found[f"wallets {what}"] = _count_flagged(lake, "tracked_whales", "wallet_address", f"is_{what}")
    if lake.has("silver", "tracked_tokens"):
        found["tokens exhausted"] = _count_flagged(lake, "tracked_tokens", "token_address", "is_exhausted")
    for kind, table, column in LEFT_ALONE[2:]:
        if lake.has("silver", table):
            found[f"{kind} exhausted"] = _count_flagged(lake, table, column, "is_exhausted")
    found["wallets quarantined"] = quarantined_wallets(lake)
    return found


def exhausted_items(lake: Lake) -> set[tuple[str, str]]:
    """Return kind of fetch and address of the items that are left alone after failures."""
    return {
        (kind, item)
        for kind, table, column in LEFT_ALONE
        if lake.has("silver", table)
        for item in _count_flagged(lake, table, column, "is_exhausted")
    }


def _count_flagged(lake: Lake, table: str, column: str, flag: str) -> list[str]:
    """Return the addresses of a silver table whose flag is set."""
    if flag not in lake.delta("silver", table).schema().to_arrow().names:
        # a lake that is not upgraded yet
        flag = flag.removeprefix("is_")
    return sorted(set(lake.read("silver", table, [column], pc.field(flag))[column].to_pylist()))


def _table_facts(lake: Lake, schema: str, name: str) -> dict[str, Any]:
    if not lake.has(schema, name):
        return {"table": f"{schema}.{name}", "rows": None, "bytes": None, "written_at": None}
    table = lake.delta(schema, name)
    newest = table.history(1)[0]
    return {
        "table": f"{schema}.{name}",
        "rows": _added(table, "num_records"),
        "bytes": _added(table, "size_bytes"),
        "written_at": datetime.fromtimestamp(newest["timestamp"] / 1000, UTC),
    }


def _added(table: Any, column: str) -> int:
    """Return the sum of what a table's log notes of its files."""
    return int(pc.sum(pa.chunked_array(table.get_add_actions(flatten=True)[column])).as_py() or 0)
