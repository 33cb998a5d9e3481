"""Kernel: occasions and events, one after the other.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.agents import act
from smart_trader.sandbox.market.hard.events import PLACES, pop
from smart_trader.sandbox.market.hard.forms import has_room
from smart_trader.sandbox.market.hard.kinds import BUY, CROWD, DRAIN, MIGRATE, PASS_ON, RECEIVE, SELL
from smart_trader.sandbox.market.hard.state import WAITING, Market, Whole
from smart_trader.sandbox.market.hard.trading import buy, drain, migrate, pass_on, receive, sell, settle
from smart_trader.sandbox.market.hard.watching import copied


def happen(m: Market, time: int, wallet: int, order: int, asset: int, value: float) -> None:
    """Carry out an event of the queue."""
    if order == BUY:
        if m.assets.dead[asset] == 0 and buy(m, time, wallet, asset, value, False) > 0:
            copied(m, time, wallet, BUY, asset, 1.0)
    elif order == SELL:
        if sell(m, time, wallet, asset, value, False) > 0:
            copied(m, time, wallet, SELL, asset, value)
    elif order == RECEIVE:
        receive(m, time, wallet, asset, int(value))
    elif order == PASS_ON:
        pass_on(m, time, wallet, int(value), asset, 1.0)
    elif order == DRAIN:
        drain(m, time, asset, value)
    elif m.assets.dead[asset] == 0:
        if order == CROWD:
            m.assets.fair[asset] *= value
            settle(m, time, asset)
        elif order == MIGRATE:
            migrate(m, asset, int(value))


def run(m: Market, times: Whole, wallets: Whole, number: int, end: int) -> int:
    """Carry out the occasions of a step and the events due before its end, in order of time; events come first.

    Args:
        m: The market.
        times: Unix times of the occasions, in order.
        wallets: Who acts.
        number: The first occasion that is not done yet.
        end: Unix time of the step's end.

    Returns:
        The same for the next call: one more than there are occasions when all is done, less when a table is full.
    """
    queue = m.queue
    count = len(times)
    while has_room(m):
        time = times[number] if number < count else end
        if m.counters[WAITING] > 0:
            due = queue.heap[0] // PLACES
            if due <= time and due < end:
                place = pop(m)
                happen(m, int(due), queue.wallet[place], queue.order[place], queue.asset[place], queue.value[place])
                continue
        if number >= count:
            return count + 1
        act(m, time, wallets[number])
        number += 1
    return number
