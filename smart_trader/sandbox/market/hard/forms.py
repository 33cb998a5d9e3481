"""Kernel: what plain Python does by a list's own methods and machine code by a loop.

These are the plain forms; `compiling` puts the other ones, of the same name there, in their place. Both do the same.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import heappop, heappush
from typing import Any

from smart_trader.sandbox.market.hard import loops
from smart_trader.sandbox.market.hard.state import FREE_PLACES, SLOTS, SPARE, WAITING, Market, Real


def slot_of(m: Market, wallet: int, asset: int) -> int:
    """Return where a wallet keeps a token; asset 0 finds a free slot; -1 if there is none."""
    begin = wallet * SLOTS
    own = m.wallets.asset[begin : begin + SLOTS]
    return begin + own.index(asset) if asset in own else -1


def first_reaching(sums: Real, chance: float) -> int:
    """Return the first place of running sums, which end in 1, that reaches a chance."""
    return bisect_left(sums, chance, 0, len(sums) - 1)


def put_key(m: Market, key: int) -> None:
    """Put a key into the queue's heap; launches do so between two steps, also into a compiled market's array."""
    heap = m.queue.heap
    if type(heap) is not list:
        loops.put_key(m, key)
        return
    heappush(heap, key)
    m.counters[WAITING] += 1


def take_key(m: Market) -> int:
    """Take the lowest key off the queue's heap."""
    m.counters[WAITING] -= 1
    return heappop(m.queue.heap)  # type: ignore[no-any-return]


def note_row(m: Market, line: tuple[Any, ...]) -> None:
    """Add a line to the swap rows."""
    m.rows.append(line)


def note_tick(m: Market, line: tuple[Any, ...]) -> None:
    """Add a line to the prices the crowd left."""
    m.ticks.append(line)


def note_passed(m: Market, line: tuple[Any, ...]) -> None:
    """Add a line to what changed hands without a swap."""
    m.passed.append(line)


def note_left(m: Market, line: tuple[Any, ...]) -> None:
    """Add a line to what wallets have forgotten."""
    m.left.append(line)


def has_room(m: Market) -> bool:
    """Whether what one occasion can write still fits into every table; lists have room for any line."""
    return m.counters[FREE_PLACES] > SPARE  # type: ignore[no-any-return]
