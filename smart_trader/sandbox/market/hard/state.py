"""The containers the hard market lives in: flat, so that they can be lists for plain Python or arrays for numba.

Plain Python reads a list several times faster than an array, and small worlds run without numba.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

# what a wallet can hold at once besides money
SLOTS = 16
POOLS = 4
MONTHS = 6
# what the counters count: rows, transactions, the state of the dice, events waiting, ticks, transfers, left-overs, and
# the free places of the queue
ROWS, TRANSACTIONS, DICE, WAITING, TICKS, PASSED, LEFT, FREE_PLACES = range(8)
# lines of a table that one occasion or event can fill at most: a call and all who follow it
SPARE = 4096

Whole = Any
Real = Any
T = TypeVar("T")


class Pools(NamedTuple):
    """Constant-product pools; side a is the token. `drained` is when its owner last took the liquidity out."""

    a: Whole
    b: Whole
    reserve_a: Whole
    reserve_b: Whole
    venue: Whole
    drained: Whole


class Assets(NamedTuple):
    """What can be held: SOL, USDC, USDT, then the tokens by time of launch.

    `fair` is the price the crowd trades towards, `usd` the last one; `pools` holds four places each, the main one first
    and the one against another token last; `busy` is until when a crowd is at it; the last four count the step's swaps.
    """

    scale: Real
    usd: Real
    fair: Real
    dead: Whole
    busy: Whole
    pools: Whole
    bought: Real
    sold: Real
    buys: Whole
    sells: Whole


class Wallets(NamedTuple):
    """Traders. Slots and money are flat: wallet times width plus place.

    Attributes:
        kind: One of `kinds`.
        size: Usual USD of a trade.
        cover: Chance that an occasion is used as anybody would; of an honest wallet 1.
        degen: Chance that a purchase is of a new launch.
        haste: Chance that a purchase is sold again within minutes.
        twice: Chance that an order is sent twice at once.
        leave: Chance that an occasion with holdings is a sale.
        goal: Gain at which a position is sold.
        floor: The same for a loss.
        keep: Seconds a position is held at most.
        edge: Chance of a skilled purchase to be of what rises, beyond what anybody's would be.
        until: Unix time at which skill, or all trading of a retired wallet, ends.
        shift: Seconds by which the wallet's months begin earlier than the market's.
        months: Whether it is a losing one, `MONTHS` places a wallet.
        partner: The wallet it belongs with: pair, ring's next, leader, main; itself if none.
        bot: First wallet that copies this one; -1 for none.
        next_bot: The next one that copies the same; -1 for none.
        memory: State of a plan; of noise, whether it keeps to one token.
        chosen: Token of a plan.
        money: SOL, USDC, USDT.
        asset: Held token by slot; 0 is free.
        amount: By slot.
        cost: USD by slot.
        since: Unix time of the first purchase by slot.
    """

    kind: Whole
    size: Real
    cover: Real
    degen: Real
    haste: Real
    twice: Real
    leave: Real
    goal: Real
    floor: Real
    keep: Whole
    edge: Real
    until: Whole
    shift: Whole
    months: Whole
    partner: Whole
    bot: Whole
    next_bot: Whole
    memory: Whole
    chosen: Whole
    money: Whole
    asset: Whole
    amount: Whole
    cost: Real
    since: Whole


class Scene(NamedTuple):
    """What can be picked in a step.

    `hype` are running sums of the crowd's taste for `live`, ending in 1; `sound` are those of the rising that rise more
    often than others.
    """

    live: Whole
    hype: Real
    rising: Whole
    sound: Whole
    fresh: Whole
    thin: Whole
    several: Whole
    attackers: Whole
    followers: Whole


class Rows(NamedTuple):
    """Swap rows, column by column as in `market.state.Rows`."""

    time: Whole
    wallet: Whole
    pool: Whole
    sells_a: Whole
    amount_a: Whole
    amount_b: Whole
    tx: Whole
    outer: Whole
    inner: Whole
    reserve_a: Whole
    reserve_b: Whole
    price_a: Real
    price_b: Real
    nearest_a: Real


class Ticks(NamedTuple):
    """Prices the crowd's orders left, in order of time."""

    asset: Whole
    time: Whole
    usd: Real


class Passed(NamedTuple):
    """Tokens that changed hands without a swap; `giver` is -1 where they come from nowhere known."""

    time: Whole
    giver: Whole
    wallet: Whole
    asset: Whole
    amount: Whole


class Left(NamedTuple):
    """What a wallet holds and will never touch again; it needs its slot for something else."""

    wallet: Whole
    asset: Whole
    amount: Whole


class Queue(NamedTuple):
    """Events to come: `heap` orders time and place, the other columns say what is at a place."""

    heap: Whole
    free: Whole
    wallet: Whole
    order: Whole
    asset: Whole
    value: Real


class Market(NamedTuple):
    """Everything the kernel needs. `rules` are strength and genesis.

    The tables `rows`, `ticks`, `passed` and `left` are lists of lines for plain Python, columns for machine code.
    """

    pools: Pools
    assets: Assets
    wallets: Wallets
    scene: Scene
    rows: Any
    ticks: Any
    passed: Any
    left: Any
    queue: Queue
    counters: Whole
    rules: Real


REAL = {
    *("scale", "usd", "fair", "bought", "sold", "size", "cover", "degen", "haste", "twice"),
    *("leave", "goal", "floor", "edge", "cost"),
    *("hype", "price_a", "price_b", "nearest_a", "value", "rules"),
}  # fmt: skip


class Columns:
    """A table's twin for plain Python, which reads such an attribute several times faster than a tuple's field."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __init__(self, *columns: Any, **named: Any) -> None:
        for name, column in zip(self._fields, columns, strict=False):
            setattr(self, name, column)
        for name, column in named.items():
            setattr(self, name, column)

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, name) for name in self._fields)

    def _replace(self, **changed: Any) -> Columns:
        return type(self)(**dict(zip(self._fields, self, strict=True)) | changed)


def form_of(table: type[T], compiled: bool) -> type[T]:
    """Return a table's class in the form the kernel is in."""
    if compiled:
        return table
    return _twin(table.__name__, table._fields)  # type: ignore[attr-defined,no-any-return]


@cache
def _twin(name: str, fields: tuple[str, ...]) -> Any:
    return type(name, (Columns,), {"__slots__": fields, "_fields": fields})


def zeros(count: int, is_real: bool, compiled: bool) -> Any:
    """Return a container of zeros in the form the kernel is in."""
    if compiled:
        return np.zeros(count, np.float64 if is_real else np.int64)
    return [0.0 if is_real else 0] * count


def held_in(values: Any, compiled: bool) -> Any:
    """Return an array in the form the kernel is in."""
    return np.ascontiguousarray(values) if compiled else np.asarray(values).tolist()


def made(table: type[T], count: int, compiled: bool) -> T:
    """Return a table of zeros."""
    return form_of(table, compiled)(*(zeros(count, name in REAL, compiled) for name in table._fields))  # type: ignore[attr-defined]


def longer(table: T, count: int, **wider: int) -> T:
    """Return a table with so many more zeros behind each column, some columns times a width."""
    columns = []
    for name, column in zip(table._fields, table, strict=True):  # type: ignore[attr-defined,call-overload]
        more = zeros(count * wider.get(name, 1), name in REAL, isinstance(column, np.ndarray))
        columns.append(column + more if isinstance(column, list) else np.concatenate([column, more]))
    return type(table)(*columns)
