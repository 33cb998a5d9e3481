"""The FIFO loop: sorted arrays in, sums and matches out. Compiled by numba; no Python object inside.

One position is one (wallet, token). Its open lots stand in a queue, oldest first; a sell consumes them from there:

- a lot remainder at or below the dust limit is closed by the sell that left it, quantity and cost added to the match;
- a sell remainder at or below it counts as matched; above it, it is unmatched: its proceeds are kept apart, and no
  later buy fills it;
- lots of unknown basis are consumed in their turn, and what they brought counts as unmatched proceeds;
- a sell without a price consumes lots, and the cost it removed is kept apart.

The dust limit is a share (`DUST`) of the largest open quantity since the position was last flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smart_trader.fifo.compiling import compiled

DUST = 1e-9
WIN_THRESHOLD_USD = 1.0
MONEY_SCALE = 1e6
SECONDS_PER_HOUR = 3600.0

# Columns of the sums of one position, float64. Quantities in base units, money in USD, holding in hours.
(
    BOUGHT_QUANTITY,
    SOLD_QUANTITY,
    BOUGHT_USD,
    SOLD_USD,
    MATCHED_QUANTITY,
    UNKNOWN_QUANTITY,
    UNMATCHED_QUANTITY,
    MATCHED_PROCEEDS,
    UNMATCHED_PROCEEDS,
    COST_OF_SOLD,
    REALIZED,
    GROSS_PROFIT,
    GROSS_LOSS,
    HELD_COST_HOURS,
    HELD_QUANTITY_HOURS,
    HELD_QUANTITY,
    UNPRICED_DISPOSAL_COST,
    ROUND_TRIP_USD,
    LAST_PRICE,
    OPEN_TOTAL,
    OPEN_PEAK,
) = range(21)
SUMS = 21

# Columns of the counts and times of one position, int64.
(
    BUYS,
    SELLS,
    SELLS_WITH_BASIS,
    WINS,
    LOSSES,
    NEUTRAL_SELLS,
    UNPRICED_BUYS,
    UNPRICED_SELLS,
    UNKNOWN_LOTS,
    ROUND_TRIPS,
    FIRST_TIME,
    LAST_TIME,
    LAST_PRICED_TIME,
    DECIMALS,
) = range(14)
COUNTS = 14

# Columns of a position's final figures, float64.
OPEN_QUANTITY, OPEN_COST, OPEN_UNKNOWN_QUANTITY, MEDIAN_HOURS = range(4)
FINALS = 4
# Row of the lot in a match of what was sold beyond the open lots.
NO_LOT = -1

NO_TIME = np.iinfo(np.int64).min
NO_DECIMALS = -1


@compiled
def add_buy(
    sums: NDArray[Any],
    counts: NDArray[Any],
    quantity: float,
    value: float,
    is_unknown: bool,
    time: int,
) -> None:
    """Count one buy; a NaN value is a missing price."""
    counts[BUYS] += 1
    sums[BOUGHT_QUANTITY] += quantity
    if np.isnan(value):
        counts[UNPRICED_BUYS] += 1
    else:
        sums[BOUGHT_USD] += value
        sums[LAST_PRICE] = value / quantity
        counts[LAST_PRICED_TIME] = time
    if is_unknown:
        counts[UNKNOWN_LOTS] += 1
    sums[OPEN_TOTAL] += quantity
    sums[OPEN_PEAK] = max(sums[OPEN_PEAK], sums[OPEN_TOTAL])


@compiled
def settle_sell(
    sums: NDArray[Any],
    counts: NDArray[Any],
    quantity: float,
    value: float,
    known: float,
    known_cost: float,
    time: int,
    win_threshold: float,
) -> None:
    """Count the money of one sell.

    Args:
        sums: Sums of the position.
        counts: Counts of the position.
        quantity: Quantity sold.
        value: Proceeds in USD; NaN is a missing price.
        known: Part of the quantity matched to lots of known basis, at most `quantity`.
        known_cost: Cost of the lots matched, USD.
        time: Time of the sell, seconds.
        win_threshold: USD beyond which a profit is a win, and a loss is one.
    """
    counts[SELLS] += 1
    sums[SOLD_QUANTITY] += quantity
    if np.isnan(value):
        counts[UNPRICED_SELLS] += 1
        sums[UNPRICED_DISPOSAL_COST] += known_cost
        return
    sums[SOLD_USD] += value
    sums[LAST_PRICE] = value / quantity
    counts[LAST_PRICED_TIME] = time
    proceeds = value * (known / quantity)
    sums[MATCHED_PROCEEDS] += proceeds
    sums[UNMATCHED_PROCEEDS] += value - proceeds
    if known <= 0.0:
        return
    profit = proceeds - known_cost
    counts[SELLS_WITH_BASIS] += 1
    sums[COST_OF_SOLD] += known_cost
    sums[REALIZED] += profit
    if profit > 0.0:
        sums[GROSS_PROFIT] += profit
    else:
        sums[GROSS_LOSS] -= profit
    # money has six decimals; the test is made on the money, not on the float behind it
    rounded = np.rint(profit * MONEY_SCALE) / MONEY_SCALE
    if rounded > win_threshold:
        counts[WINS] += 1
    elif rounded < -win_threshold:
        counts[LOSSES] += 1
    else:
        counts[NEUTRAL_SELLS] += 1


@compiled
def weighted_median(times: NDArray[Any], weights: NDArray[Any], count: int) -> float:
    """Return the smallest value that at least half of the weight lies at or below; NaN for none.

    A quickselect: expected time linear in `count`. Reorders both arrays.
    """
    total = 0.0
    for index in range(count):
        total += weights[index]
    if count == 0 or total <= 0.0:
        return np.nan
    low, high, below, half = 0, count, 0.0, total / 2.0
    while high - low > 1:
        pivot = times[low + (high - low) // 2]
        # three parts: [low, left) < pivot, [left, right) == pivot, [right, high) > pivot
        left, right, index = low, high, low
        weight_left, weight_same = 0.0, 0.0
        while index < right:
            if times[index] < pivot:
                weight_left += weights[index]
                times[index], times[left] = times[left], times[index]
                weights[index], weights[left] = weights[left], weights[index]
                left += 1
                index += 1
            elif times[index] > pivot:
                right -= 1
                times[index], times[right] = times[right], times[index]
                weights[index], weights[right] = weights[right], weights[index]
            else:
                weight_same += weights[index]
                index += 1
        if below + weight_left >= half and left > low:
            high = left
        elif below + weight_left + weight_same >= half or right == high:
            return float(pivot)
        else:
            below += weight_left + weight_same
            low = right
    return float(times[low])


@compiled
def run(  # noqa: C901  measured as one loop: DECISIONS.md
    starts: NDArray[Any],
    time: NDArray[Any],
    is_sell: NDArray[Any],
    quantity: NDArray[Any],
    value: NDArray[Any],
    is_unknown: NDArray[Any],
    round_trip: NDArray[Any],
    prior_lots: tuple[Any, ...],
    prior_held: tuple[Any, ...],
    out: tuple[Any, ...],
    out_lots: tuple[Any, ...],
    out_held: tuple[Any, ...],
    matches: tuple[Any, ...],
    with_medians: bool,
    keep_all: bool,
    win_threshold: float,
    dust_share: float,
) -> int:
    """Run the trades of a chunk of sorted positions.

    Args:
        starts: int64[positions + 1], the first row of each position, then the number of rows.
        time: int64[rows], seconds.
        is_sell: bool[rows].
        quantity: float64[rows], zero for a row that is no trade.
        value: float64[rows], USD; NaN is a missing price.
        is_unknown: bool[rows], a buy whose cost is not known though it has a value.
        round_trip: float64[rows], USD passed through, which may be 0; NaN where nothing was.
        prior_lots: offsets int64[positions + 1], then quantity, USD per unit, time, is_known, row of each lot.
        prior_held: offsets int64[positions + 1], then hold seconds and quantity of the matches before.
        out: sums, counts (both filled with the state before), then finals float64[positions, FINALS]: open known
            quantity, open cost, open unknown quantity, median hours; and oldest open lot's time int64[positions].
        out_lots: as `prior_lots`, written for the last position, or all with `keep_all`.
        out_held: as `prior_held`, likewise.
        matches: sell row, lot row (NO_LOT: beyond the open lots), quantity, cost, is_known; empty arrays switch them
            off.
        with_medians: Keep each match's holding, for the median.
        keep_all: Write the open lots of every position, not only of the last one.
        win_threshold: USD beyond which a sell's profit is a win, and its loss a loss.
        dust_share: Share of the largest open quantity at or below which a remainder counts as nothing.

    Returns:
        The number of matches written.
    """
    sums_all, counts_all, finals, oldest = out
    lot_starts, prior_quantity, prior_price, prior_time, prior_known, prior_row = prior_lots
    held_starts, prior_held_time, prior_held_quantity = prior_held
    lot_ends, out_quantity, out_price, out_time, out_known, out_row = out_lots
    held_ends, out_held_time, out_held_quantity = out_held
    sell_rows, lot_rows, matched_quantities, matched_costs, are_known = matches
    positions = len(starts) - 1
    room = len(time) + len(prior_quantity)
    lot_quantity = np.empty(room, np.float64)
    lot_price = np.empty(room, np.float64)
    lot_time = np.empty(room, np.int64)
    lot_known = np.empty(room, np.bool_)
    lot_row = np.empty(room, np.int64)
    held_room = room + len(prior_held_time) if with_medians else 0
    held_time = np.empty(held_room, np.int64)
    held_quantity = np.empty(held_room, np.float64)
    with_matches = len(sell_rows) > 0
    matched_rows = 0
    lot_ends[0] = 0
    held_ends[0] = 0

    for position in range(positions):
        sums = sums_all[position]
        counts = counts_all[position]
        head, tail, held = 0, 0, 0
        for index in range(lot_starts[position], lot_starts[position + 1]):
            lot_quantity[tail] = prior_quantity[index]
            lot_price[tail] = prior_price[index]
            lot_time[tail] = prior_time[index]
            lot_known[tail] = prior_known[index]
            lot_row[tail] = prior_row[index]
            tail += 1
        if with_medians:
            for index in range(held_starts[position], held_starts[position + 1]):
                held_time[held] = prior_held_time[index]
                held_quantity[held] = prior_held_quantity[index]
                held += 1

        for row in range(starts[position], starts[position + 1]):
            if not np.isnan(round_trip[row]):
                sums[ROUND_TRIP_USD] += round_trip[row]
                counts[ROUND_TRIPS] += 1
            amount = quantity[row]
            if amount <= 0.0:
                continue
            now = time[row]
            if counts[FIRST_TIME] == NO_TIME:
                counts[FIRST_TIME] = now
            counts[LAST_TIME] = now
            if not is_sell[row]:
                known_lot = not (np.isnan(value[row]) or is_unknown[row])
                add_buy(sums, counts, amount, value[row], not known_lot, now)
                lot_quantity[tail] = amount
                lot_price[tail] = value[row] / amount if known_lot else 0.0
                lot_time[tail] = now
                lot_known[tail] = known_lot
                lot_row[tail] = row
                tail += 1
                continue

            dust = dust_share * sums[OPEN_PEAK]
            left = amount
            known, known_cost, unknown = 0.0, 0.0, 0.0
            last_known = False
            is_priced = not np.isnan(value[row])
            while left > 0.0 and head < tail:
                taken = min(left, lot_quantity[head])
                rest = lot_quantity[head] - taken
                closes = rest <= dust
                matched = lot_quantity[head] if closes else taken
                # by unit cost, not by subtraction: what is left of a lot keeps its full precision
                cost = matched * lot_price[head]
                last_known = lot_known[head]
                left -= taken
                sums[OPEN_TOTAL] -= matched
                if last_known:
                    known += taken
                    known_cost += cost
                    sums[MATCHED_QUANTITY] += matched
                    if is_priced:
                        hours = (now - lot_time[head]) / SECONDS_PER_HOUR
                        sums[HELD_COST_HOURS] += hours * cost
                        sums[HELD_QUANTITY_HOURS] += hours * matched
                        sums[HELD_QUANTITY] += matched
                        if with_medians:
                            held_time[held] = now - lot_time[head]
                            held_quantity[held] = matched
                            held += 1
                else:
                    unknown += taken
                    sums[UNKNOWN_QUANTITY] += matched
                if with_matches:
                    sell_rows[matched_rows] = row
                    lot_rows[matched_rows] = lot_row[head]
                    matched_quantities[matched_rows] = matched
                    matched_costs[matched_rows] = cost
                    are_known[matched_rows] = last_known
                    matched_rows += 1
                if closes:
                    head += 1
                else:
                    lot_quantity[head] = rest
            if left > 0.0 and left <= dust:
                if last_known:
                    known += left
                    sums[MATCHED_QUANTITY] += left
                else:
                    unknown += left
                    sums[UNKNOWN_QUANTITY] += left
                left = 0.0
            if left > 0.0:
                sums[UNMATCHED_QUANTITY] += left
                if with_matches:
                    sell_rows[matched_rows] = row
                    lot_rows[matched_rows] = NO_LOT
                    matched_quantities[matched_rows] = left
                    matched_costs[matched_rows] = 0.0
                    are_known[matched_rows] = False
                    matched_rows += 1
            settle_sell(sums, counts, amount, value[row], min(known, amount), known_cost, now, win_threshold)
            if head == tail:
                # flat: float dust must not live on, and the next lots set their own limit
                sums[OPEN_TOTAL] = 0.0
                sums[OPEN_PEAK] = 0.0

        open_known, open_cost, open_unknown = 0.0, 0.0, 0.0
        oldest[position] = lot_time[head] if head < tail else NO_TIME
        for index in range(head, tail):
            if lot_known[index]:
                open_known += lot_quantity[index]
                open_cost += lot_quantity[index] * lot_price[index]
            else:
                open_unknown += lot_quantity[index]
        finals[position, OPEN_QUANTITY] = open_known
        finals[position, OPEN_COST] = open_cost
        finals[position, OPEN_UNKNOWN_QUANTITY] = open_unknown

        lot_end = lot_ends[position]
        held_end = held_ends[position]
        if keep_all or position == positions - 1:
            for index in range(head, tail):
                out_quantity[lot_end] = lot_quantity[index]
                out_price[lot_end] = lot_price[index]
                out_time[lot_end] = lot_time[index]
                out_known[lot_end] = lot_known[index]
                out_row[lot_end] = lot_row[index]
                lot_end += 1
            if with_medians:
                for index in range(held):
                    out_held_time[held_end] = held_time[index]
                    out_held_quantity[held_end] = held_quantity[index]
                    held_end += 1
        lot_ends[position + 1] = lot_end
        held_ends[position + 1] = held_end
        finals[position, MEDIAN_HOURS] = (
            weighted_median(held_time, held_quantity, held) / SECONDS_PER_HOUR if with_medians else np.nan
        )
    return matched_rows
