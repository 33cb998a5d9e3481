"""Kernel: what a wallet does when it acts.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.events import below, draw, push
from smart_trader.sandbox.market.hard.kinds import (
    AIRDROP_SELLER,
    ARBITRAGE,
    BAG_HOLDER,
    BUY,
    COPY_BOT,
    FOLLOWER,
    KOL,
    MAIN_OF_CLUSTER,
    MARKET_MAKER,
    MARTINGALE,
    SANDWICH,
    SELL,
    SKILLED,
    WASH_PAIR,
    WASH_RING,
)
from smart_trader.sandbox.market.hard.picking import fancied, held, hyped, is_sharp, ripe
from smart_trader.sandbox.market.hard.schemes import (
    arbitrage,
    bag_holder,
    call,
    cluster_main,
    market_maker,
    martingale,
    wash,
)
from smart_trader.sandbox.market.hard.state import TRANSACTIONS, Market
from smart_trader.sandbox.market.hard.trading import exchange, quote_amount, sell, switch
from smart_trader.sandbox.market.hard.watching import bought, sold

HOUR, DAY = 3600, 86_400


def noise(m: Market, time: int, wallet: int) -> None:
    """Buy what is talked about, sell at random; sometimes change tokens or quote money."""
    wallets = m.wallets
    slot = held(m, wallet)
    choice = draw(m)
    usd = wallets.size[wallet] * (0.4 + 1.2 * draw(m))
    if slot >= 0 and choice < 0.06:
        switch(m, time, wallet, wallets.asset[slot], hyped(m))
    elif slot >= 0 and choice < 0.06 + wallets.leave[wallet]:
        token = wallets.asset[slot]
        if sold(m, time, wallet, token, 1.0 if draw(m) < 0.7 else 0.5) > 0 and draw(m) < wallets.twice[wallet]:
            # a second click, before the first one shows
            sell(m, time, wallet, token, 1.0, True)
    elif choice > 0.985:
        pool = m.assets.pools[below(m, 3)]
        given = 0 if usd < wallets.size[wallet] else 1
        m.counters[TRANSACTIONS] += 1
        exchange(m, time, wallet, pool, given, quote_amount(m, wallet, given, usd), 2, -1, draw(m))
    else:
        token = fancied(m, wallet)
        if bought(m, time, wallet, token, usd) > 0:
            if draw(m) < wallets.twice[wallet]:
                push(m, time + below(m, 2), wallet, BUY, token, usd)
            if draw(m) < wallets.haste[wallet]:
                push(m, time + 45 + int(draw(m) * draw(m) * draw(m) * 5400.0), wallet, SELL, token, 1.0)


def skilled(m: Market, time: int, wallet: int) -> None:
    """Pick what rises better than even, not knowing for how long; leave by rule."""
    wallets = m.wallets
    token = ripe(m, time, wallet)
    if token > 0 and draw(m) < 0.85:
        sold(m, time, wallet, token, 1.0 if draw(m) < 0.75 else 0.5)
        return
    if draw(m) < 0.12:
        noise(m, time, wallet)
        return
    # who holds long looks further
    rising = m.scene.sound if wallets.keep[wallet] > 3 * DAY + 12 * HOUR else m.scene.rising
    token = hyped(m)
    if is_sharp(m, time, wallet) and len(rising) > 0:
        token = int(rising[below(m, len(rising))])
    bought(m, time, wallet, token, wallets.size[wallet] * (0.6 + 0.8 * draw(m)))


def act(m: Market, time: int, wallet: int) -> None:
    """Let a wallet do what its kind does, or what anybody does."""
    wallets = m.wallets
    kind = wallets.kind[wallet]
    if kind == SKILLED:
        skilled(m, time, wallet)
    elif draw(m) < wallets.cover[wallet]:
        noise(m, time, wallet)
    elif kind in (AIRDROP_SELLER, FOLLOWER):
        # given, or left over from a crowd
        slot = held(m, wallet)
        if slot >= 0:
            share = 0.5 if kind == AIRDROP_SELLER and draw(m) >= 0.7 else 1.0
            sell(m, time, wallet, wallets.asset[slot], share, False)
    else:
        do_business(m, time, wallet, kind)


def do_business(m: Market, time: int, wallet: int, kind: int) -> None:
    """Let a wallet do what only its kind does."""
    if kind == KOL:
        call(m, time, wallet)
    elif kind == BAG_HOLDER:
        bag_holder(m, time, wallet)
    elif kind == MARTINGALE:
        martingale(m, time, wallet)
    elif kind == ARBITRAGE:
        arbitrage(m, time, wallet)
    elif kind in (WASH_PAIR, WASH_RING):
        wash(m, time, wallet)
    elif kind == MARKET_MAKER:
        market_maker(m, time, wallet)
    elif kind == MAIN_OF_CLUSTER:
        cluster_main(m, time, wallet)
    elif kind not in (SANDWICH, COPY_BOT):
        # those whose business is elsewhere, at launches, tidy up
        token = ripe(m, time, wallet)
        if token > 0:
            sell(m, time, wallet, token, 1.0, False)
