"""The state of a lake: tables, work that waits, items left alone, the last run, the disk."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from smart_trader.lake.disk import used_percent
from smart_trader.lake.identity import read_identity
from smart_trader.lake.lock import lake_holder
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.text_table import SHOWN_ITEMS, cell_text
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
SOURCES = {"birdeye": "BirdEye", "sandbox": "a sandbox: made up", "replay": "recorded responses"}
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


def status_facts(lake: Lake) -> dict[str, Any]:
    """Return the state of the lake: tables, work that waits, items left alone, last run, disk, lock."""
    holder = lake_holder(lake.paths)
    identity = read_identity(lake.paths)
    facts: dict[str, Any] = {
        "lake": lake.paths.uri.removeprefix("file:"),
        "data_source": identity.source if identity else None,
        "disk_used_percent": round(used_percent(lake.paths.local_root), 1) if lake.paths.is_local else None,
        "in_use_by": str(holder) if holder else None,
        "tables": [_table_facts(lake, schema, name) for schema, names in LAYERS.items() for name in names],
        "pending": {},
        "left_alone": {},
        "last_run": [],
    }
    present = datetime.now(UTC)
    for queue, what in QUEUES.items():
        if lake.has("silver", queue):
            due = lake.read("silver", queue, ["due_at"])["due_at"].to_pylist()
            facts["pending"][what] = {"due": sum(at <= present for at in due), "later": sum(at > present for at in due)}
    if lake.has("silver", "tracked_whales"):
        for what in ("exhausted", "too_active"):
            found = _count_flagged(lake, "tracked_whales", "wallet_address", f"is_{what}")
            facts["left_alone"][f"wallets {what}"] = found
    if lake.has("silver", "tracked_tokens"):
        found = _count_flagged(lake, "tracked_tokens", "token_address", "is_exhausted")
        facts["left_alone"]["tokens exhausted"] = found
    for kind, table, column in LEFT_ALONE[2:]:
        if lake.has("silver", table):
            facts["left_alone"][f"{kind} exhausted"] = _count_flagged(lake, table, column, "is_exhausted")
    facts["left_alone"]["wallets quarantined"] = quarantined_wallets(lake)
    if lake.has("bronze", "pipeline_runs"):
        runs = rows_of(lake.read("bronze", "pipeline_runs").sort_by([("started_at", "ascending")]))
        facts["last_run"] = [row for row in runs if row["run_id"] == runs[-1]["run_id"]]
    return facts


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
        return {"table": f"{schema}.{name}", "rows": None, "written_at": None}
    newest = lake.delta(schema, name).history(1)[0]
    return {
        "table": f"{schema}.{name}",
        "rows": lake.row_count(schema, name),
        "written_at": datetime.fromtimestamp(newest["timestamp"] / 1000, UTC),
    }


def status_text(facts: dict[str, Any]) -> str:
    """Write the state of a lake for a person."""
    present = datetime.now(UTC)
    lines = [
        f"lake       {facts['lake']}"
        + (f", disk {facts['disk_used_percent']} % full" if facts["disk_used_percent"] is not None else ""),
        f"data from  {SOURCES.get(facts['data_source'], facts['data_source'] or 'nowhere yet')}",
        f"in use by  {facts['in_use_by'] or 'nobody'}",
        "",
    ]
    for fact in facts["tables"]:
        age = (
            f"{(present - fact['written_at']).total_seconds() / 3600:,.1f} h old" if fact["written_at"] else "not there"
        )
        lines.append(f"{fact['table']:32}{cell_text(fact['rows']):>12}  {age}")
    lines.append("")
    for what, counts in facts["pending"].items():
        lines.append(f"{what} are due: {counts['due']}, later: {counts['later']}")
    for what, items in facts["left_alone"].items():
        more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
        lines.append(f"{what}: {len(items)}" + (f" ({', '.join(items[:SHOWN_ITEMS])}{more})" if items else ""))
        if items and what.endswith("exhausted"):
            lines.append("  they come back after exhausted_retry_days, or at once with: smart-trader retry")
    if facts["last_run"]:
        run = facts["last_run"]
        lines += ["", f"last run {run[0]['run_id']}, started {cell_text(run[0]['started_at'])} UTC"]
        lines += [
            f"  {row['step']:20}{row['outcome']:10}{float(row['seconds']):8.1f} s"
            + (f"  {row['rows']:,} rows, {row['requests']} requests, {row['cu']} CU" if row["rows"] is not None else "")
            + (f"  {row['error']}" if row["error"] else "")
            for row in run
        ]
    return "\n".join(lines)
