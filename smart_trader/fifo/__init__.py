"""First-in-first-out profit and loss of sorted trades: pure functions over Arrow, without Spark or dbt.

`fifo_positions` turns a stream of trades into one row per position, `fifo_matches` tells which sell closed which lot,
`fifo_continue` goes on from an earlier run's open lots. The shapes are in `columns`, the rules in `kernel`.
"""

from smart_trader.fifo.columns import MATCH_SCHEMA, POSITION_SCHEMA, TRADE_SCHEMA
from smart_trader.fifo.engine import (
    NO_STATE,
    RULES,
    FifoState,
    Rules,
    fifo_continue,
    fifo_matches,
    fifo_positions,
    fifo_table,
)
from smart_trader.fifo.errors import TradeInputError

__all__ = [
    "MATCH_SCHEMA",
    "NO_STATE",
    "POSITION_SCHEMA",
    "RULES",
    "TRADE_SCHEMA",
    "FifoState",
    "Rules",
    "TradeInputError",
    "fifo_continue",
    "fifo_matches",
    "fifo_positions",
    "fifo_table",
]
