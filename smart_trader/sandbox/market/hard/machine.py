"""The kernel and the containers it works on, as plain Python with lists or as machine code with arrays."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from typing import Any

import numpy as np

from smart_trader.sandbox.market.hard import running
from smart_trader.sandbox.market.hard.compiling import FEWEST_COMPILED, Run, compiled_run
from smart_trader.sandbox.market.hard.state import (
    FREE_PLACES,
    POOLS,
    SPARE,
    Assets,
    Left,
    Market,
    Passed,
    Pools,
    Queue,
    Rows,
    Scene,
    Ticks,
    Wallets,
    form_of,
    held_in,
    longer,
    made,
    zeros,
)  # fmt: skip
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.market.state import Floats, Ints

TABLE = 1 << 15


class Places:
    """Places of a column, prepared to be read and written many times.

    Args:
        numbers: The places.
        compiled: Whether columns are arrays.
    """

    def __init__(self, numbers: Ints, compiled: bool) -> None:
        self.numbers, self.compiled = numbers, compiled
        self._list: list[int] = [] if compiled else numbers.tolist()
        # of one place alone it would not give a tuple
        self._getter = itemgetter(*self._list) if len(self._list) > 1 else None

    def reals(self, column: Any) -> Floats:
        """Return what a column of real numbers holds at the places."""
        found: Floats = column[self.numbers] if self.compiled else self._taken(column, np.float64)
        return found

    def wholes(self, column: Any) -> Ints:
        """Return what a column of whole numbers holds at the places."""
        found: Ints = column[self.numbers] if self.compiled else self._taken(column, np.int64)
        return found

    def _taken(self, column: list[Any], number: type[Any]) -> Any:
        values = self._getter(column) if self._getter else [column[place] for place in self._list]
        return np.fromiter(values, number, len(self._list))

    def put(self, column: Any, values: Any) -> None:
        """Write an array to the places of a column."""
        if self.compiled:
            column[self.numbers] = values
        else:
            deque(map(column.__setitem__, self._list, values.tolist()), maxlen=0)


class Machine:
    """Runs the kernel, and gives it room.

    Args:
        spec: The world's.
        wallets: Who trades, as the kernel knows them.
        compiled: Whether the kernel is machine code.
    """

    def __init__(self, spec: WorldSpec, wallets: Wallets, compiled: bool) -> None:
        self.compiled = compiled
        self._run: Run = compiled_run() if compiled else running.run
        self.pool_count = 0
        queue = made(Queue, TABLE, compiled)
        queue = queue._replace(free=held_in(np.arange(TABLE, dtype=np.int64), compiled))
        if not compiled:
            queue = queue._replace(heap=[])
        counters = zeros(8, False, compiled)
        counters[FREE_PLACES] = TABLE
        rows, ticks, passed, left = (_table(columns, compiled) for columns in (Rows, Ticks, Passed, Left))
        self.market = form_of(Market, compiled)(
            made(Pools, 0, compiled),
            made(Assets, 0, compiled),
            wallets,
            made(Scene, 0, compiled),
            rows,
            ticks,
            passed,
            left,
            queue,
            counters,
            held_in(np.array([spec.strength, float(spec.genesis)]), compiled),
        )
        # each token's pools as in the kernel; of launches under way the kernel may know better
        self._table = np.zeros((0, POOLS), np.int64)

    def open_pool(self, asset: int, place: int, against: int, venue: int, liquidity: float) -> int:
        """Open a pool with so much USD in it, as one of a token's own unless the place is -1."""
        pool = self.pool_count
        if pool >= len(self.market.pools.a):
            self.market = self.market._replace(pools=longer(self.market.pools, 256))
        pools, assets = self.market.pools, self.market.assets
        pools.a[pool], pools.b[pool], pools.venue[pool] = asset, against, venue
        for side, reserve in ((asset, pools.reserve_a), (against, pools.reserve_b)):
            reserve[pool] = int(liquidity / 2 / assets.usd[side] * assets.scale[side])
        if place >= 0:
            assets.pools[asset * POOLS + place] = pool
            self._table[asset, place] = pool
        self.pool_count += 1
        return pool

    def make_room(self, asset: int) -> None:
        """Widen the columns so that a token fits."""
        if asset < len(self.market.assets.usd):
            return
        more = 256
        assets = longer(self.market.assets, more, pools=POOLS)
        for place in range(len(assets.pools) - more * POOLS, len(assets.pools)):
            assets.pools[place] = -1
        self._table = np.concatenate([self._table, np.full((more, POOLS), -1)])
        self.market = self.market._replace(assets=assets)

    def pools_of(self, assets: Ints) -> tuple[Ints, Ints]:
        """Return the pools of some assets, and to which of them each belongs."""
        table = self._table[assets]
        every, place = np.nonzero(table >= 0)
        return table[every, place], every

    def pool_at(self, assets: Ints, place: int) -> Ints:
        """Return the pool at one place of each asset; -1 for none."""
        return np.asarray(self._table[assets, place], np.int64)

    def has_moved(self, assets: Ints) -> bool:
        """Whether a main pool of some assets is another one than was known; it is known then."""
        own, moved = self.market.assets.pools, False
        for asset in assets.tolist():
            pool = own[asset * POOLS]
            if self._table[asset, 0] != pool:
                self._table[asset, 0], moved = pool, True
        return moved

    def carry_out(self, times: Any, wallets: Any, end: int, flush: Any) -> None:
        """Let wallets act, and events happen, until the end of a step.

        Args:
            times: Unix times of the wallets' occasions, in order.
            wallets: Who acts.
            end: Unix time of the step's end.
            flush: Called with the market when a table is full, to empty it.
        """
        number = 0
        while number <= len(times):
            number = self._run(self.market, times, wallets, number, end)
            if number <= len(times):
                flush(self.market)
                if self.market.counters[FREE_PLACES] <= SPARE:
                    self._widen_queue()

    def _widen_queue(self) -> None:
        """Give the queue twice the places."""
        size = len(self.market.queue.free)
        # a list is as long as there are events
        queue = longer(self.market.queue, size, heap=1 if self.compiled else 0)
        free = self.market.counters[FREE_PLACES]
        for place in range(size):
            queue.free[free + place] = size + place
        self.market.counters[FREE_PLACES] = free + size
        self.market = self.market._replace(queue=queue)


def compiled_for(wallets: int) -> bool:
    """Whether machine code is the faster form for so many wallets; both give the same bits."""
    return wallets >= FEWEST_COMPILED


def _table(columns: type[Any], compiled: bool) -> Any:
    """Return an empty table of lines."""
    return made(columns, TABLE, True) if compiled else []
