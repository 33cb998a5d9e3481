"""FIFO over Arrow: a stream of sorted batches to one row per position, a whole table to matches or to open lots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smart_trader.fifo import kernel as k
from smart_trader.fifo.columns import MATCH_SCHEMA, OPEN_LOT_SCHEMA, POSITION_SCHEMA, positions_batch
from smart_trader.fifo.trades import Trades, check_follows, position_starts, read_trades

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be set about the computation.

    Attributes:
        win_threshold_usd: A sell's profit above it is a win, a loss beyond it a loss; what lies between is neither.
        dust_share: A remainder of at most this share of a position's largest open quantity counts as nothing.
    """

    win_threshold_usd: float = k.WIN_THRESHOLD_USD
    dust_share: float = k.DUST


RULES = Rules()


@dataclass(frozen=True, slots=True)
class Book:
    """What is carried of some positions: sums so far, open lots, and the holdings that the median needs.

    Attributes:
        sums: float64[positions, SUMS].
        counts: int64[positions, COUNTS].
        lots: offsets, then quantity, USD per unit, time, is_known, row of each open lot; see `kernel.run`.
        held: offsets, then seconds and quantity of each match.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    lots: Arrays
    held: Arrays


def empty_book(positions: int) -> Book:
    """Return the book of positions without a trade."""
    counts = np.zeros((positions, k.COUNTS), np.int64)
    counts[:, [k.FIRST_TIME, k.LAST_TIME, k.LAST_PRICED_TIME]] = k.NO_TIME
    counts[:, k.DECIMALS] = k.NO_DECIMALS
    offsets = np.zeros(positions + 1, np.int64)
    return Book(np.zeros((positions, k.SUMS)), counts, _lots(offsets, 0), _held(offsets, 0))


def _lots(offsets: NDArray[np.int64], size: int) -> Arrays:
    kinds = (np.float64, np.float64, np.int64, np.bool_, np.int64)
    return (offsets, *(np.empty(size, kind) for kind in kinds))


def _held(offsets: NDArray[np.int64], size: int) -> Arrays:
    return (offsets, np.empty(size, np.int64), np.empty(size, np.float64))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the kernel made of one batch: the books after it and each position's final figures."""

    book: Book
    finals: NDArray[np.float64]
    oldest: NDArray[np.int64]


def run_batch(
    trades: Trades,
    starts: NDArray[np.int64],
    before: Book,
    matches: Arrays,
    *,
    medians: bool,
    keep_all: bool,
    rules: Rules,
) -> tuple[Outcome, int]:
    """Run one batch from a book; returns the outcome and the number of matches written."""
    positions = len(starts) - 1
    finals = np.empty((positions, k.FINALS))
    oldest = np.empty(positions, np.int64)
    room = len(trades) + len(before.lots[1])
    lots = _lots(np.zeros(positions + 1, np.int64), room)
    held = _held(np.zeros(positions + 1, np.int64), room + len(before.held[1]) if medians else 0)
    written = k.run(
        starts,
        trades.time,
        trades.is_sell,
        trades.quantity,
        trades.value,
        trades.is_unknown,
        trades.round_trip,
        before.lots,
        before.held,
        (before.sums, before.counts, finals, oldest),
        lots,
        held,
        matches,
        medians,
        keep_all,
        rules.win_threshold_usd,
        rules.dust_share,
    )
    # no business of the kernel's: they are in no figure
    given = np.maximum.reduceat(trades.decimals, starts[:-1])
    before.counts[:, k.DECIMALS] = np.maximum(before.counts[:, k.DECIMALS], given)
    lots = (lots[0], *(array[: lots[0][-1]] for array in lots[1:]))
    held = (held[0], *(array[: held[0][-1]] for array in held[1:]))
    return Outcome(Book(before.sums, before.counts, lots, held), finals, oldest), int(written)


NO_MATCHES: Arrays = (
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0),
    np.empty(0),
    np.empty(0, np.bool_),
)


def fifo_positions(
    batches: Iterable[pa.RecordBatch], *, medians: bool = True, rules: Rules = RULES
) -> Iterator[pa.RecordBatch]:
    """Turn sorted trades into one row per position.

    State is carried across batch borders, so any cut of the stream gives the same result.

    Args:
        batches: Batches of `TRADE_SCHEMA`, sorted; positions may straddle batches.
        medians: Also compute the median holding, which costs about half of the speed.
        rules: What counts as a win and as dust.

    Yields:
        Batches of `POSITION_SCHEMA`, in the order of the input.

    Raises:
        TradeInputError: A trade cannot be computed with or is out of order; names the row.
    """
    last: Trades | None = None
    carried: Outcome | None = None
    first_row = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        trades = read_trades(batch, first_row)
        first_row += batch.num_rows
        starts = position_starts(trades)
        goes_on = False
        if last is not None and carried is not None:
            check_follows(trades, last)
            goes_on = trades.key(0) == last.key(len(last) - 1)
            if not goes_on:
                yield _rows(last, np.array([len(last) - 1]), carried)
        before = _continued(len(starts) - 1, carried.book) if goes_on and carried else empty_book(len(starts) - 1)
        outcome, _ = run_batch(trades, starts, before, NO_MATCHES, medians=medians, keep_all=False, rules=rules)
        if len(starts) > 2:
            yield _rows(trades, starts[:-2], _slice(outcome, slice(0, -1)))
        last, carried = trades, _slice(outcome, slice(-1, None))
    if last is not None and carried is not None:
        yield _rows(last, np.array([len(last) - 1]), carried)


