"""Reads trades from Arrow into plain arrays, and refuses what cannot be computed with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from smart_trader.fifo.columns import REQUIRED, TRADE_SCHEMA
from smart_trader.fifo.errors import TradeInputError
from smart_trader.fifo.kernel import NO_DECIMALS

LAST_BLOCK = np.iinfo(np.int64).max
SORT_FIX = "sort by wallet, token, time, block (nulls last), buys before sells, transaction"


@dataclass(frozen=True, slots=True)
class Trades:
    """One batch of trades as arrays of equal length.

    Attributes:
        first_row: Position of the first trade in the whole input.
        time: int64, seconds.
        block: int64; a missing block sorts last.
        quantity: float64, base units.
        value: float64, USD; NaN where the price is missing.
        round_trip: float64, USD; NaN where the transaction was on one side only.
        decimals: int64; `NO_DECIMALS` where the trade gives none.
    """

    first_row: int
    wallet: pa.Array
    token: pa.Array
    time: NDArray[np.int64]
    block: NDArray[np.int64]
    is_sell: NDArray[np.bool_]
    quantity: NDArray[np.float64]
    value: NDArray[np.float64]
    is_unknown: NDArray[np.bool_]
    round_trip: NDArray[np.float64]
    decimals: NDArray[np.int64]
    tx_hash: pa.Array | None

    def __len__(self) -> int:
        return len(self.time)

    def key(self, row: int) -> tuple[str, str]:
        """Return the wallet and token of a row."""
        return self.wallet[row].as_py(), self.token[row].as_py()


def read_trades(batch: pa.RecordBatch, first_row: int = 0) -> Trades:
    """Take a batch of `TRADE_SCHEMA` apart.

    Raises:
        TradeInputError: A column is missing, or a value is null, not finite, negative or no side; names the row.
    """
    missing = [name for name in REQUIRED if name not in batch.schema.names]
    if missing:
        raise TradeInputError(first_row, f"no column {', '.join(missing)}", f"expected {', '.join(REQUIRED)}")
    columns = {name: _column(batch, name) for name in TRADE_SCHEMA.names if name in batch.schema.names}
    for name in ("wallet_address", "token_address", "block_unix_time", "side", "quantity"):
        if columns[name].null_count:
            row = int(pc.index(pc.is_null(columns[name]), True).as_py())
            raise TradeInputError(first_row + row, f"{name} is null", "every trade needs one")
    size = batch.num_rows
    blocks = columns.get("block_number")
    unknown = columns.get("is_basis_unknown")
    round_trips = columns.get("round_trip_usd")
    decimals = columns.get("decimals")
    return Trades(
        first_row,
        columns["wallet_address"],
        columns["token_address"],
        _integers(columns["block_unix_time"], 0),
        np.full(size, LAST_BLOCK) if blocks is None else _integers(blocks, LAST_BLOCK),
        _is_sell(columns["side"], first_row),
        _amounts(columns["quantity"], "quantity", first_row),
        _amounts(columns["value_usd"], "value_usd", first_row),
        np.zeros(size, bool) if unknown is None else pc.fill_null(unknown, False).to_numpy(zero_copy_only=False),
        np.full(size, np.nan)
        if round_trips is None
        else pc.fill_null(round_trips, np.nan).to_numpy(zero_copy_only=False),
        np.full(size, NO_DECIMALS) if decimals is None else _integers(decimals, NO_DECIMALS),
        columns.get("tx_hash"),
    )


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    array = batch.column(name)
    wanted = TRADE_SCHEMA.field(name).type
    if pa.types.is_dictionary(array.type) or array.type == wanted or pa.types.is_string(wanted):
        return array
    if pa.types.is_timestamp(array.type):
        return pc.cast(pc.cast(array, pa.timestamp("s", array.type.tz), safe=False), pa.int64())
    return pc.cast(array, wanted)


def _integers(array: pa.Array, missing: int) -> NDArray[np.int64]:
    filled = pc.fill_null(array, missing) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.int64)


def _is_sell(side: pa.Array, first_row: int) -> NDArray[np.bool_]:
    is_sell = pc.equal(side, "sell").to_numpy(zero_copy_only=False)
    known = is_sell | pc.equal(side, "buy").to_numpy(zero_copy_only=False)
    if not known.all():
        row = int(np.argmin(known))
        raise TradeInputError(first_row + row, f"unknown side {side[row].as_py()!r}", "a side is buy or sell")
    return np.asarray(is_sell, bool)


def _amounts(array: pa.Array, name: str, first_row: int) -> NDArray[np.float64]:
    values = np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    bad = ~((values >= 0.0) & (values < np.inf))
    if array.null_count:
        bad &= ~pc.is_null(array).to_numpy(zero_copy_only=False)
    if bad.any():
        row = int(np.argmax(bad))
        raise TradeInputError(
            first_row + row,
            f"{name} is {values[row]!r}",
            "amounts are finite and not negative; a missing price is null",
        )
    return values


def position_starts(trades: Trades) -> NDArray[np.int64]:
    """Return the first row of each position, checking that the batch is sorted.

    Raises:
        TradeInputError: A trade stands before one that it should follow; names it.
    """
    size = len(trades)
    changes = _changes(trades.wallet) | _changes(trades.token)
    borders = np.flatnonzero(changes) + 1
    _check_keys(trades, borders)
    step = np.diff(trades.time)
    late = (step < 0) & ~changes
    if late.any():
        refuse_order(trades, int(np.argmax(late)) + 1)
    _check_ties(trades, np.flatnonzero((step == 0) & ~changes) + 1)
    return np.concatenate([[0], borders, [size]]).astype(np.int64)


def check_follows(trades: Trades, before: Trades) -> None:
    """Check that a batch goes on where the one before it ended.

    Raises:
        TradeInputError: Its first trade should stand before the last one of the batch before.
    """
    if trades.key(0) != before.key(len(before) - 1):
        if trades.key(0) < before.key(len(before) - 1):
            refuse_order(trades, 0)
        return
    if _order(trades, 0) < _order(before, len(before) - 1):
        refuse_order(trades, 0)


def refuse_order(trades: Trades, row: int) -> None:
    """Refuse a trade that stands too late.

    Raises:
        TradeInputError: Always.
    """
    wallet, token = trades.key(row)
    raise TradeInputError(
        trades.first_row + row, f"not in order (wallet {wallet}, token {token}, time {trades.time[row]})", SORT_FIX
    )


def _order(trades: Trades, row: int) -> tuple[int, int, bool, str]:
    tx_hash = trades.tx_hash[row].as_py() if trades.tx_hash is not None else None
    return int(trades.time[row]), int(trades.block[row]), bool(trades.is_sell[row]), tx_hash or ""


def _changes(keys: pa.Array) -> NDArray[np.bool_]:
    """Return for each row but the first whether its key differs from the one before."""
    if pa.types.is_dictionary(keys.type):
        indices = keys.indices.to_numpy(zero_copy_only=False)
        return np.asarray(indices[1:] != indices[:-1])
    return np.asarray(pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False), bool)


def _check_keys(trades: Trades, borders: NDArray[np.int64]) -> None:
    """Keys must grow at every border; equal ones would be one position in two places."""
    if not len(borders):
        return
    wallets = [_plain(trades.wallet.take(pa.array(borders - back))) for back in (1, 0)]
    tokens = [_plain(trades.token.take(pa.array(borders - back))) for back in (1, 0)]
    grows = pc.or_(
        pc.less(wallets[0], wallets[1]), pc.and_(pc.equal(wallets[0], wallets[1]), pc.less(tokens[0], tokens[1]))
    )
    if not pc.all(grows).as_py():
        refuse_order(trades, int(borders[pc.index(grows, False).as_py()]))


def _plain(keys: pa.Array) -> pa.Array:
    return keys.dictionary_decode() if pa.types.is_dictionary(keys.type) else keys


def _check_ties(trades: Trades, rows: NDArray[np.int64]) -> None:
    """Trades of one second stand by block, buys before sells, transaction."""
    for values in (trades.block, trades.is_sell):
        before, after = values[rows - 1], values[rows]
        wrong = before > after
        if wrong.any():
            refuse_order(trades, int(rows[np.argmax(wrong)]))
        rows = rows[before == after]
    if trades.tx_hash is None or not len(rows):
        return
    before, after = (_plain(trades.tx_hash.take(pa.array(rows - back))) for back in (1, 0))
    wrong = pc.fill_null(pc.greater(before, after), False)
    if pc.any(wrong).as_py():
        refuse_order(trades, int(rows[pc.index(wrong, True).as_py()]))
