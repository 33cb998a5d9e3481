"""Kernel: dice, and the queue of what is to happen.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.state import DICE, FREE_PLACES, WAITING, Market

PLACES = 1 << 21


def draw(m: Market) -> float:
    """Return a number from 0 up to 1; the same in every form of the kernel."""
    state = m.counters[DICE] * 48271 % 2147483647
    m.counters[DICE] = state
    return float(state / 2147483647.0)


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
    key = time * PLACES + place
    heap = queue.heap
    child = m.counters[WAITING]
    m.counters[WAITING] = child + 1
    while child > 0:
        parent = (child - 1) // 2
        if heap[parent] <= key:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = key


def pop(m: Market) -> int:
    """Take the next event off the queue and return its place, whose content stays until the next push."""
    queue = m.queue
    heap = queue.heap
    count = m.counters[WAITING] - 1
    m.counters[WAITING] = count
    first, key = heap[0], heap[count]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= count:
            break
        if child + 1 < count and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = key
    place = int(first % PLACES)
    free = m.counters[FREE_PLACES]
    queue.free[free] = place
    m.counters[FREE_PLACES] = free + 1
    return place
