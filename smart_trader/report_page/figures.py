"""The figures of one wallet that gold does not hold, each from its positions and its matched sells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smart_trader.report_page.curves import Sells, largest_drawdown, median_holding, realized_curve

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """What positions and sells come to; None where there is nothing to divide by.

    Attributes:
        wins_by_token: Percent of tokens won among those whose sells won or lost more than the win threshold.
        decided_tokens: How many tokens those are.
        profit_factor: Profit of the winning sells over the loss of the losing ones.
        never_lost: Whether no sell lost anything.
        best_token: The token with the largest profit, realized and open; None where none made any.
        best_share: Its percent of the profit of all tokens that made one.
        drawdown: USD that realized profit fell below its highest value before, at worst.
        median_hours: Hours that half of the money sold was held at most.
        unmatched_usd: Proceeds of what was not seen bought, or at an unknown cost.
        gross_profit: Profit of the winning sells.
    """

    wins_by_token: float | None
    decided_tokens: int
    profit_factor: float | None
    never_lost: bool
    best_token: str | None
    best_share: float | None
    drawdown: float | None
    median_hours: float | None
    unmatched_usd: float
    gross_profit: float


def position_profit(row: Row) -> float:
    """Return realized and open profit of a position."""
    return float(row["realized_pnl_usd"] + row["open_value_usd"] - row["open_cost_usd"])


def wallet_figures(positions: Sequence[Row], sells: Sells | None, win_threshold: float) -> Figures:
    """Compute the figures of one wallet.

    Args:
        positions: The positions of its newest calculation.
        sells: Its matched sells; None where they do not agree with gold, then nothing is made of them.
        win_threshold: USD beyond which a profit is a win, and a loss is one.
    """
    realized = [float(row["realized_pnl_usd"]) for row in positions if row["matched_sell_count"] > 0]
    won = sum(profit > win_threshold for profit in realized)
    lost = sum(profit < -win_threshold for profit in realized)
    gross_profit = float(sum(row["gross_profit_usd"] for row in positions))
    gross_loss = float(sum(row["gross_loss_usd"] for row in positions))
    made = {row["token_address"]: profit for row in positions if (profit := position_profit(row)) > 0}
    best = max(sorted(made), key=lambda token: made[token], default=None)
    return Figures(
        100 * won / (won + lost) if won + lost else None,
        won + lost,
        gross_profit / gross_loss if gross_loss > 0 else None,
        gross_profit > 0 and gross_loss == 0,
        best,
        100 * made[best] / sum(made.values()) if best is not None else None,
        None if sells is None else largest_drawdown(realized_curve(sells)),
        None if sells is None else median_holding(sells),
        float(sum(row["unmatched_proceeds_usd"] for row in positions)),
        gross_profit,
    )
