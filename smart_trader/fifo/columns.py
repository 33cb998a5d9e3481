"""The shapes that go into the FIFO engine and come out of it: quantities in base units, money in USD, times in s."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from smart_trader.fifo import kernel as k

REQUIRED = ("wallet_address", "token_address", "block_unix_time", "side", "quantity", "value_usd")

#: One row per trade, sorted by wallet, token, time, block (nulls last), buys before sells, transaction. The columns
#: after `value_usd` may be left out: no block, no transaction, known basis, nothing passed through, no decimals.
#: `round_trip_usd` is null where a transaction did not both buy and sell the token; where it did, 0 is one too.
#: `decimals` take part in no figure: they pass through to the position.
TRADE_SCHEMA = pa.schema(
    [
        pa.field("wallet_address", pa.string(), nullable=False),
        pa.field("token_address", pa.string(), nullable=False),
        pa.field("block_unix_time", pa.int64(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("quantity", pa.float64(), nullable=False),
        pa.field("value_usd", pa.float64()),
        pa.field("block_number", pa.int64()),
        pa.field("tx_hash", pa.string()),
        pa.field("is_basis_unknown", pa.bool_()),
        pa.field("round_trip_usd", pa.float64()),
        pa.field("decimals", pa.int64()),
    ]
)

_COUNTS = {
    "buy_count": k.BUYS,
    "sell_count": k.SELLS,
    "matched_sell_count": k.SELLS_WITH_BASIS,
    "win_count": k.WINS,
    "loss_count": k.LOSSES,
    "neutral_count": k.NEUTRAL_SELLS,
    "unpriced_buy_count": k.UNPRICED_BUYS,
    "unpriced_sell_count": k.UNPRICED_SELLS,
    "unknown_basis_lot_count": k.UNKNOWN_LOTS,
    "round_trip_count": k.ROUND_TRIPS,
}
_SUMS = {
    "bought_quantity": k.BOUGHT_QUANTITY,
    "sold_quantity": k.SOLD_QUANTITY,
    "matched_quantity": k.MATCHED_QUANTITY,
    "unknown_basis_quantity": k.UNKNOWN_QUANTITY,
    "short_quantity": k.UNMATCHED_QUANTITY,
    "bought_usd": k.BOUGHT_USD,
    "sold_usd": k.SOLD_USD,
    "matched_proceeds_usd": k.MATCHED_PROCEEDS,
    "unmatched_proceeds_usd": k.UNMATCHED_PROCEEDS,
    "cost_of_sold_usd": k.COST_OF_SOLD,
    "realized_pnl_usd": k.REALIZED,
    "gross_profit_usd": k.GROSS_PROFIT,
    "gross_loss_usd": k.GROSS_LOSS,
    "unpriced_disposal_cost_usd": k.UNPRICED_DISPOSAL_COST,
    "round_trip_usd": k.ROUND_TRIP_USD,
    "held_cost_hours": k.HELD_COST_HOURS,
}
_TIMES = {"first_trade_time": k.FIRST_TIME, "last_trade_time": k.LAST_TIME, "last_priced_time": k.LAST_PRICED_TIME}
_DERIVED = (
    "avg_holding_hours",
    "avg_quantity_holding_hours",
    "median_holding_hours",
    "open_quantity",
    "open_cost_usd",
    "open_unknown_quantity",
    "last_price_usd",
)

#: One row per position. `avg_holding_hours` is weighted by cost, `avg_quantity_holding_hours` and
#: `median_holding_hours` by quantity; these are null where there is nothing to divide by. `decimals` is the largest of
#: the trades, null where none gives any.
POSITION_SCHEMA = pa.schema(
    [
        pa.field("wallet_address", pa.string(), nullable=False),
        pa.field("token_address", pa.string(), nullable=False),
        pa.field("trade_count", pa.int64()),
        *(pa.field(name, pa.int64()) for name in _COUNTS),
        *(pa.field(name, pa.float64()) for name in _SUMS),
        *(pa.field(name, pa.float64()) for name in _DERIVED),
        *(pa.field(name, pa.int64()) for name in _TIMES),
        pa.field("oldest_open_lot_time", pa.int64()),
        pa.field("decimals", pa.int64()),
    ]
)

#: One row per match: which sell closed which lot. A row without a buy is the part of a sell beyond the open lots.
MATCH_SCHEMA = pa.schema(
    [
        pa.field("wallet_address", pa.string(), nullable=False),
        pa.field("token_address", pa.string(), nullable=False),
        pa.field("sell_row", pa.int64(), nullable=False),
        pa.field("sell_time", pa.int64(), nullable=False),
        pa.field("sell_tx_hash", pa.string()),
        pa.field("buy_row", pa.int64()),
        pa.field("buy_time", pa.int64()),
        pa.field("buy_tx_hash", pa.string()),
        pa.field("quantity", pa.float64(), nullable=False),
        pa.field("cost_usd", pa.float64()),
        pa.field("proceeds_usd", pa.float64()),
        pa.field("is_basis_known", pa.bool_(), nullable=False),
    ]
)

#: One row per lot that is left open: the trade that bought it, what is left of it, and its cost per base unit.
OPEN_LOT_SCHEMA = pa.schema(
    [
        pa.field("wallet_address", pa.string(), nullable=False),
        pa.field("token_address", pa.string(), nullable=False),
        pa.field("buy_row", pa.int64(), nullable=False),
        pa.field("quantity", pa.float64(), nullable=False),
        pa.field("unit_cost_usd", pa.float64()),
    ]
)


def positions_batch(
    wallets: pa.Array,
    tokens: pa.Array,
    sums: NDArray[Any],
    counts: NDArray[Any],
    finals: NDArray[Any],
    oldest: NDArray[Any],
) -> pa.RecordBatch:
    """Build the output of some positions from the kernel's arrays."""
    columns: dict[str, Any] = {
        "wallet_address": wallets,
        "token_address": tokens,
        "trade_count": counts[:, k.BUYS] + counts[:, k.SELLS],
        **{name: counts[:, index] for name, index in _COUNTS.items()},
        **{name: sums[:, index] for name, index in _SUMS.items()},
        "avg_holding_hours": _ratio(sums[:, k.HELD_COST_HOURS], sums[:, k.COST_OF_SOLD]),
        "avg_quantity_holding_hours": _ratio(sums[:, k.HELD_QUANTITY_HOURS], sums[:, k.HELD_QUANTITY]),
        "median_holding_hours": _nullable(finals[:, k.MEDIAN_HOURS], np.isnan(finals[:, k.MEDIAN_HOURS])),
        "open_quantity": finals[:, k.OPEN_QUANTITY],
        "open_cost_usd": finals[:, k.OPEN_COST],
        "open_unknown_quantity": finals[:, k.OPEN_UNKNOWN_QUANTITY],
        "last_price_usd": _nullable(sums[:, k.LAST_PRICE], counts[:, k.LAST_PRICED_TIME] == k.NO_TIME),
        **{name: _time(counts[:, index]) for name, index in _TIMES.items()},
        "oldest_open_lot_time": _time(oldest),
        "decimals": _nullable(counts[:, k.DECIMALS], counts[:, k.DECIMALS] == k.NO_DECIMALS),
    }
    return pa.record_batch([pa.array(columns[name]) for name in POSITION_SCHEMA.names], schema=POSITION_SCHEMA)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> pa.Array:
    empty = whole <= 0.0
    return _nullable(part / np.where(empty, 1.0, whole), empty)


def _time(values: NDArray[Any]) -> pa.Array:
    return _nullable(values, values == k.NO_TIME)


def _nullable(values: NDArray[Any], is_null: NDArray[Any]) -> pa.Array:
    return pa.array(values, mask=is_null)
