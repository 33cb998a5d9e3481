"""Kernel: trades and those who watch them: sandwiches around large purchases, bots that copy.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.events import below, draw, push
from smart_trader.sandbox.market.hard.kinds import BUY, SELL
from smart_trader.sandbox.market.hard.state import Market
from smart_trader.sandbox.market.hard.trading import buy, make_room, sell


def bought(m: Market, time: int, wallet: int, token: int, usd: float) -> int:
    """Buy with those who watch: sandwiches around large purchases, copies some seconds later."""
    if token <= 0:
        return 0
    scene = m.scene
    if usd > 150.0 and len(scene.attackers) > 0 and draw(m) < 0.02:
        bot = int(scene.attackers[below(m, len(scene.attackers))])
        if bot != wallet and make_room(m, bot, token) and draw(m) > m.wallets.cover[bot]:
            buy(m, time, bot, token, m.wallets.size[bot] * (0.5 + draw(m)), True)
            got = buy(m, time, wallet, token, usd, True)
            sell(m, time, bot, token, 1.0, True)
            copied(m, time, wallet, BUY, token, 1.0)
            return got
    got = buy(m, time, wallet, token, usd, False)
    if got > 0:
        copied(m, time, wallet, BUY, token, 1.0)
    return got


def sold(m: Market, time: int, wallet: int, token: int, share: float) -> int:
    """Sell, with copies some seconds later."""
    got = sell(m, time, wallet, token, share, False)
    if got > 0:
        copied(m, time, wallet, SELL, token, share)
    return got


def copied(m: Market, time: int, wallet: int, order: int, token: int, share: float) -> None:
    """Let the bots that copy a wallet do the same in 3 to 30 seconds."""
    bot = m.wallets.bot[wallet]
    while bot >= 0:
        if draw(m) < 0.9:
            value = share if order == SELL else m.wallets.size[bot] * (0.8 + 0.4 * draw(m))
            push(m, time + 3 + below(m, 28), bot, order, token, value)
        bot = m.wallets.next_bot[bot]
