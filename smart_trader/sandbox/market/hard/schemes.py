"""Kernel: the business of each kind that has one besides trading.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.events import below, draw, push
from smart_trader.sandbox.market.hard.forms import slot_of
from smart_trader.sandbox.market.hard.kinds import BUY, CROWD, PASS_ON, SELL
from smart_trader.sandbox.market.hard.picking import fancied, held, hyped
from smart_trader.sandbox.market.hard.state import POOLS, SLOTS, TRANSACTIONS, Market
from smart_trader.sandbox.market.hard.trading import balance, buy, exchange, gain, make_room, quote_amount, sell
from smart_trader.sandbox.market.hard.watching import bought, sold

HOUR = 3600
# a crowd that follows a call: seconds after it, and the share of its rise it has made by then
RISE = (
    *((1, 0.36), (2, 0.52), (4, 0.58), (8, 0.64), (15, 0.72), (30, 0.8), (60, 0.87), (120, 0.93), (210, 0.97)),
    (320, 1.0),
)
# and how it leaves: seconds after the caller does, and the share of the fall
FALL = (
    *((1, 0.36), (2, 0.52), (4, 0.58), (8, 0.65), (15, 0.71), (30, 0.77), (60, 0.84), (120, 0.91), (240, 0.96)),
    (600, 1.0),
)
LONGEST_CALL = 1500
# members of the crowd with a name that follow one call at most
MOST_FANS = 60


def levels(m: Market, time: int, token: int, goal: float, is_rise: bool) -> None:
    """Let the crowd move a price to `goal` times itself, in the seconds and minutes after a time."""
    before = 1.0
    for step in range(10):
        after, share = RISE[step] if is_rise else FALL[step]
        level = 1.0 + (goal - 1.0) * share
        push(m, time + after, -1, CROWD, token, level / before)
        before = level


def call(m: Market, time: int, wallet: int) -> None:
    """Buy a thin token, let the crowd hear of it, sell to it while it still comes."""
    thin = m.scene.thin
    if len(thin) == 0:
        return
    token = int(thin[below(m, len(thin))])
    if m.assets.busy[token] > time or m.assets.dead[token] == 1:
        return
    if bought(m, time, wallet, token, m.wallets.size[wallet] * (0.6 + 0.8 * draw(m))) <= 0:
        return
    leaves = time + 340 + below(m, 700)
    m.assets.busy[token] = leaves + LONGEST_CALL
    goal = 1.35 + 0.6 * draw(m) * draw(m)
    levels(m, time, token, goal, True)
    push(m, leaves, wallet, SELL, token, 1.0)
    levels(m, leaves, token, (0.86 + 0.14 * draw(m)) / goal, False)
    followers = m.scene.followers
    if len(followers) > 0:
        for _ in range(min(2 + below(m, 3 + len(followers) // 8), MOST_FANS)):
            fan = int(followers[below(m, len(followers))])
            heard = time + 15 + below(m, 400)
            push(m, heard, fan, BUY, token, m.wallets.size[fan] * (0.5 + draw(m)))
            push(m, heard + 120 + below(m, 4 * HOUR), fan, SELL, token, 1.0)


def bag_holder(m: Market, time: int, wallet: int) -> None:
    """Sell every small winner, never a loser."""
    wallets = m.wallets
    for slot in range(wallet * SLOTS, wallet * SLOTS + SLOTS):
        if wallets.asset[slot] > 0 and gain(m, slot) > wallets.goal[wallet]:
            sold(m, time, wallet, wallets.asset[slot], 1.0)
            return
    bought(m, time, wallet, fancied(m, wallet), wallets.size[wallet] * (0.5 + draw(m)))


def martingale(m: Market, time: int, wallet: int) -> None:
    """Double the bet while it loses, take the smallest profit; ruin comes with the first rug."""
    wallets = m.wallets
    token = wallets.chosen[wallet]
    slot = slot_of(m, wallet, token) if token > 0 else -1
    if slot < 0:
        token = hyped(m)
        wallets.chosen[wallet] = token
        bought(m, time, wallet, token, wallets.size[wallet])
        return
    now, cost = gain(m, slot), wallets.cost[slot]
    if now > 1.02 or m.assets.dead[token] == 1:
        sold(m, time, wallet, token, 1.0)
        if m.assets.dead[token] == 1:
            wallets.chosen[wallet] = 0
    elif now < 0.97 and cost < 16.0 * wallets.size[wallet]:
        bought(m, time, wallet, token, cost)


def arbitrage(m: Market, time: int, wallet: int) -> None:
    """Buy in one pool and sell in another within a transaction."""
    several = m.scene.several
    if len(several) == 0:
        return
    pools, own = m.pools, m.assets.pools
    token = int(several[below(m, len(several))])
    first, second = own[token * POOLS], own[token * POOLS + 1]
    one = float(pools.reserve_b[first]) / float(pools.reserve_a[first])
    other = float(pools.reserve_b[second]) / float(pools.reserve_a[second])
    if other < one:
        first, second = second, first
        one, other = other, one
    # most would not send what both fees eat up; some do
    if other < one * 1.008 and draw(m) < 0.96:
        return
    if not make_room(m, wallet, token):
        return
    quote = pools.b[first]
    amount = quote_amount(m, wallet, quote, m.wallets.size[wallet] * (0.5 + draw(m)))
    # more than this would close the gap and open another
    depth = min(pools.reserve_b[first], pools.reserve_b[second])
    amount = min(amount, int(depth * max(other / one - 1.005, 0.002) * 0.25))
    m.counters[TRANSACTIONS] += 1
    got = exchange(m, time, wallet, first, quote, amount, 3, 0, 1.0)
    # what the second pool does not bear is sold on the next occasion
    exchange(m, time, wallet, second, token, got if draw(m) < 0.8 else int(got * 0.98), 3, 3, 1.0)


def wash(m: Market, time: int, wallet: int) -> None:
    """Pass one token on to the next wallet of a pair or ring through the pool; volume is all that comes of it."""
    wallets = m.wallets
    token, partner = wallets.chosen[wallet], wallets.partner[wallet]
    if token == 0 or m.assets.dead[token] == 1 or draw(m) < 0.04:
        if token > 0:
            sell(m, time, wallet, token, 1.0, True)
        token = hyped(m)
        wallets.chosen[wallet] = token
        buy(m, time, wallet, token, wallets.size[wallet] * (0.8 + 0.4 * draw(m)), True)
        return
    # well hidden pairs leave minutes between, and change the amounts
    strength = m.rules[0]
    gap = 1 + int(draw(m) * (24.0 + strength * draw(m) * 900.0))
    usd = wallets.size[wallet] * (1.0 + (draw(m) - 0.5) * (0.2 + strength))
    giver, taker = wallet, partner
    if balance(m, wallet, token) <= 64:
        giver, taker = partner, wallet
    if sell(m, time, giver, token, 1.0, True) > 0:
        push(m, time + gap, taker, BUY, token, usd)
        wallets.chosen[taker] = token


def market_maker(m: Market, time: int, wallet: int) -> None:
    """Quote both sides of one token: buy below the last deal, sell above it, little at a time."""
    wallets = m.wallets
    token = wallets.chosen[wallet]
    if token == 0 or m.assets.dead[token] == 1 or draw(m) < 0.02:
        if token > 0:
            sell(m, time, wallet, token, 1.0, True)
        wallets.chosen[wallet] = hyped(m)
        return
    slot = slot_of(m, wallet, token)
    stock = wallets.cost[slot] / wallets.size[wallet] if slot >= 0 else 0.0
    usd = wallets.size[wallet] * (0.5 + draw(m))
    if slot < 0 or draw(m) > stock / 8.0:
        buy(m, time, wallet, token, usd, False)
    else:
        sell(m, time, wallet, token, min(1.0, 0.15 + 0.3 * draw(m)), False)


def cluster_main(m: Market, time: int, wallet: int) -> None:
    """Buy here, sell there: tokens go to the owner's other wallets, which sell them."""
    wallets = m.wallets
    slot = held(m, wallet)
    if slot >= 0 and draw(m) < 0.6:
        side = wallets.partner[wallet] + below(m, 2)
        token = wallets.asset[slot]
        push(m, time + 1, wallet, PASS_ON, token, float(side))
        wait = 30 + below(m, 2 * HOUR)
        push(m, time + wait, side, SELL, token, 1.0)
        return
    bought(m, time, wallet, fancied(m, wallet), wallets.size[wallet] * (0.5 + draw(m)))
