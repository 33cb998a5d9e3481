"""Compiles the kernel ahead, in every form that is used."""

from __future__ import annotations

import time

import pyarrow as pa

from smart_trader.fifo.columns import TRADE_SCHEMA
from smart_trader.fifo.engine import fifo_matches, fifo_open_lots, fifo_table


def compile_kernel() -> float:
    """Run one trade through each form; returns the seconds it took, which are few when it was compiled before."""
    begun = time.monotonic()
    row = {"wallet_address": "w", "token_address": "t", "block_unix_time": 0, "side": "buy", "quantity": 1.0}
    trades = pa.Table.from_pylist([row], schema=TRADE_SCHEMA)
    for medians in (True, False):
        fifo_table(trades, medians=medians)
    fifo_matches(trades)
    fifo_open_lots(trades)
    return time.monotonic() - begun
