"""Wallets act, one after the other: the only loop over single swaps.

The code is plain Python that numba can compile. It uses nothing but additions, products, divisions and comparisons, so
both give the same bits: small worlds run as they are, large ones compiled.
"""

from __future__ import annotations

from numba.extending import register_jitable

from smart_trader.sandbox.market import pool_math
from smart_trader.sandbox.market.pool_math import DUST, LEAST_IN_LOTS, LEAST_USD
from smart_trader.sandbox.market.state import BRIDGE, SLOTS, Market
from smart_trader.sandbox.market.venues import DLMM, OPENBOOK

KINDS = (
    "noise", "skilled", "one_hit", "bag_holder", "martingale", "insider", "mev_bot", "wash_pair", "airdrop_seller",
    "exchange",
)  # fmt: skip
NOISE, SKILLED, ONE_HIT, BAG_HOLDER, MARTINGALE, INSIDER, MEV_BOT, WASH_PAIR, AIRDROP_SELLER, EXCHANGE = range(10)
FREE, BUY, SELL = range(3)
CHANCES = 6
LARGEST_SHARE = 0.03
# rows one intent can write at most: a split over three order books and a wash partner's answer
ROWS_PER_INTENT = 16


# the swap itself is the same in every market
received = register_jitable(pool_math.received)


@register_jitable  # type: ignore[untyped-decorator]
def hold(market: Market, wallet: int, asset: int, amount: int, usd: float) -> None:
    """Add to a wallet's balance, or take from it, and keep its list of held tokens."""
    wallets = market.wallets
    before = wallets.balance[wallet, asset]
    wallets.balance[wallet, asset] = before + amount
    if asset < 3:
        return
    if amount < 0:
        wallets.cost[wallet, asset] *= 1.0 - (-amount) / before
        if before + amount <= DUST:
            wallets.cost[wallet, asset] = 0.0
            for slot in range(SLOTS):
                if wallets.slots[wallet, slot] == asset:
                    wallets.slots[wallet, slot] = 0
        return
    wallets.cost[wallet, asset] += usd
    if before <= DUST and before + amount > DUST:
        for slot in range(SLOTS):
            if wallets.slots[wallet, slot] == 0:
                wallets.slots[wallet, slot] = asset
                return


@register_jitable  # type: ignore[untyped-decorator]
def write(market: Market, time: int, wallet: int, pool: int, sells_a: int, amount_a: int, amount_b: int,
          outer: int, inner: int, nearest: float) -> None:  # fmt: skip
    """Write one row; what it is worth is what the quoted side is worth."""
    rows, pools, assets, count = market.rows, market.pools, market.assets, market.counters[0]
    a, b = pools.a[pool], pools.b[pool]
    price_b = assets.usd[b]
    price_a = nearest
    if amount_a > 0:
        price_a = amount_b / assets.scale[b] * price_b / (amount_a / assets.scale[a])
        assets.usd[a] = price_a
    rows.time[count], rows.wallet[count], rows.pool[count] = time, wallet, pool
    rows.sells_a[count], rows.amount_a[count], rows.amount_b[count] = sells_a, amount_a, amount_b
    rows.tx[count], rows.outer[count], rows.inner[count] = market.counters[1], outer, inner
    rows.reserve_a[count], rows.reserve_b[count] = pools.reserve_a[pool], pools.reserve_b[pool]
    rows.price_a[count], rows.price_b[count] = price_a, price_b
    rows.nearest_a[count] = nearest
    market.counters[0] = count + 1


@register_jitable  # type: ignore[untyped-decorator]
def fill(market: Market, time: int, wallet: int, pool: int, sells_a: int, sold: int, bought: int,
         outer: int, inner: int, nearest: float) -> None:  # fmt: skip
    """Book one exchange of amounts in pool, wallet, counters and rows."""
    pools, assets = market.pools, market.assets
    a, b = pools.a[pool], pools.b[pool]
    if sells_a == 1:
        amount_a, amount_b = sold, bought
        pools.reserve_a[pool] += sold
        pools.reserve_b[pool] -= bought
    else:
        amount_a, amount_b = bought, sold
        pools.reserve_a[pool] -= bought
        pools.reserve_b[pool] += sold
    usd = amount_b / assets.scale[b] * assets.usd[b]
    if sells_a == 1:
        hold(market, wallet, a, -sold, usd)
        hold(market, wallet, b, bought, usd)
        assets.sold[a] += usd
        assets.sells[a] += 1
    else:
        hold(market, wallet, b, -sold, usd)
        hold(market, wallet, a, bought, usd)
        assets.bought[a] += usd
        assets.buys[a] += 1
    write(market, time, wallet, pool, sells_a, amount_a, amount_b, outer, inner, nearest)


