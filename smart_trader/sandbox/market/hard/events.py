"""Kernel: dice, and the queue of what is to happen.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.forms import put_key, take_key
from smart_trader.sandbox.market.hard.state import DICE, FREE_PLACES, Market

PLACES = 1 << 21


def draw(m: Market) -> float:
    """Return a number from 0 up to 1; the same in every form of the kernel."""
    counters = m.counters
    state = counters[DICE] = counters[DICE] * 48271 % 2147483647
    return state / 2147483647.0  # type: ignore[no-any-return]


def below(m: Market, count: int) -> int:
    """Return a whole number from 0 up to a count."""
    return int(draw(m) * count)


def push(m: Market, time: int, wallet: int, order: int, asset: int, value: float) -> None:
    """Let something happen at a time: `order` of `kinds`, by a wallet or by the crowd (-1)."""
    queue = m.queue
    free = m.counters[FREE_PLACES] - 1
    m.counters[FREE_PLACES] = free
    place = queue.free[free]
    queue.wallet[place], queue.order[place], queue.asset[place], queue.value[place] = wallet, order, asset, value
    put_key(m, time * PLACES + place)


def pop(m: Market) -> int:
    """Take the next event off the queue and return its place, whose content stays until the next push."""
    place = int(take_key(m) % PLACES)
    free = m.counters[FREE_PLACES]
    m.queue.free[free] = place
    m.counters[FREE_PLACES] = free + 1
    return place
