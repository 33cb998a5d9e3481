"""What each kind of wallet does when it acts."""

from __future__ import annotations

from numba.extending import register_jitable

from smart_trader.sandbox.market.pool_math import DUST
from smart_trader.sandbox.market.simulation import (
    AIRDROP_SELLER,
    BAG_HOLDER,
    BUY,
    INSIDER,
    MARTINGALE,
    MEV_BOT,
    NOISE,
    ONE_HIT,
    SELL,
    SKILLED,
    WASH_PAIR,
    buy,
    exchange,
    gain,
    quote_amount,
    sell,
    switch,
)  # fmt: skip
from smart_trader.sandbox.market.state import SLOTS, Floats, Intents, Ints, Market
from smart_trader.sandbox.market.tokens import DEAD, PUMP


@register_jitable  # type: ignore[untyped-decorator]
def one_of(tokens: Ints, chance: float) -> int:
    """Pick one of some tokens; 0 if there is none."""
    return int(tokens[int(chance * len(tokens))]) if len(tokens) else 0


@register_jitable  # type: ignore[untyped-decorator]
def hyped(market: Market, chance: float) -> int:
    """Pick a token as the crowd does: by how much it is traded."""
    hype = market.scene.hype
    low, high = 0, len(hype) - 1
    while low < high:
        middle = (low + high) // 2
        if hype[middle] < chance:
            low = middle + 1
        else:
            high = middle
    return int(market.scene.live[low])


@register_jitable  # type: ignore[untyped-decorator]
def held(market: Market, wallet: int, chance: float) -> int:
    """Pick one of the tokens a wallet holds; 0 if it holds none."""
    slots = market.wallets.slots
    begin = int(chance * SLOTS)
    for step in range(SLOTS):
        token = slots[wallet, (begin + step) % SLOTS]
        if token > 0:
            return int(token)
    return 0


@register_jitable  # type: ignore[untyped-decorator]
def ripe(market: Market, wallet: int, time: int, goal: float, floor: float, notice: int) -> int:
    """Return a held token that is up enough, down too far, or about to stop rising; 0 if there is none."""
    assets = market.assets
    for slot in range(SLOTS):
        token = market.wallets.slots[wallet, slot]
        if token > 0:
            now = gain(market, wallet, token)
            ending = assets.phase[token] != PUMP or assets.ends[token] - time < notice
            if now > goal or now < floor or (notice > 0 and ending):
                return int(token)
    return 0