@register_jitable  # type: ignore[untyped-decorator]
def exchange(market: Market, time: int, wallet: int, pool: int, given: int, amount: int, outer: int, inner: int,
             chance: float) -> int:  # fmt: skip
    """Swap an amount of the given asset in one pool; returns what came back.

    An order book fills in several lots at one price: equal ones, or of unequal size. A DLMM pool now and then logs an
    empty fill behind the real one.
    """
    pools = market.pools
    sells_a = 1 if pools.a[pool] == given else 0
    reserve_in = pools.reserve_a[pool] if sells_a == 1 else pools.reserve_b[pool]
    reserve_out = pools.reserve_b[pool] if sells_a == 1 else pools.reserve_a[pool]
    # no one trades more than a pool bears
    amount = min(amount, int(reserve_in * LARGEST_SHARE))
    bought = received(reserve_in, reserve_out, amount)
    if amount <= 0 or bought <= 0:
        return 0
    nearest = market.assets.usd[pools.a[pool]]
    if pools.venue[pool] != OPENBOOK or amount < LEAST_IN_LOTS or bought < LEAST_IN_LOTS:
        fill(market, time, wallet, pool, sells_a, amount, bought, outer, inner, nearest)
        if pools.venue[pool] == DLMM and chance < 0.02:
            write(market, time, wallet, pool, sells_a, 0, 0, outer, inner + 1, nearest)
        return int(bought)
    lots = 2 + int(chance * 5.0) % 3
    got = 0
    for lot in range(lots):
        share = 1.0 / lots if chance < 0.6 else (lot + 1.0) / (lots * (lots + 1) / 2.0)
        part = int(bought * share)
        # the lot's cost is rounded down too; what is left over is simply not traded
        fill(market, time, wallet, pool, sells_a, int(amount * share), part, outer, -1, nearest)
        got += part
    return got


