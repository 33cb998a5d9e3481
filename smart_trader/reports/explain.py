"""One wallet explained: its verdict and why, its figures, each token."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.text_table import cell_text, columns_text

_NOT_FIGURES = {
    "wallet_address", "token_address", "calculation_date", "processed_at", "batch_id", "data_source",
    "current_position_tokens", "moved_to_gold", "gold_processing_status", "gold_processed_at",
}  # fmt: skip


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
    lines = [f"{wallet}, calculated {cell_text(date)} UTC from {total['data_source']} data", *_verdict_lines(verdict)]
    lines += [f"  {name:28}{cell_text(total[name]):>18}" for name in total if name not in _NOT_FIGURES]
    if positions:
        lines += ["", columns_text([_position(row) for row in positions])]
        lines += ["", "unmatched: proceeds of tokens whose purchase is not known; they earn nothing here"]
    dates = sorted({row["calculation_date"] for row in calculations})
    if len(dates) > 1:
        lines.append(f"calculated {len(dates)} times, first {cell_text(dates[0])}")
    return "\n".join(lines)


def _verdict_lines(verdict: list[dict[str, Any]]) -> list[str]:
    if not verdict:
        return ["not evaluated yet"]
    row = verdict[0]
    if row["is_qualified"]:
        return [f"qualifies: {row['tier']}, score {cell_text(row['smart_trader_score'])}"]
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
