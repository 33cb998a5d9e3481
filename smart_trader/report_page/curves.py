"""What a wallet's sells earned, and when: the FIFO engine's matches, added up over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smart_trader.fifo import fifo_matches

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
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


@dataclass(frozen=True, slots=True)
class Sells:
    """The matched sells of one wallet: those that closed lots of known cost at a known price.

    Attributes:
        rows: The sells' rows in the trades, ascending.
        times: When they were, in seconds.
        profits: What each earned, in USD.
        hours: Hours that each match was held.
        costs: Cost of each match, in USD.
        by_token: Realized profit by token.
    """

    rows: Integers
    times: Integers
    profits: Floats
    hours: Floats
    costs: Floats
    by_token: Mapping[str, float]

    def profit_of(self, row: int) -> float | None:
        """Return what the sell of a row earned; None where it closed nothing of known cost."""
        at = int(np.searchsorted(self.rows, row))
        return float(self.profits[at]) if at < len(self.rows) and self.rows[at] == row else None


NO_SELLS = Sells(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0), {})


def match_sells(trades: pa.Table) -> dict[str, Sells]:
    """Match the sells of some wallets against their lots.

    Args:
        trades: Whole histories in the order of the FIFO engine.

    Returns:
        The matched sells by wallet; a wallet that sold nothing of known cost is missing.
    """
    matches = fifo_matches(trades)
    known = pc.and_(pc.is_valid(matches["cost_usd"]), pc.is_valid(matches["proceeds_usd"]))
    return {wallet: _sells_of(mine) for wallet, _, mine in slices_of(matches.filter(known))}


def slices_of(table: pa.Table) -> Iterator[tuple[str, int, pa.Table]]:
    """Yield each wallet of a table that is sorted by wallet, with its first row and its rows."""
    if not table.num_rows:
        return
    wallets = table["wallet_address"].combine_chunks().dictionary_encode()
    codes = wallets.indices.to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), table.num_rows]
    for first, end in pairwise(starts):
        yield wallets.dictionary[int(codes[first])].as_py(), first, table.slice(first, end - first)


def _sells_of(matches: pa.Table) -> Sells:
    cost, proceeds = matches["cost_usd"].to_numpy(), matches["proceeds_usd"].to_numpy()
    times = matches["sell_time"].to_numpy()
    rows, first, sell = np.unique(matches["sell_row"].to_numpy(), return_index=True, return_inverse=True)
    tokens = matches["token_address"].combine_chunks().dictionary_encode()
    by_token = np.bincount(tokens.indices.to_numpy(), proceeds - cost, len(tokens.dictionary))
    return Sells(
        rows,
        times[first],
        np.asarray(np.bincount(sell, proceeds - cost, len(rows)), np.float64),
        (times - matches["buy_time"].to_numpy()) / 3600,
        cost,
        dict(zip(tokens.dictionary.to_pylist(), by_token.tolist(), strict=True)),
    )


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
    order = np.lexsort((sells.rows, sells.times))
    return list(zip(sells.times[order].tolist(), np.cumsum(sells.profits[order]).tolist(), strict=True))


def thin_out(curve: Sequence[tuple[int, float]], most: int = CURVE_POINTS) -> list[tuple[int, float]]:
    """Return a curve with at most some points: the first, and the last of each equal stretch of time."""
    if len(curve) <= most:
        return list(curve)
    first, last = curve[0][0], curve[-1][0]
    if first == last:
        return [curve[0], curve[-1]]
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
    order = np.argsort(sells.hours, kind="stable")
    below = np.cumsum(sells.costs[order])
    if not len(below) or below[-1] <= 0:
        return None
    return float(sells.hours[order][np.searchsorted(below, below[-1] / 2)])


def holding_shares(sells: Sells) -> list[dict[str, Any]]:
    """Return for each holding time the share of the money sold that was held for it."""
    total = float(sells.costs.sum())
    bins = np.searchsorted([end for end, _ in HOLDING_BINS], sells.hours, side="right")
    sums = np.bincount(bins, sells.costs, len(HOLDING_BINS))
    if total <= 0:
        return []
    return [
        {"held": label, "share": part / total} for (_, label), part in zip(HOLDING_BINS, sums.tolist(), strict=True)
    ]


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