@register_jitable  # type: ignore[untyped-decorator]
def quote_amount(market: Market, wallet: int, asset: int, usd: float) -> int:
    """Return how much of a quote asset is worth so many USD, at most nine tenths of what the wallet has."""
    scale = int(market.assets.scale[asset])
    wanted = int(usd / market.assets.usd[asset] * scale)
    # people type round figures, robots do not; which it is lies in the last digits
    if wanted % 3 == 0 and wanted > scale // 10:
        wanted -= wanted % (scale if wanted > 4 * scale else scale // 100)
    return min(wanted, int(market.wallets.balance[wallet, asset] * 0.9))


@register_jitable  # type: ignore[untyped-decorator]
def has_room(market: Market, wallet: int, asset: int) -> bool:
    """Whether a wallet holds the token already or can hold one more."""
    if market.wallets.balance[wallet, asset] > DUST:
        return True
    for slot in range(SLOTS):  # noqa: SIM110  numba compiles no generator here
        if market.wallets.slots[wallet, slot] == 0:
            return True
    return False


@register_jitable  # type: ignore[untyped-decorator]
def split(market: Market, time: int, wallet: int, token: int, given: int, amount: int, chance: float) -> int:
    """Swap through all of a token's pools at once, each by its depth; returns what came back."""
    pools, own = market.pools, market.assets.pools
    depth = 0.0
    for place in range(BRIDGE):
        if own[token, place] >= 0:
            depth += pools.reserve_a[own[token, place]]
    got = 0
    for place in range(BRIDGE):
        pool = own[token, place]
        if pool >= 0:
            part = int(amount * (pools.reserve_a[pool] / depth))
            got += exchange(market, time, wallet, pool, given, part, 3, place * 2, chance)
    return got


@register_jitable  # type: ignore[untyped-decorator]
def pick_pool(market: Market, token: int, chance: float) -> int:
    """Pick one of a token's pools, mostly the main one."""
    own = market.assets.pools
    if chance > 0.88 and own[token, 2] >= 0:
        return int(own[token, 2])
    if chance > 0.7 and own[token, 1] >= 0:
        return int(own[token, 1])
    return int(own[token, 0])


@register_jitable  # type: ignore[untyped-decorator]
def buy(market: Market, time: int, wallet: int, token: int, usd: float, route: float, chance: float) -> int:
    """Buy a token for about so many USD: from one pool, split over all, or by way of another token."""
    pools, own = market.pools, market.assets.pools
    main = own[token, 0]
    quote = pools.b[main]
    amount = quote_amount(market, wallet, quote, usd)
    if amount / market.assets.scale[quote] * market.assets.usd[quote] < LEAST_USD or not has_room(
        market, wallet, token
    ):
        return 0
    market.counters[1] += 1
    if route < 0.12 and own[token, 1] >= 0:
        return int(split(market, time, wallet, token, quote, amount, chance))
    bridge = own[token, BRIDGE]
    if route > 0.8 and bridge >= 0:
        between = pools.b[bridge]
        first = own[between, 0]
        if (
            pools.b[first] == quote
            and market.wallets.balance[wallet, between] <= DUST
            and has_room(market, wallet, between)
        ):
            amount = exchange(market, time, wallet, first, quote, amount, 4, 0, 1.0)
            cap = int(pools.reserve_b[bridge] * LARGEST_SHARE)
            return int(exchange(market, time, wallet, bridge, between, min(amount, cap), 4, 2, 1.0))
    inner = -1 if chance > 0.45 else 1
    return int(exchange(market, time, wallet, pick_pool(market, token, chance), quote, amount, 2, inner, route))


@register_jitable  # type: ignore[untyped-decorator]
def sell(market: Market, time: int, wallet: int, token: int, share: float, route: float, chance: float) -> int:
    """Sell a share of what a wallet holds of a token; a pool takes no more than it bears at once."""
    balance = market.wallets.balance[wallet, token]
    # a product of floats could be more than the whole
    amount = balance if share >= 1.0 else int(balance * share)
    if amount <= DUST:
        return 0
    market.counters[1] += 1
    if route < 0.12 and market.assets.pools[token, 1] >= 0:
        return int(split(market, time, wallet, token, token, amount, chance))
    inner = -1 if chance > 0.45 else 2
    return int(exchange(market, time, wallet, pick_pool(market, token, chance), token, amount, 4, inner, route))


@register_jitable  # type: ignore[untyped-decorator]
def switch(market: Market, time: int, wallet: int, sold: int, bought: int, chance: float) -> None:
    """Swap one token for another in one transaction: directly where a pool pairs them, else by way of the quote."""
    pools, own = market.pools, market.assets.pools
    amount = market.wallets.balance[wallet, sold]
    bridge = own[sold, BRIDGE]
    if bridge >= 0 and chance < 0.7 and has_room(market, wallet, pools.b[bridge]):
        market.counters[1] += 1
        exchange(market, time, wallet, bridge, sold, amount, 3, 0, chance)
        return
    first, second = own[sold, 0], own[bought, 0]
    if sold == bought or pools.b[first] != pools.b[second] or not has_room(market, wallet, bought):
        return
    market.counters[1] += 1
    got = exchange(market, time, wallet, first, sold, amount, 4, 0, 1.0)
    exchange(market, time, wallet, second, pools.b[first], got, 4, 2, 1.0)


@register_jitable  # type: ignore[untyped-decorator]
def gain(market: Market, wallet: int, token: int) -> float:
    """Return what a holding is worth over what it cost."""
    wallets, assets = market.wallets, market.assets
    cost = wallets.cost[wallet, token]
    if cost <= 0.0:
        return 1.0
    return float(wallets.balance[wallet, token] / assets.scale[token] * assets.usd[token] / cost)