def _continued(positions: int, book: Book) -> Book:
    """Return the book of a batch whose first position is the one carried over."""
    made = empty_book(positions)
    made.sums[0], made.counts[0] = book.sums[-1], book.counts[-1]
    lot_offsets = np.full(positions + 1, len(book.lots[1]))
    held_offsets = np.full(positions + 1, len(book.held[1]))
    lot_offsets[0] = held_offsets[0] = 0
    return Book(made.sums, made.counts, (lot_offsets, *book.lots[1:]), (held_offsets, *book.held[1:]))


def _slice(outcome: Outcome, part: slice) -> Outcome:
    book = outcome.book
    return Outcome(
        Book(book.sums[part], book.counts[part], book.lots, book.held), outcome.finals[part], outcome.oldest[part]
    )


def _rows(trades: Trades, rows: NDArray[np.int64], outcome: Outcome) -> pa.RecordBatch:
    at = pa.array(rows)
    wallets, tokens = trades.wallet.take(at), trades.token.take(at)
    book = outcome.book
    return positions_batch(
        wallets.cast(pa.string()), tokens.cast(pa.string()), book.sums, book.counts, outcome.finals, outcome.oldest
    )


def fifo_table(trades: pa.Table, *, medians: bool = True, rules: Rules = RULES) -> pa.Table:
    """Return `fifo_positions` of a sorted table as one table."""
    return pa.Table.from_batches(fifo_positions(trades.to_batches(), medians=medians, rules=rules), POSITION_SCHEMA)


def fifo_matches(trades: pa.Table, rules: Rules = RULES) -> pa.Table:
    """Return which sell closed which lot, of a whole sorted table.

    Args:
        trades: Rows of `TRADE_SCHEMA`; whole positions, since a match may reach back to the first trade.
        rules: What counts as dust.

    Returns:
        Rows of `MATCH_SCHEMA` in the order of the sells; rows are counted from 0 in the input.

    Raises:
        TradeInputError: As `fifo_positions`.
    """
    read, starts = _read_whole(trades)
    if read is None:
        return MATCH_SCHEMA.empty_table()
    room = 2 * len(read)
    arrays: Arrays = tuple(np.empty(room, kind) for kind in (np.int64, np.int64, np.float64, np.float64, np.bool_))
    before = empty_book(len(starts) - 1)
    _, written = run_batch(read, starts, before, arrays, medians=False, keep_all=False, rules=rules)
    sell, buy, quantity, cost, known = (array[:written] for array in arrays)
    is_unmatched = buy == k.NO_LOT
    buys = pa.array(np.maximum(buy, 0), mask=is_unmatched)
    sells = pa.array(sell)
    proceeds = read.value[sell] * quantity / read.quantity[sell]
    hashes = read.tx_hash if read.tx_hash is not None else pa.nulls(len(read), pa.string())
    columns = [
        read.wallet.take(sells).cast(pa.string()),
        read.token.take(sells).cast(pa.string()),
        sells,
        pa.array(read.time[sell]),
        hashes.take(sells).cast(pa.string()),
        buys,
        pa.array(read.time[np.maximum(buy, 0)], mask=is_unmatched),
        hashes.take(buys).cast(pa.string()),
        pa.array(quantity),
        pa.array(cost, mask=~known),
        pa.array(proceeds, mask=np.isnan(proceeds)),
        pa.array(known),
    ]
    return pa.table(columns, schema=MATCH_SCHEMA)


def _read_whole(trades: pa.Table) -> tuple[Trades | None, NDArray[np.int64]]:
    batches = trades.combine_chunks().to_batches()
    if not trades.num_rows:
        return None, np.zeros(1, np.int64)
    if len(batches) > 1:
        raise ValueError("the trades do not fit into one Arrow batch; split them by wallet")
    read = read_trades(batches[0])
    return read, position_starts(read)


def fifo_open_lots(trades: pa.Table, rules: Rules = RULES) -> pa.Table:
    """Return the lots that are left open, of a whole sorted table.

    Args:
        trades: Rows of `TRADE_SCHEMA`; whole positions.
        rules: What counts as dust.

    Returns:
        Rows of `OPEN_LOT_SCHEMA`, the oldest lot of each position first; rows are counted from 0 in the input.

    Raises:
        TradeInputError: As `fifo_positions`.
    """
    read, starts = _read_whole(trades)
    if read is None:
        return OPEN_LOT_SCHEMA.empty_table()
    before = empty_book(len(starts) - 1)
    outcome, _ = run_batch(read, starts, before, NO_MATCHES, medians=False, keep_all=True, rules=rules)
    _, quantity, price, _, known, row = outcome.book.lots
    rows = pa.array(row)
    columns = [
        read.wallet.take(rows).cast(pa.string()),
        read.token.take(rows).cast(pa.string()),
        rows,
        pa.array(quantity),
        pa.array(price, mask=~known),
    ]
    return pa.table(columns, schema=OPEN_LOT_SCHEMA)
