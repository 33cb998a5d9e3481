"""Kernel: what a wallet picks: a token to buy, a holding to sell.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.events import below, draw
from smart_trader.sandbox.market.hard.forms import first_reaching
from smart_trader.sandbox.market.hard.kinds import NOISE
from smart_trader.sandbox.market.hard.state import MONTHS, SLOTS, Market
from smart_trader.sandbox.market.hard.trading import gain

HOUR, DAY = 3600, 86_400


def hyped(m: Market) -> int:
    """Pick a token as the crowd does: by how much it is talked about."""
    return int(m.scene.live[first_reaching(m.scene.hype, draw(m))])


def fancied(m: Market, wallet: int) -> int:
    """Pick a token as an ordinary wallet does: what is talked about, or one of the newest launches."""
    if draw(m) < m.wallets.degen[wallet]:
        # who waits for launches buys nothing when there is none
        return int(m.scene.fresh[below(m, len(m.scene.fresh))]) if len(m.scene.fresh) > 0 else 0
    wallets = m.wallets
    if wallets.kind[wallet] != NOISE or wallets.memory[wallet] == 0:
        return hyped(m)
    token = wallets.chosen[wallet]
    if token == 0 or m.assets.dead[token] == 1 or draw(m) < 0.02:
        token = hyped(m)
        wallets.chosen[wallet] = token
    return int(token)


def held(m: Market, wallet: int) -> int:
    """Pick a slot in which a wallet holds something; -1 if it holds nothing."""
    asset = m.wallets.asset
    first = wallet * SLOTS
    begin = first + below(m, SLOTS)
    for slot in range(begin, first + SLOTS):
        if asset[slot] > 0:
            return slot
    for slot in range(first, begin):
        if asset[slot] > 0:
            return slot
    return -1


def is_sharp(m: Market, time: int, wallet: int) -> bool:
    """Whether a skilled wallet's next pick is better than anybody's: not in a losing month, nor when skill is over."""
    wallets = m.wallets
    if time >= wallets.until[wallet]:
        return False
    month = int((time - m.rules[1] + wallets.shift[wallet]) / (30.0 * DAY)) % MONTHS
    return bool(wallets.months[wallet * MONTHS + month] == 0 and draw(m) < wallets.edge[wallet])


def ripe(m: Market, time: int, wallet: int) -> int:
    """Return a held token that has reached its goal, its floor or its time; 0 if there is none."""
    wallets = m.wallets
    for slot in range(wallet * SLOTS, wallet * SLOTS + SLOTS):
        token = wallets.asset[slot]
        if token > 0 and m.assets.dead[token] == 0:
            now = gain(m, slot)
            if (
                now > wallets.goal[wallet]
                or now < wallets.floor[wallet]
                or time - wallets.since[slot] > wallets.keep[wallet]
            ):
                return int(token)
    return 0