@register_jitable  # type: ignore[untyped-decorator]
def noise(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Buy what is talked about, sell at random; sometimes change tokens or quote money."""
    token = held(market, wallet, u[0])
    usd = market.wallets.size[wallet] * (0.4 + 1.2 * u[2])
    if token > 0 and u[1] < 0.12:
        switch(market, time, wallet, token, hyped(market, u[3]), u[4])
    elif token > 0 and u[1] < 0.55:
        sell(market, time, wallet, token, 1.0 if u[2] < 0.6 else 0.5, u[4], u[5])
    elif u[1] > 0.97:
        pool = market.assets.pools[0, int(u[3] * 3)]
        given = 0 if u[2] < 0.5 else 1
        market.counters[1] += 1
        exchange(market, time, wallet, pool, given, quote_amount(market, wallet, given, usd), 2, -1, u[4])
    else:
        buy(market, time, wallet, hyped(market, u[3]), usd, u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def skilled(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Buy what rises, let it run, get out in time; wrong about one buy in eight."""
    token = ripe(market, wallet, time, market.wallets.goal[wallet], 0.88, 10_800)
    if token > 0:
        sell(market, time, wallet, token, 1.0, u[4], u[5])
        return
    token = one_of(market.scene.pumping, u[3]) if u[0] < 0.88 else hyped(market, u[3])
    if token > 0 and market.assets.ends[token] - time > 43_200:
        buy(market, time, wallet, token, market.wallets.size[wallet] * (0.6 + 0.8 * u[2]), u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def one_hit(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Win once with a bet far above the usual size, then lose a little all the time."""
    wallets = market.wallets
    if wallets.memory[wallet] == 0:
        token = one_of(market.scene.pumping, u[3])
        if token > 0 and market.assets.ends[token] - time > 172_800:
            wallets.chosen[wallet] = token
            if buy(market, time, wallet, token, wallets.size[wallet] * 40.0, 0.5, u[5]) > 0:
                wallets.memory[wallet] = 1
        return
    hit = wallets.chosen[wallet]
    if wallets.memory[wallet] == 1 and (gain(market, wallet, hit) > 2.0 or market.assets.ends[hit] - time < 14_400):
        sell(market, time, wallet, hit, 1.0, 0.5, u[5])
        if wallets.balance[wallet, hit] <= DUST:
            wallets.memory[wallet] = 2
        return
    token = held(market, wallet, u[0])
    if token > 0 and token != hit and u[1] < 0.5:
        sell(market, time, wallet, token, 1.0, u[4], u[5])
    else:
        poor = one_of(market.scene.falling, u[3]) if u[2] < 0.6 else hyped(market, u[3])
        if poor > 0 and poor != hit:
            buy(market, time, wallet, poor, wallets.size[wallet], u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def bag_holder(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Sell every small winner, never a loser."""
    token = ripe(market, wallet, time, 1.06, 0.0, 0)
    if token > 0:
        sell(market, time, wallet, token, 1.0, u[4], u[5])
    else:
        buy(market, time, wallet, hyped(market, u[3]), market.wallets.size[wallet] * (0.5 + u[2]), u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def martingale(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Double the bet while it loses, take the smallest profit; ruin comes with the first rug."""
    wallets = market.wallets
    token = wallets.chosen[wallet]
    if token == 0 or wallets.balance[wallet, token] <= DUST:
        token = one_of(market.scene.pumping, u[3]) if u[2] < 0.6 else hyped(market, u[3])
        if token > 0:
            wallets.chosen[wallet] = token
            buy(market, time, wallet, token, wallets.size[wallet], u[4], u[5])
        return
    now, cost = gain(market, wallet, token), wallets.cost[wallet, token]
    if now > 1.02 or market.assets.phase[token] == DEAD:
        sell(market, time, wallet, token, 1.0, u[4], u[5])
    elif now < 0.97 and cost < 64.0 * wallets.size[wallet]:
        buy(market, time, wallet, token, cost, u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def insider(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Hold what was bought at launch until it has risen far."""
    token = ripe(market, wallet, time, 3.0, 0.0, 7200)
    if token > 0:
        sell(market, time, wallet, token, 1.0, u[4], u[5])


@register_jitable  # type: ignore[untyped-decorator]
def mev_bot(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Buy in one pool and sell in another within a transaction."""
    pools, own = market.pools, market.assets.pools
    token = hyped(market, u[3])
    first, second = own[token, 0], own[token, 1]
    if second < 0:
        second = first
    one = pools.reserve_b[first] / pools.reserve_a[first]
    other = pools.reserve_b[second] / pools.reserve_a[second]
    if other < one:
        first, second = second, first
    if market.wallets.balance[wallet, token] > DUST and u[0] < 0.4:
        sell(market, time, wallet, token, 1.0, 1.0, u[5])
        return
    # most bots would not send what both fees eat up; some do
    if pools.b[first] != pools.b[second] or (u[0] < 0.7 and abs(other - one) < 0.005 * one):
        return
    quote = pools.b[first]
    amount = quote_amount(market, wallet, quote, market.wallets.size[wallet] * (0.5 + u[2]))
    market.counters[1] += 1
    got = exchange(market, time, wallet, first, quote, amount, 3, 0, u[4])
    # what the second pool does not bear is sold on the next occasion
    exchange(market, time, wallet, second, token, got if u[1] < 0.8 else int(got * 0.98), 3, 3, u[4])


@register_jitable  # type: ignore[untyped-decorator]
def wash_pair(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Pass one token back and forth with a partner through the pool, seconds apart."""
    wallets = market.wallets
    token, partner = wallets.chosen[wallet], wallets.partner[wallet]
    if token > 0 and market.assets.phase[token] != PUMP and u[0] < 0.4:
        # what no longer rises draws no followers
        sell(market, time, wallet, token, 1.0, 1.0, u[5])
        sell(market, time + 2, partner, token, 1.0, 1.0, u[5])
        wallets.chosen[wallet] = 0
        return
    if token == 0:
        token = one_of(market.scene.pumping, u[3]) if u[0] < 0.7 else hyped(market, u[3])
        wallets.chosen[wallet] = token
    if token == 0:
        return
    giver, taker = wallet, partner
    if wallets.balance[wallet, token] <= DUST:
        giver, taker = partner, wallet
    usd = wallets.size[wallet] * (0.9 + 0.2 * u[2])
    sell(market, time, giver, token, 1.0, 1.0, u[5])
    buy(market, time + 1 + int(u[1] * 25.0), taker, token, usd, 0.5, u[5])


@register_jitable  # type: ignore[untyped-decorator]
def act(market: Market, time: int, wallet: int, u: Floats) -> None:
    """Let a wallet do what its kind does."""
    kind = market.wallets.kind[wallet]
    if kind == NOISE:
        noise(market, time, wallet, u)
    elif kind == SKILLED:
        skilled(market, time, wallet, u)
    elif kind == ONE_HIT:
        one_hit(market, time, wallet, u)
    elif kind == BAG_HOLDER:
        bag_holder(market, time, wallet, u)
    elif kind == MARTINGALE:
        martingale(market, time, wallet, u)
    elif kind == INSIDER:
        insider(market, time, wallet, u)
    elif kind == MEV_BOT:
        mev_bot(market, time, wallet, u)
    elif kind == WASH_PAIR:
        wash_pair(market, time, wallet, u)
    elif kind == AIRDROP_SELLER:
        token = held(market, wallet, u[0])
        if token > 0:
            sell(market, time, wallet, token, 1.0 if u[2] < 0.7 else 0.5, u[4], u[5])


def run(market: Market, intents: Intents) -> None:
    """Carry out the intents in order."""
    for number in range(len(intents.time)):
        time, wallet = intents.time[number], intents.wallet[number]
        order, asset, u = intents.order[number], intents.asset[number], intents.chance[number]
        if order == BUY:
            buy(market, time, wallet, asset, market.wallets.size[wallet], 0.5, u[5])
        elif order == SELL:
            sell(market, time, wallet, asset, 1.0, 0.5, u[5])
        else:
            act(market, time, wallet, u)
