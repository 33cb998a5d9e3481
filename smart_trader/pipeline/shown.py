"""What the reading commands show: the leaderboard, one wallet explained, the state of the lake."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow.compute as pc

from smart_trader.errors import SmartTraderError
from smart_trader.lake_lock import lake_holder
from smart_trader.pipeline.reading import Lake, rows_of
from smart_trader.pipeline.upkeep import used_percent

LAYERS = {
    "bronze": ("token_metrics", "whale_holders", "transaction_history", "fetch_log", "pipeline_runs"),
    "silver": ("tracked_tokens", "tracked_whales", "wallet_swaps", "wallet_trades", "position_pnl", "pnl_history"),
    "gold": ("trader_evaluations", "smart_traders", "leaderboard"),
}
QUEUES = {"whale_fetch_queue": "tokens whose holders", "transaction_fetch_queue": "wallets whose swaps"}
BOARD = {
    "overall_rank": "rank",
    "tier": "tier",
    "wallet_address": "wallet",
    "smart_trader_score": "score",
    "total_pnl": "total_pnl",
    "realized_pnl": "realized",
    "roi": "roi_%",
    "win_rate": "win_%",
    "trade_count": "trades",
}
LEFT = {"tier", "wallet", "token", "mark", "step", "outcome", "calculated"}
SHOWN_ITEMS = 10


def leaderboard_rows(lake: Lake, top: int | None) -> list[dict[str, Any]]:
    """Return the leaderboard, best first; wallets that no longer qualify come last.

    Raises:
        SmartTraderError: There is none yet.
    """
    table = lake.read("gold", "leaderboard").sort_by([("overall_rank", "ascending"), ("wallet_address", "ascending")])
    # nulls come last, and a wallet without a rank no longer qualifies
    return rows_of(table.slice(0, top) if top is not None else table)


def leaderboard_text(rows: Sequence[dict[str, Any]], form: str) -> str:
    """Write the leaderboard as table, csv or json."""
    if form == "json":
        return json.dumps(rows, default=_plain, indent=1)
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]) if rows else list(BOARD), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
        return out.getvalue().rstrip("\n")
    if not rows:
        return "no wallet qualifies"
    shown = [{head: row[name] for name, head in BOARD.items()} for row in rows]
    for row, source in zip(shown, rows, strict=True):
        row["rank"] = "former" if source["former"] else row["rank"]
    return columns_text(shown)


def columns_text(rows: Sequence[dict[str, Any]]) -> str:
    """Write rows in columns, numbers to the right."""
    heads = list(rows[0])
    cells = [[_cell(row[head]) for head in heads] for row in rows]
    widths = [max(len(head), *(len(line[index]) for line in cells)) for index, head in enumerate(heads)]
    lines = []
    for line in [heads, *cells]:
        padded = (
            text.ljust(width) if head in LEFT else text.rjust(width)
            for text, width, head in zip(line, widths, heads, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Decimal | float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """Return what JSON and CSV can hold: decimals as numbers' own text, moments in ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else value


def verdicts_text(lake: Lake, wallets: Iterable[str] = ()) -> str:
    """Tell how many wallets qualify and why the others do not; named wallets one by one.

    Raises:
        SmartTraderError: Nothing is evaluated yet.
    """
    newest: dict[str, dict[str, Any]] = {}
    for row in rows_of(lake.read("gold", "trader_evaluations").sort_by([("calculation_date", "ascending")])):
        newest[row["wallet_address"]] = row
    qualified = sum(row["is_qualified"] for row in newest.values())
    reasons = Counter(rule for row in newest.values() for rule in (row["failed_rules"] or "").split(", ") if rule)
    lines = [f"{len(newest)} wallets evaluated, {qualified} qualify"]
    if reasons:
        lines[0] += "; rules failed: " + ", ".join(f"{rule} {count}" for rule, count in reasons.most_common())
    apart = quarantined_wallets(lake)
    if apart:
        lines.append(f"quarantined, so not ranked, for what their numbers broke: {_named(apart)}")
    for wallet in wallets:
        verdict = newest.get(wallet)
        if verdict is None:
            lines.append(f"  {wallet}: not evaluated")
        else:
            lines.append(f"  {wallet}: {verdict['tier'] or 'does not qualify: ' + verdict['failed_rules']}")
    return "\n".join(lines)


def quarantined_wallets(lake: Lake) -> list[str]:
    """Return the wallets whose newest calculation broke a check, each with the checks."""
    if not lake.has("silver", "calculation_checks"):
        return []
    checks = lake.read("silver", "calculation_checks", ["wallet_address", "calculation_date", "failed_checks"])
    newest: dict[str, str | None] = {}
    for row in rows_of(checks.sort_by([("calculation_date", "ascending")])):
        newest[row["wallet_address"]] = row["failed_checks"]
    return [f"{wallet}: {failed}" for wallet, failed in sorted(newest.items()) if failed]


