"""First-in-first-out profit and loss of sorted trades: pure functions over Arrow, without Spark or dbt.

`fifo_positions` turns a stream of trades into one row per position, `fifo_matches` shows which sell closed which lot,
`fifo_open_lots` what is left of which. The shapes are in `columns`, the rules in `kernel`.
"""

from smart_trader.fifo.columns import MATCH_SCHEMA, OPEN_LOT_SCHEMA, POSITION_SCHEMA, TRADE_SCHEMA
from smart_trader.fifo.engine import (
    RULES,
    Rules,
    fifo_matches,
    fifo_open_lots,
    fifo_positions,
    fifo_table,
)
from smart_trader.fifo.errors import TradeInputError

__all__ = [
    "MATCH_SCHEMA",
    "OPEN_LOT_SCHEMA",
    "POSITION_SCHEMA",
    "RULES",
    "TRADE_SCHEMA",
    "Rules",
    "TradeInputError",
    "fifo_matches",
    "fifo_open_lots",
    "fifo_positions",
    "fifo_table",
]
