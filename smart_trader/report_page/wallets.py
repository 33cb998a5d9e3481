"""The page's data of each wallet: its row of the table, its section, its curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smart_trader.console import one_line
from smart_trader.report_page.arguments import arguments_against, arguments_for
from smart_trader.report_page.curves import (
    NO_SELLS,
    Sells,
    disagreement,
    holding_shares,
    match_sells,
    realized_curve,
    return_counts,
    slices_of,
    thin_out,
)
from smart_trader.report_page.figures import position_profit, wallet_figures
from smart_trader.report_page.reading import Reading, Row
from smart_trader.reports.text_table import plain_value

LAST_TRADES = 20
# Of a wallet with more tokens, the others are one row.
SHOWN_TOKENS = 40
SYMBOL_LENGTH = 24
PAST_STANDINGS = 40
SPARK_DAYS = 30
SPARK_POINTS = 40
# Columns of the leaderboard that the table shows as they are.
BOARD_FIGURES = (
    "overall_rank", "tier", "uncapped_tier", "grade", "former", "former_reason", "skill", "skill_low",
    "position_count", "money_return", "money_return_low", "total_pnl", "realized_pnl", "unrealized_pnl", "roi",
    "win_rate", "trade_count", "total_bought", "total_sold", "avg_holding_time_hours", "first_transaction",
    "last_transaction", "basis_coverage", "smart_trader_score", "calculation_date",
)  # fmt: skip


def page_wallets(reading: Reading) -> list[dict[str, Any]]:
    """Return what the page shows of each wallet of the list, in the list's order."""
    sells = match_sells(reading.trades)
    trades = {wallet: (first, mine) for wallet, first, mine in slices_of(reading.trades)}
    none = (0, reading.trades.slice(0, 0))
    return [
        _wallet(reading, row, sells.get(row["wallet_address"], NO_SELLS), *trades.get(row["wallet_address"], none))
        for row in reading.board
    ]


def symbol_of(reading: Reading, token: str) -> str | None:
    """Return a token's symbol in one short line; None where it has none."""
    symbol = one_line(reading.symbols.get(token, "")).strip()
    return None if not symbol else symbol if len(symbol) <= SYMBOL_LENGTH else symbol[: SYMBOL_LENGTH - 1] + "…"


def shared_tokens(reading: Reading) -> tuple[list[dict[str, Any]], dict[str, list[tuple[int, float]]]]:
    """Return the tokens that several of the wallets traded, and by wallet which of them it did, with its profit."""
    traded = {
        # who only bought and sold a token within one transaction has no trade in it
        wallet: [row for row in rows if row["trade_count"] > 0]
        for wallet, rows in reading.positions.items()
    }
    traders = Counter(row["token_address"] for rows in traded.values() for row in rows)
    shared = sorted(token for token, count in traders.items() if count > 1)
    number = {token: index for index, token in enumerate(shared)}
    return [{"token": token, "symbol": symbol_of(reading, token)} for token in shared], {
        wallet: [
            (number[row["token_address"]], round(position_profit(row), 6))
            for row in sorted(rows, key=position_profit, reverse=True)
            if row["token_address"] in number
        ]
        for wallet, rows in traded.items()
    }


def _last_trades(reading: Reading, first: int, trades: pa.Table, sells: Sells | None) -> list[dict[str, Any]]:
    """Return a wallet's newest trades, the newest first.

    Args:
        reading: What was read.
        first: Row of the wallet's first trade.
        trades: Its trades.
        sells: Its matched sells; None where they are not to be shown.
    """
    rows = pa.array(range(first, first + trades.num_rows), pa.int64())
    # a transaction that nets to nothing is no trade
    made = trades.append_column("row", rows).filter(pc.greater(trades["quantity"], 0))
    newest = made.sort_by([("block_unix_time", "descending"), ("row", "descending")]).slice(0, LAST_TRADES)
    return [
        {
            "time": trade["block_unix_time"],
            "side": trade["side"],
            "token": trade["token_address"],
            "symbol": symbol_of(reading, trade["token_address"]),
            "quantity": trade["quantity"] / 10 ** trade["decimals"] if trade["decimals"] is not None else None,
            "value": trade["value_usd"],
            "profit": sells.profit_of(trade["row"]) if sells is not None else None,
            "tx": trade["tx_hash"],
        }
        for trade in newest.to_pylist()
    ]


