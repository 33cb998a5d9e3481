"""FIFO on a distributed table: whole wallets per partition, sorted, then the engine once per batch.

Works on the DataFrame it is given and imports no Spark itself.
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


def positions_frame(trades: Any, rules: Rules = RULES) -> Any:
    """Return one row per position of a Spark DataFrame of trades in any order and partitioning.

    Args:
        trades: A DataFrame with the columns of `TRADE_SCHEMA`, optional ones or not; others are left out.
        rules: What counts as a win and as dust.

    Returns:
        A DataFrame with the columns of `POSITION_SCHEMA`.

    Raises:
        TradeInputError: A required column is missing.
    """
    missing = [name for name in REQUIRED if name not in trades.columns]
    if missing:
        raise TradeInputError(0, f"no column {', '.join(missing)}", f"expected {', '.join(REQUIRED)}")
    known = trades.select(*[name for name in TRADE_SCHEMA.names if name in trades.columns])
    order = [known[name] for name in ("wallet_address", "token_address", "block_unix_time")]
    if "block_number" in known.columns:
        order.append(known["block_number"].asc_nulls_last())
    # "buy" sorts before "sell"
    order.append(known["side"])
    if "tx_hash" in known.columns:
        order.append(known["tx_hash"])
    sorted_wallets = known.repartition("wallet_address").sortWithinPartitions(*order)
    # the transaction settles the order and is not looked at again; on the way to Python it would be half of the bytes
    sent = sorted_wallets.drop("tx_hash")
    return sent.mapInArrow(positions_of_partition(rules), POSITION_DDL)
