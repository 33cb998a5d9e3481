"""FIFO on a table: whole wallets per partition, sorted, then the engine once per batch.

Works on the session and the frame it is given and imports no Spark itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from smart_trader.fifo.columns import POSITION_SCHEMA, REQUIRED, TRADE_SCHEMA
from smart_trader.fifo.engine import RULES, Rules, fifo_positions
from smart_trader.fifo.errors import TradeInputError

_SPARK_TYPES = {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean"}

#: The output as Spark writes a schema.
POSITION_DDL = ", ".join(f"{field.name} {_SPARK_TYPES[field.type]}" for field in POSITION_SCHEMA)


def positions_of_partition(rules: Rules) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return what Spark's workers run: one partition's trades to its positions."""

    def positions(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from fifo_positions(batches, rules=rules)

    return positions


def positions_frame(session: Any, trades: Any, rules: Rules = RULES) -> Any:
    """Return one row per position of a frame of trades in any order and partitioning.

    It needs of the engine no more than `session.sql(text, name=frame)` and `frame.mapInArrow`.

    Args:
        session: A Spark session, or the embedded engine's.
        trades: A frame of it with the columns of `TRADE_SCHEMA`, optional ones or not; others are left out.
        rules: What counts as a win and as dust.

    Returns:
        A frame with the columns of `POSITION_SCHEMA`.

    Raises:
        TradeInputError: A required column is missing.
    """
    columns = list(trades.columns)
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise TradeInputError(0, f"no column {', '.join(missing)}", f"expected {', '.join(REQUIRED)}")
    # the transaction settles the order and is not looked at again; on the way to Python it would be half of the bytes
    sent = ", ".join(name for name in TRADE_SCHEMA.names if name in columns and name != "tx_hash")
    order = ["wallet_address", "token_address", "block_unix_time"]
    if "block_number" in columns:
        order.append("block_number asc nulls last")
    # "buy" sorts before "sell"
    order.append("side")
    if "tx_hash" in columns:
        order.append("tx_hash")
    sorted_wallets = session.sql(
        f"select {sent} from {{trades}} distribute by wallet_address sort by {', '.join(order)}",  # noqa: S608
        trades=trades,
    )
    return sorted_wallets.mapInArrow(positions_of_partition(rules), POSITION_DDL)