def _named(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
    return "; ".join(items[:SHOWN_ITEMS]) + more


def explanation(lake: Lake, wallet: str) -> str:
    """Explain one wallet: its verdict, its figures, each token.

    Raises:
        SmartTraderError: The wallet was never calculated.
    """
    mine = pc.field("wallet_address") == wallet
    calculations = rows_of(lake.read("silver", "wallet_pnl", where=mine))
    if not calculations:
        raise SmartTraderError(
            f"{wallet} was never calculated in this lake",
            "track it: smart-trader run --wallets with its address; `smart-trader leaderboard` lists who is there",
        )
    date = max(row["calculation_date"] for row in calculations)
    newest = {row["token_address"]: row for row in calculations if row["calculation_date"] == date}
    total = newest["ALL_TOKENS"]
    verdict = rows_of(lake.read("gold", "trader_evaluations", where=mine & (pc.field("calculation_date") == date)))
    positions = sorted(
        rows_of(lake.read("silver", "position_pnl", where=mine & (pc.field("calculation_date") == date))),
        key=lambda row: -abs(row["realized_pnl_usd"]),
    )
    lines = [f"{wallet}, calculated {_cell(date)} UTC from {total['data_source']} data", *_verdict_lines(verdict)]
    lines += [f"  {name:28}{_cell(total[name]):>18}" for name in total if name not in _NOT_FIGURES]
    if positions:
        lines += ["", columns_text([_position(row) for row in positions])]
        lines += ["", "unmatched: proceeds of tokens whose purchase is not known; they earn nothing here"]
    dates = sorted({row["calculation_date"] for row in calculations})
    if len(dates) > 1:
        lines.append(f"calculated {len(dates)} times, first {_cell(dates[0])}")
    return "\n".join(lines)


_NOT_FIGURES = {
    "wallet_address", "token_address", "calculation_date", "processed_at", "batch_id", "data_source",
    "current_position_tokens", "moved_to_gold", "gold_processing_status", "gold_processed_at",
}  # fmt: skip


def _verdict_lines(verdict: list[dict[str, Any]]) -> list[str]:
    if not verdict:
        return ["not evaluated yet"]
    row = verdict[0]
    if row["is_qualified"]:
        return [f"qualifies: {row['tier']}, score {_cell(row['smart_trader_score'])}"]
    return [f"does not qualify; rules failed: {row['failed_rules']}"]


def _position(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": row["token_address"],
        "trades": row["trade_count"],
        "bought": row["bought_usd"],
        "sold": row["sold_usd"],
        "realized": row["realized_pnl_usd"],
        "unmatched": row["unmatched_proceeds_usd"],
        "open_cost": row["open_cost_usd"],
        "open_value": row["open_value_usd"],
        "mark": row["mark_source"],
        "wins": row["win_count"],
        "losses": row["loss_count"],
    }


def status_facts(lake: Lake) -> dict[str, Any]:
    """Return the state of the lake: tables, work that waits, items left alone, last run, disk, lock."""
    holder = lake_holder(lake.paths)
    facts: dict[str, Any] = {
        "lake": lake.paths.uri.removeprefix("file:"),
        "disk_used_percent": round(used_percent(lake.paths.local_root), 1) if lake.paths.is_local else None,
        "in_use_by": str(holder) if holder else None,
        "tables": [_table_facts(lake, schema, name) for schema, names in LAYERS.items() for name in names],
        "pending": {},
        "left_alone": {},
        "last_run": [],
    }
    moment = datetime.now(UTC)
    for queue, what in QUEUES.items():
        if lake.has("silver", queue):
            due = lake.read("silver", queue, ["due_at"])["due_at"].to_pylist()
            facts["pending"][what] = {"due": sum(at <= moment for at in due), "later": sum(at > moment for at in due)}
    if lake.has("silver", "tracked_whales"):
        for flag in ("is_exhausted", "is_too_active"):
            facts["left_alone"][f"wallets {flag}"] = _flagged(lake, "tracked_whales", "wallet_address", flag)
    if lake.has("silver", "tracked_tokens"):
        facts["left_alone"]["tokens is_exhausted"] = _flagged(lake, "tracked_tokens", "token_address", "is_exhausted")
    facts["left_alone"]["wallets quarantined"] = quarantined_wallets(lake)
    if lake.has("bronze", "pipeline_runs"):
        runs = rows_of(lake.read("bronze", "pipeline_runs").sort_by([("started_at", "ascending")]))
        facts["last_run"] = [row for row in runs if row["run_id"] == runs[-1]["run_id"]]
    return facts


def exhausted_items(lake: Lake) -> set[tuple[str, str]]:
    """Return kind of fetch and address of the items that are left alone after failures."""
    places = (("holders", "tracked_tokens", "token_address"), ("swaps", "tracked_whales", "wallet_address"))
    return {
        (kind, item)
        for kind, table, column in places
        if lake.has("silver", table)
        for item in _flagged(lake, table, column, "is_exhausted")
    }


def _flagged(lake: Lake, table: str, column: str, flag: str) -> list[str]:
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
    moment = datetime.now(UTC)
    lines = [
        f"lake       {facts['lake']}"
        + (f", disk {facts['disk_used_percent']} % full" if facts["disk_used_percent"] is not None else ""),
        f"in use by  {facts['in_use_by'] or 'nobody'}",
        "",
    ]
    for fact in facts["tables"]:
        age = (
            f"{(moment - fact['written_at']).total_seconds() / 3600:,.1f} h old" if fact["written_at"] else "not there"
        )
        lines.append(f"{fact['table']:32}{_cell(fact['rows']):>12}  {age}")
    lines.append("")
    for what, counts in facts["pending"].items():
        lines.append(f"{what} are due: {counts['due']}, later: {counts['later']}")
    for what, items in facts["left_alone"].items():
        more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
        lines.append(f"{what}: {len(items)}" + (f" ({', '.join(items[:SHOWN_ITEMS])}{more})" if items else ""))
        if items and what.endswith("is_exhausted"):
            lines.append("  they come back after exhausted_retry_days, or at once with: smart-trader retry")
    if facts["last_run"]:
        run = facts["last_run"]
        lines += ["", f"last run {run[0]['run_id']}, started {_cell(run[0]['started_at'])} UTC"]
        lines += [
            f"  {row['step']:20}{row['outcome']:10}{float(row['seconds']):8.1f} s"
            + (f"  {row['rows']:,} rows, {row['requests']} requests, {row['cu']} CU" if row["rows"] is not None else "")
            + (f"  {row['error']}" if row["error"] else "")
            for row in run
        ]
    return "\n".join(lines)
