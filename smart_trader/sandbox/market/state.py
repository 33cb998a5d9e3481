"""The arrays the market lives in; the kernel reads and writes them, compiled or not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SLOTS = 32
POOLS = 4
BRIDGE = 3
NARROW: dict[str, type[np.signedinteger[Any]]] = {
    "wallet": np.int32, "pool": np.int32, "tx": np.int32, "sells_a": np.int8, "outer": np.int8, "inner": np.int8,
}  # fmt: skip


class Pools(NamedTuple):
    """Constant-product pools, one entry each; side a is the token, side b what it is quoted in."""

    a: Ints
    b: Ints
    reserve_a: Ints
    reserve_b: Ints
    venue: Ints


class Assets(NamedTuple):
    """What can be held, one entry each: SOL, USDC, USDT, then the tokens in order of launch.

    `pools` holds each token's pools, the main one first and in the last place the one against another token; the
    counters are of the running step.
    """

    scale: Floats
    usd: Floats
    phase: Ints
    ends: Ints
    pools: Ints
    bought: Floats
    sold: Floats
    buys: Ints
    sells: Ints


class Wallets(NamedTuple):
    """Traders, one entry each. `slots` lists the tokens a wallet holds; `memory` and `chosen` are its plan's state."""

    kind: Ints
    size: Floats
    goal: Floats
    partner: Ints
    balance: Ints
    cost: Floats
    slots: Ints
    memory: Ints
    chosen: Ints


class Scene(NamedTuple):
    """What can be bought in a step; `hype` are the running sums by which the crowd's taste is drawn."""

    live: Ints
    hype: Floats
    pumping: Ints
    falling: Ints


class Intents(NamedTuple):
    """Times at which wallets act, in time order. `order` is FREE, BUY or SELL of `asset`."""

    time: Ints
    wallet: Ints
    order: Ints
    asset: Ints
    chance: Floats


class Rows(NamedTuple):
    """Swap rows: one per pool leg. `inner` is -1 for null; reserves are those after the swap.

    The last known price of side b is always its price, so it has no column.
    """

    time: Ints
    wallet: Ints
    pool: Ints
    sells_a: Ints
    amount_a: Ints
    amount_b: Ints
    tx: Ints
    outer: Ints
    inner: Ints
    reserve_a: Ints
    reserve_b: Ints
    price_a: Floats
    price_b: Floats
    nearest_a: Floats


class Market(NamedTuple):
    """Everything the kernel needs; `counters` are the rows written in this step and the transactions so far."""

    pools: Pools
    assets: Assets
    wallets: Wallets
    scene: Scene
    rows: Rows
    counters: Ints


class Transfer(NamedTuple):
    """Tokens that came without a swap: airdrops, deposits."""

    time: int
    wallet: int
    asset: int
    amount: int


class Scheduled(NamedTuple):
    """What a wallet is bound to do at one time, whatever its mood."""

    time: int
    wallet: int
    order: int
    asset: int


def empty_rows(size: int) -> Rows:
    """Return room for some rows."""
    columns: list[Any] = [np.zeros(size, np.int64) for _ in Rows._fields[:11]]
    columns += [np.zeros(size) for _ in Rows._fields[11:]]
    return Rows(*columns)


def compact(rows: Rows, count: int) -> Rows:
    """Return a copy of the first rows in as few bytes as they need."""
    narrow: list[Any] = [
        column[:count].astype(NARROW.get(name, column.dtype)) for name, column in zip(Rows._fields, rows, strict=True)
    ]
    return Rows(*narrow)


def grown(table: Any, width: int, axis: int = 0) -> Any:
    """Return a copy of an array that is at least so long; what is new is zero."""
    missing = width - table.shape[axis]
    if missing <= 0:
        return table
    shape = [(0, 0)] * table.ndim
    shape[axis] = (0, missing)
    return np.pad(table, shape)
