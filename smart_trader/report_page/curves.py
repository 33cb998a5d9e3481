"""What a wallet's sells earned, and when: the FIFO engine's matches, added up over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import pyarrow as pa

from smart_trader.fifo import fifo_matches

# Points of one curve at most: more than a screen has columns for it.
CURVE_POINTS = 240
# What the sums of floats, matched anew, may lie off gold's decimals.
TOLERANCE_USD = 0.01

HOLDING_BINS: tuple[tuple[float, str], ...] = (
    (1 / 60, "< 1 min"), (1 / 6, "1-10 min"), (1, "10-60 min"), (6, "1-6 h"), (24, "6-24 h"), (168, "1-7 d"),
    (float("inf"), "> 7 d"),
)  # fmt: skip
RETURN_BINS: tuple[tuple[float, str], ...] = (
    (-0.75, "< -75"), (-0.5, "-75 to -50"), (-0.25, "-50 to -25"), (0.0, "-25 to 0"), (0.25, "0 to 25"),
    (0.5, "25 to 50"), (1.0, "50 to 100"), (2.0, "100 to 200"), (float("inf"), "> 200"),
)  # fmt: skip


@dataclass(slots=True)
class Sells:
    """The matched sells of one wallet.

    Attributes:
        profits: Time and profit of each sell that closed lots of known cost, oldest first.
        profit_of: The same profit by the sell's row in the trades.
        holdings: Hours held and cost of each match.
        by_token: Realized profit by token.
    """

    profits: list[tuple[int, float]] = field(default_factory=list)
    profit_of: dict[int, float] = field(default_factory=dict)
    holdings: list[tuple[float, float]] = field(default_factory=list)
    by_token: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def realized(self) -> float:
        """USD that the sells earned together."""
        return sum(self.by_token.values())


def match_sells(trades: pa.Table) -> dict[str, Sells]:
    """Match the sells of some wallets against their lots.

    Args:
        trades: Whole histories in the order of the FIFO engine.

    Returns:
        The matched sells by wallet; a wallet that sold nothing of known cost is missing.
    """
    found: dict[str, Sells] = defaultdict(Sells)
    times: dict[int, int] = {}
    owner: dict[int, str] = {}
    for match in fifo_matches(trades).to_pylist():
        cost, proceeds = match["cost_usd"], match["proceeds_usd"]
        if cost is None or proceeds is None:
            continue
        sells, row = found[match["wallet_address"]], match["sell_row"]
        owner[row], times[row] = match["wallet_address"], match["sell_time"]
        sells.profit_of[row] = sells.profit_of.get(row, 0.0) + proceeds - cost
        sells.by_token[match["token_address"]] += proceeds - cost
        sells.holdings.append(((match["sell_time"] - match["buy_time"]) / 3600, cost))
    for row in sorted(times, key=lambda one: (times[one], one)):
        sells = found[owner[row]]
        sells.profits.append((times[row], sells.profit_of[row]))
    return dict(found)


def disagreement(sells: Sells, positions: Sequence[Mapping[str, Any]]) -> str | None:
    """Say where the matched sells do not add up to gold's realized profit; None where they do."""
    for position in positions:
        gold = float(position["realized_pnl_usd"])
        mine = sells.by_token.get(position["token_address"], 0.0)
        if abs(mine - gold) > TOLERANCE_USD + 1e-6 * abs(gold):
            return (
                f"Its sells of {position['token_address']} add up to {mine:,.2f} USD and its realized profit is "
                f"{gold:,.2f} USD, so no curve is drawn."
            )
    return None


def realized_curve(sells: Sells) -> list[tuple[int, float]]:
    """Return realized profit over time, the last point being all of it."""
    sums = accumulate(profit for _, profit in sells.profits)
    return [(time, total) for (time, _), total in zip(sells.profits, sums, strict=True)]


def thin_out(curve: Sequence[tuple[int, float]], most: int = CURVE_POINTS) -> list[tuple[int, float]]:
    """Return a curve with at most some points: the first, and the last of each equal stretch of time."""
    if len(curve) <= most:
        return list(curve)
    first, last = curve[0][0], curve[-1][0]
    width = (last - first) / (most - 1)
    kept = {int((time - first) / width): (time, value) for time, value in curve}
    return [curve[0], *(point for stretch, point in sorted(kept.items()) if stretch)]


def largest_drawdown(curve: Sequence[tuple[int, float]]) -> float:
    """Return how far realized profit fell below its highest value before; that begins at 0."""
    peak = worst = 0.0
    for _, value in curve:
        peak = max(peak, value)
        worst = max(worst, peak - value)
    return worst


def median_holding(sells: Sells) -> float | None:
    """Return the hours that half of the money sold was held at most; None where nothing of known cost was sold."""
    total = sum(cost for _, cost in sells.holdings)
    below = 0.0
    for hours, cost in sorted(sells.holdings):
        below += cost
        if total > 0 and below >= total / 2:
            return hours
    return None


def holding_shares(sells: Sells) -> list[dict[str, Any]]:
    """Return for each holding time the share of the money sold that was held for it."""
    total = sum(cost for _, cost in sells.holdings)
    sums = dict.fromkeys((label for _, label in HOLDING_BINS), 0.0)
    for hours, cost in sells.holdings:
        sums[bin_of(hours, HOLDING_BINS)] += cost
    return [{"held": label, "share": part / total} for label, part in sums.items()] if total > 0 else []


def return_counts(positions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return how many positions earned which return on the cost of what was sold of them."""
    counts = dict.fromkeys((label for _, label in RETURN_BINS), 0)
    sold = [row for row in positions if row["cost_of_sold_usd"] > 0]
    for row in sold:
        counts[bin_of(float(row["realized_pnl_usd"] / row["cost_of_sold_usd"]), RETURN_BINS)] += 1
    labels = [label for _, label in RETURN_BINS]
    losses = labels[: labels.index("0 to 25")]
    return (
        [
            {"return": label, "count": count, "sign": "loss" if label in losses else "gain"}
            for label, count in counts.items()
        ]
        if sold
        else []
    )


def bin_of(value: float, bins: Sequence[tuple[float, str]]) -> str:
    """Return the label of the first bin that ends above a value."""
    return next(label for end, label in bins if value < end)
