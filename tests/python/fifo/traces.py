"""Random trades for the FIFO tests, as hypothesis strategies and as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from smart_trader.fifo import TRADE_SCHEMA

from .reference import Trade

# Whole base units; the small and the large meet in one trace, so that dust and its limit occur. Sums stay below 2**53,
# where float64 counts single units: beyond it one unit beside 10**18 is lost on the way in, before any rule sees it.
QUANTITIES = st.one_of(
    st.integers(1, 20),
    st.integers(0, 10**6),
    st.integers(1, 10**14),
    st.sampled_from([0, 1, 10**9, 10**10 + 1, 10**14]),
)
VALUES = st.one_of(
    st.none(), st.decimals(0, 10**6, places=6), st.sampled_from([Decimal(0), Decimal(1), Decimal("1.000001")])
)


@st.composite
def traces(draw: st.DrawFn, max_size: int = 30, quantities: st.SearchStrategy[int] = QUANTITIES) -> list[Trade]:
    """Sorted trades of one position: ties, zero quantities, dust, sells before buys, missing prices."""
    size = draw(st.integers(1, max_size))
    # a power of two keeps every digit, and reaches 10**18
    unit = draw(st.sampled_from([1, 1, 2**13]))
    trades = [
        Trade(
            time=draw(st.integers(0, 40)) * 900,
            side=draw(st.sampled_from(["buy", "sell"])),
            quantity=draw(quantities) * unit,
            value=draw(VALUES),
            is_unknown=draw(st.integers(0, 9)) == 0,
            round_trip=draw(st.sampled_from([None, None, Decimal(0), Decimal("0.25")])),
        )
        for _ in range(size)
    ]
    return sorted(trades, key=lambda trade: (trade.time, trade.side == "sell"))


def table(*positions: Sequence[Trade]) -> pa.Table:
    """Return positions as one sorted table, wallet after wallet."""
    rows = [
        {
            "wallet_address": f"wallet{number:06d}",
            "token_address": "token",
            "block_unix_time": trade.time,
            "side": trade.side,
            "quantity": float(trade.quantity),
            "value_usd": None if trade.value is None else float(trade.value),
            "block_number": None,
            "tx_hash": None,
            "is_basis_unknown": trade.is_unknown,
            "round_trip_usd": None if trade.round_trip is None else float(trade.round_trip),
        }
        for number, trades in enumerate(positions)
        for trade in trades
    ]
    return pa.Table.from_pylist(rows, schema=TRADE_SCHEMA)


def seeded_table(rows: int, positions: int, seed: int = 7, ties: int = 2000) -> pa.Table:
    """Return many sorted trades, drawn from a seed; `ties` seconds hold them all, so that many share one."""
    draw = np.random.default_rng(seed)
    position, time = draw.integers(0, positions, rows), draw.integers(0, ties, rows)
    is_sell = draw.random(rows) < 0.48
    transaction = draw.permutation(rows)
    order = np.lexsort((transaction, is_sell, time, position))
    value = np.where(draw.random(rows) < 0.02, np.nan, draw.random(rows) * 500)
    return pa.table(
        {
            "wallet_address": pa.array([f"wallet{number // 4:07d}" for number in position[order]]),
            "token_address": pa.array([f"token{number % 4}" for number in position[order]]),
            "block_unix_time": time[order],
            "side": pa.array(np.where(is_sell[order], "sell", "buy")),
            "quantity": np.rint(draw.random(rows) * 1e9),
            "value_usd": pa.array(value, mask=np.isnan(value)),
            "tx_hash": pa.array([f"tx{number:08d}" for number in transaction[order]]),
            "is_basis_unknown": draw.random(rows) < 0.03,
        }
    )
