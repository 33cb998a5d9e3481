"""Kernel: the functions of `forms` as loops over arrays, for machine code."""

from __future__ import annotations

from typing import Any

from smart_trader.sandbox.market.hard.state import (
    FREE_PLACES,
    LEFT,
    PASSED,
    ROWS,
    SLOTS,
    SPARE,
    TICKS,
    WAITING,
    Market,
    Real,
)  # fmt: skip


def slot_of(m: Market, wallet: int, asset: int) -> int:
    """Do what `forms.slot_of` does."""
    begin = wallet * SLOTS
    for slot in range(begin, begin + SLOTS):
        if m.wallets.asset[slot] == asset:
            return slot
    return -1


def first_reaching(sums: Real, chance: float) -> int:
    """Do what `forms.first_reaching` does."""
    low, high = 0, len(sums) - 1
    while low < high:
        middle = (low + high) // 2
        if sums[middle] < chance:
            low = middle + 1
        else:
            high = middle
    return low


def put_key(m: Market, key: int) -> None:
    """Do what `forms.put_key` does."""
    heap = m.queue.heap
    child = m.counters[WAITING]
    m.counters[WAITING] = child + 1
    while child > 0:
        parent = (child - 1) // 2
        if heap[parent] <= key:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = key


def take_key(m: Market) -> int:
    """Do what `forms.take_key` does."""
    heap = m.queue.heap
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
    return int(first)


def note_row(m: Market, line: tuple[Any, ...]) -> None:
    """Do what `forms.note_row` does."""
    rows, count = m.rows, m.counters[ROWS]
    (
        rows.time[count],
        rows.wallet[count],
        rows.pool[count],
        rows.sells_a[count],
        rows.amount_a[count],
        rows.amount_b[count],
        rows.tx[count],
        rows.outer[count],
        rows.inner[count],
        rows.reserve_a[count],
        rows.reserve_b[count],
        rows.price_a[count],
        rows.price_b[count],
        rows.nearest_a[count],
    ) = line
    m.counters[ROWS] = count + 1


def note_tick(m: Market, line: tuple[Any, ...]) -> None:
    """Do what `forms.note_tick` does."""
    ticks, count = m.ticks, m.counters[TICKS]
    (
        ticks.asset[count],
        ticks.time[count],
        ticks.usd[count],
    ) = line
    m.counters[TICKS] = count + 1


def note_passed(m: Market, line: tuple[Any, ...]) -> None:
    """Do what `forms.note_passed` does."""
    passed, count = m.passed, m.counters[PASSED]
    (
        passed.time[count],
        passed.giver[count],
        passed.wallet[count],
        passed.asset[count],
        passed.amount[count],
    ) = line
    m.counters[PASSED] = count + 1


def note_left(m: Market, line: tuple[Any, ...]) -> None:
    """Do what `forms.note_left` does."""
    left, count = m.left, m.counters[LEFT]
    (
        left.wallet[count],
        left.asset[count],
        left.amount[count],
    ) = line
    m.counters[LEFT] = count + 1


def has_room(m: Market) -> bool:
    """Do what `forms.has_room` does."""
    counters = m.counters
    return bool(
        counters[ROWS] + SPARE < len(m.rows.time)
        and counters[TICKS] + SPARE < len(m.ticks.time)
        and counters[PASSED] + SPARE < len(m.passed.time)
        and counters[LEFT] + SPARE < len(m.left.wallet)
        and counters[FREE_PLACES] > SPARE
    )