def _wallet(reading: Reading, row: Row, matched: Sells, first: int, trades: pa.Table) -> dict[str, Any]:
    address = row["wallet_address"]
    positions = reading.positions.get(address, [])
    fault = disagreement(matched, positions)
    sells = matched if fault is None else None
    figures = wallet_figures(positions, sells, reading.settings.win_threshold_usd)
    flags = [flag for flag in reading.flags if flag["wallet_address"] == address]
    curve = realized_curve(sells) if sells is not None else []
    return {
        "address": address,
        **{name: plain_value(row.get(name)) for name in BOARD_FIGURES},
        "wins_by_token": figures.wins_by_token,
        "profit_factor": figures.profit_factor,
        "never_lost": figures.never_lost,
        "best_share": figures.best_share,
        "drawdown": figures.drawdown,
        "median_hours": figures.median_hours,
        "unmatched_usd": figures.unmatched_usd,
        "flags": [{name: flag[name] for name in ("flag", "severity", "tier_cap", "sentence")} for flag in flags],
        "spark": _spark(curve, row["calculation_date"]),
        "curve": [(time, round(value, 2)) for time, value in thin_out(curve)],
        "fault": fault,
        "for": arguments_for(reading, row, figures),
        "against": arguments_against(reading, row, figures, flags),
        "returns": return_counts(positions),
        "holdings": holding_shares(sells) if sells is not None else [],
        **_tokens(reading, positions),
        "trades": _last_trades(reading, first, trades, sells),
        "history": [_standing(one) for one in reading.history.get(address, [])[:PAST_STANDINGS]],
        "history_count": len(reading.history.get(address, [])),
    }


def _spark(curve: Sequence[tuple[int, float]], until: datetime) -> list[tuple[int, float]]:
    """Return realized profit of the last days, from what it was at their beginning."""
    begin = int((until - timedelta(days=SPARK_DAYS)).timestamp())
    before = [value for time, value in curve if time < begin]
    shown = [(time, value) for time, value in curve if time >= begin]
    if not curve:
        return []
    points = [(begin, before[-1] if before else 0.0), *shown, (int(until.timestamp()), curve[-1][1])]
    return [(time, round(value, 2)) for time, value in thin_out(points, SPARK_POINTS)]


def _tokens(reading: Reading, positions: Sequence[Row]) -> dict[str, Any]:
    """Return the positions with the largest profit or loss, and what all others come to."""
    ranked = sorted(positions, key=lambda row: (-abs(position_profit(row)), row["token_address"]))
    shown, rest = ranked[:SHOWN_TOKENS], ranked[SHOWN_TOKENS:]
    tokens = [
        {
            "token": row["token_address"],
            "symbol": symbol_of(reading, row["token_address"]),
            "profit": round(position_profit(row), 6),
            "realized": float(row["realized_pnl_usd"]),
            "open_value": float(row["open_value_usd"]),
            "cost": float(row["cost_of_sold_usd"] + row["open_cost_usd"]),
            "trades": row["trade_count"],
            "hours": row["median_holding_hours"],
            "last": plain_value(row["last_trade_at"]),
            "unmatched": float(row["unmatched_proceeds_usd"]),
        }
        for row in sorted(shown, key=position_profit, reverse=True)
    ]
    return {
        "tokens": tokens,
        "other_tokens": {"count": len(rest), "profit": round(sum(map(position_profit, rest)), 6)},
        "open": {
            "value": float(sum(row["open_value_usd"] for row in positions)),
            "cost": float(sum(row["open_cost_usd"] for row in positions)),
            "count": sum(row["open_quantity"] > 0 for row in positions),
        },
    }


def _standing(row: Row) -> dict[str, Any]:
    names = ("scored_at", "is_listed", "is_flagged", "tier", "grade", "skill_low", "realized_pnl")
    return {name: plain_value(row.get(name)) for name in names}
