"""Kernel: pools, and wallets that swap in them.

Plain Python that numba can compile. It uses nothing but additions, products, divisions, square roots and comparisons,
on whole numbers below 2**53, so every form of it gives the same bits on every machine.
"""

from __future__ import annotations

from math import sqrt

from smart_trader.sandbox.market.hard.events import draw
from smart_trader.sandbox.market.hard.forms import note_left, note_passed, note_row, note_tick, slot_of
from smart_trader.sandbox.market.hard.state import POOLS, SLOTS, TRANSACTIONS, Market
from smart_trader.sandbox.market.pool_math import DUST, LEAST_IN_LOTS, LEAST_USD, received
from smart_trader.sandbox.market.venues import DLMM, OPENBOOK

# of a pool's reserve, what one purchase and one sale take at most
LARGEST_PURCHASE = 0.03
LARGEST_SALE = 0.25
BRIDGE = POOLS - 1


def balance(m: Market, wallet: int, asset: int) -> int:
    """Return what a wallet holds of an asset."""
    if asset < 3:
        return int(m.wallets.money[wallet * 3 + asset])
    slot = slot_of(m, wallet, asset)
    return int(m.wallets.amount[slot]) if slot >= 0 else 0


def leave(m: Market, wallet: int, slot: int) -> None:
    """Free a slot; what is in it stays with the wallet, which thinks no more of it."""
    wallets = m.wallets
    if wallets.amount[slot] > 0:
        note_left(m, (wallet, wallets.asset[slot], wallets.amount[slot]))
    wallets.asset[slot], wallets.amount[slot], wallets.cost[slot], wallets.since[slot] = 0, 0, 0.0, 0


def make_room(m: Market, wallet: int, asset: int) -> bool:
    """Whether a wallet can hold a token; it forgets one that is dead if it must."""
    if slot_of(m, wallet, asset) >= 0 or slot_of(m, wallet, 0) >= 0:
        return True
    begin = wallet * SLOTS
    for slot in range(begin, begin + SLOTS):
        if m.assets.dead[m.wallets.asset[slot]] == 1:
            leave(m, wallet, slot)
            return True
    return False


def hold(m: Market, time: int, wallet: int, asset: int, amount: int, usd: float) -> None:
    """Add to what a wallet holds, or take from it."""
    wallets = m.wallets
    if asset < 3:
        wallets.money[wallet * 3 + asset] += amount
        return
    slot = slot_of(m, wallet, asset)
    if slot < 0:
        slot = slot_of(m, wallet, 0)
        wallets.asset[slot], wallets.since[slot] = asset, time
    before = wallets.amount[slot]
    wallets.amount[slot] = before + amount
    if amount >= 0:
        wallets.cost[slot] += usd
        return
    wallets.cost[slot] *= 1.0 - float(-amount) / float(before)
    if before + amount <= DUST:
        leave(m, wallet, slot)


def write(m: Market, time: int, wallet: int, pool: int, sells_a: int, amount_a: int, amount_b: int,
          outer: int, inner: int, nearest: float) -> None:  # fmt: skip
    """Write one row; what it is worth is what the quoted side is worth."""
    pools, assets = m.pools, m.assets
    a, b = pools.a[pool], pools.b[pool]
    price_b = assets.usd[b]
    price_a = nearest
    if amount_a > 0:
        price_a = amount_b / assets.scale[b] * price_b / (amount_a / assets.scale[a])
        assets.usd[a] = price_a
    note_row(m, (
        time, wallet, pool, sells_a, amount_a, amount_b, m.counters[TRANSACTIONS], outer, inner,
        pools.reserve_a[pool], pools.reserve_b[pool], price_a, price_b, nearest,
    ))  # fmt: skip


def fill(m: Market, time: int, wallet: int, pool: int, sells_a: int, sold: int, bought: int,
         outer: int, inner: int, nearest: float) -> None:  # fmt: skip
    """Book one exchange of amounts in pool, wallet, counters and rows."""
    pools, assets = m.pools, m.assets
    a, b = pools.a[pool], pools.b[pool]
    if sells_a == 1:
        usd = bought / assets.scale[b] * assets.usd[b]
        pools.reserve_a[pool] += sold
        pools.reserve_b[pool] -= bought
        hold(m, time, wallet, a, -sold, usd)
        hold(m, time, wallet, b, bought, usd)
        assets.sold[a] += usd
        assets.sells[a] += 1
        write(m, time, wallet, pool, 1, sold, bought, outer, inner, nearest)
    else:
        usd = sold / assets.scale[b] * assets.usd[b]
        pools.reserve_a[pool] -= bought
        pools.reserve_b[pool] += sold
        hold(m, time, wallet, b, -sold, usd)
        hold(m, time, wallet, a, bought, usd)
        assets.bought[a] += usd
        assets.buys[a] += 1
        write(m, time, wallet, pool, 0, bought, sold, outer, inner, nearest)


def exchange(m: Market, time: int, wallet: int, pool: int, given: int, amount: int, outer: int, inner: int,
             chance: float) -> int:  # fmt: skip
    """Swap an amount of the given asset in one pool; returns what came back.

    An order book fills in several lots at one price: equal ones, or of unequal size. A DLMM pool now and then logs an
    empty fill behind the real one.
    """
    pools = m.pools
    sells_a = 1 if pools.a[pool] == given else 0
    reserve_in = pools.reserve_a[pool] if sells_a == 1 else pools.reserve_b[pool]
    reserve_out = pools.reserve_b[pool] if sells_a == 1 else pools.reserve_a[pool]
    # no one trades more than a pool bears
    most = int(reserve_in * (LARGEST_SALE if sells_a == 1 else LARGEST_PURCHASE))
    if amount > most:
        amount = most
    if amount <= 0:
        return 0
    bought = received(reserve_in, reserve_out, amount)
    if bought <= 0:
        return 0
    nearest = m.assets.usd[pools.a[pool]]
    venue = pools.venue[pool]
    if venue != OPENBOOK or amount < LEAST_IN_LOTS or bought < LEAST_IN_LOTS:
        fill(m, time, wallet, pool, sells_a, amount, bought, outer, inner, nearest)
        if venue == DLMM and chance < 0.02:
            write(m, time, wallet, pool, sells_a, 0, 0, outer, inner + 1, nearest)
        return bought
    lots = 2 + int(chance * 5.0) % 3
    got = 0
    for lot in range(lots):
        share = 1.0 / lots if chance < 0.6 else (lot + 1.0) / (lots * (lots + 1) / 2.0)
        part = int(bought * share)
        # the lot's cost is rounded down too; what is left over is simply not traded
        fill(m, time, wallet, pool, sells_a, int(amount * share), part, outer, -1, nearest)
        got += part
    return got


def quote_amount(m: Market, wallet: int, asset: int, usd: float) -> int:
    """Return how much of a quote asset is worth so many USD, at most nine tenths of what the wallet has."""
    scale = int(m.assets.scale[asset])
    wanted = int(usd / m.assets.usd[asset] * scale)
    # people type round figures, robots do not; which it is lies in the last digits
    if wanted % 3 == 0 and wanted > scale // 10:
        wanted -= wanted % (scale if wanted > 4 * scale else scale // 100)
    most = int(m.wallets.money[wallet * 3 + asset] * 0.9)
    return wanted if wanted < most else most


def split(m: Market, time: int, wallet: int, token: int, given: int, amount: int, chance: float) -> int:
    """Swap through all of a token's pools at once, each by its depth; returns what came back."""
    own = m.assets.pools
    depth = 0.0
    for place in range(token * POOLS, token * POOLS + BRIDGE):
        if own[place] >= 0:
            depth += m.pools.reserve_a[own[place]]
    got = 0
    for place in range(BRIDGE):
        pool = own[token * POOLS + place]
        if pool >= 0:
            part = int(amount * (m.pools.reserve_a[pool] / depth))
            if given == token:
                # a rest that is nothing is gone after the part before
                part = min(part, balance(m, wallet, token))
            got += exchange(m, time, wallet, pool, given, part, 3, place * 2, chance)
    return got


def pick_pool(m: Market, token: int, chance: float) -> int:
    """Pick one of a token's pools, mostly the main one."""
    own = m.assets.pools
    if chance > 0.88 and own[token * POOLS + 2] >= 0:
        return int(own[token * POOLS + 2])
    if chance > 0.7 and own[token * POOLS + 1] >= 0:
        return int(own[token * POOLS + 1])
    return int(own[token * POOLS])


def buy(m: Market, time: int, wallet: int, token: int, usd: float, is_plain: bool) -> int:
    """Buy a token for about so many USD; returns how much came.

    From one pool, split over all, or by way of another token; plain purchases use the main pool alone.
    """
    pools, own = m.pools, m.assets.pools
    main = own[token * POOLS]
    quote = pools.b[main]
    amount = quote_amount(m, wallet, quote, usd)
    if amount / m.assets.scale[quote] * m.assets.usd[quote] < LEAST_USD or not make_room(m, wallet, token):
        return 0
    m.counters[TRANSACTIONS] += 1
    if is_plain:
        return exchange(m, time, wallet, main, quote, amount, 2, -1, 1.0)
    route, chance = draw(m), draw(m)
    if route < 0.12 and own[token * POOLS + 1] >= 0:
        return split(m, time, wallet, token, quote, amount, chance)
    bridge = own[token * POOLS + BRIDGE]
    if route > 0.8 and bridge >= 0:
        between = pools.b[bridge]
        first = own[between * POOLS]
        if pools.b[first] == quote and slot_of(m, wallet, between) < 0 and slot_of(m, wallet, 0) >= 0:
            cap = int(pools.reserve_b[bridge] * LARGEST_PURCHASE)
            amount = exchange(m, time, wallet, first, quote, amount, 4, 0, 1.0)
            # the slot of the token between is free again only if all of it goes on
            if slot_of(m, wallet, token) >= 0 or slot_of(m, wallet, 0) >= 0 or amount <= cap:
                return exchange(m, time, wallet, bridge, between, min(amount, cap), 4, 2, 1.0) if amount > 0 else 0
            return 0
    inner = -1 if chance > 0.45 else 1
    return exchange(m, time, wallet, pick_pool(m, token, chance), quote, amount, 2, inner, route)


def sell(m: Market, time: int, wallet: int, token: int, share: float, is_plain: bool) -> int:
    """Sell a share of what a wallet holds of a token; a pool takes no more than it bears at once."""
    held = balance(m, wallet, token)
    # a product of floats could be more than the whole
    amount = held if share >= 1.0 else int(held * share)
    if amount <= DUST:
        return 0
    m.counters[TRANSACTIONS] += 1
    if is_plain:
        return exchange(m, time, wallet, m.assets.pools[token * POOLS], token, amount, 4, -1, 1.0)
    route, chance = draw(m), draw(m)
    if route < 0.12 and m.assets.pools[token * POOLS + 1] >= 0:
        return split(m, time, wallet, token, token, amount, chance)
    inner = -1 if chance > 0.45 else 2
    return exchange(m, time, wallet, pick_pool(m, token, chance), token, amount, 4, inner, route)


def switch(m: Market, time: int, wallet: int, sold: int, bought: int) -> None:
    """Swap one token for another in one transaction: directly where a pool pairs them, else by way of the quote."""
    pools, own = m.pools, m.assets.pools
    bridge = own[sold * POOLS + BRIDGE]
    if bridge >= 0 and draw(m) < 0.7 and make_room(m, wallet, pools.b[bridge]):
        # asked only now: what made room may have been this very token
        amount = balance(m, wallet, sold)
        if amount > DUST:
            m.counters[TRANSACTIONS] += 1
            exchange(m, time, wallet, bridge, sold, amount, 3, 0, 1.0)
        return
    first, second = own[sold * POOLS], own[bought * POOLS]
    if sold == bought or pools.b[first] != pools.b[second] or not make_room(m, wallet, bought):
        return
    amount = balance(m, wallet, sold)
    if amount > DUST:
        m.counters[TRANSACTIONS] += 1
        got = exchange(m, time, wallet, first, sold, amount, 4, 0, 1.0)
        exchange(m, time, wallet, second, pools.b[first], got, 4, 2, 1.0)


def settle(m: Market, time: int, asset: int) -> None:
    """Let the crowd trade a token's pools to its fair price."""
    pools, assets = m.pools, m.assets
    for place in range(asset * POOLS, asset * POOLS + BRIDGE):
        pool = assets.pools[place]
        if pool < 0 or pools.reserve_a[pool] <= 0:
            continue
        b = pools.b[pool]
        ratio = assets.fair[asset] / assets.usd[b] * assets.scale[b] / assets.scale[asset]
        product = float(pools.reserve_a[pool]) * float(pools.reserve_b[pool])
        new_a = max(int(sqrt(product / ratio)), 1000)
        # rounded up by more than a float can be off, so that the product never shrinks
        new_b = int(product / new_a * (1.0 + 1e-12)) + 2
        usd = (new_b - pools.reserve_b[pool]) / assets.scale[b] * assets.usd[b]
        pools.reserve_a[pool], pools.reserve_b[pool] = new_a, new_b
        if usd > 0.0:
            assets.bought[asset] += usd
        else:
            assets.sold[asset] -= usd
    assets.usd[asset] = assets.fair[asset]
    note_tick(m, (asset, time, assets.fair[asset]))


def migrate(m: Market, asset: int, pool: int) -> None:
    """Move a bonding curve's liquidity into the pool that was made for it."""
    pools, own = m.pools, m.assets.pools
    curve = own[asset * POOLS]
    pools.reserve_a[pool], pools.reserve_b[pool] = pools.reserve_a[curve], pools.reserve_b[curve]
    pools.reserve_a[curve] = pools.reserve_b[curve] = 0
    own[asset * POOLS] = pool


def drain(m: Market, time: int, asset: int, kept: float) -> None:
    """Take a token's liquidity out of its pools, but for a share; who still wants to sell gets little."""
    pools, assets = m.pools, m.assets
    for place in range(asset * POOLS, asset * POOLS + POOLS):
        pool = assets.pools[place]
        if pool >= 0:
            pools.reserve_a[pool] = int(pools.reserve_a[pool] * kept)
            pools.reserve_b[pool] = int(pools.reserve_b[pool] * kept)
            pools.drained[pool] = time
    assets.fair[asset] *= 0.06
    settle(m, time, asset)


def pass_on(m: Market, time: int, giver: int, wallet: int, asset: int, share: float) -> None:
    """Transfer a share of a holding to another wallet; it costs the taker nothing."""
    slot = slot_of(m, giver, asset)
    if slot < 0 or not make_room(m, wallet, asset):
        return
    amount = int(m.wallets.amount[slot] * share)
    if amount <= DUST or wallet == giver:
        return
    hold(m, time, giver, asset, -amount, 0.0)
    hold(m, time, wallet, asset, amount, 0.0)
    note_passed(m, (time, giver, wallet, asset, amount))


def receive(m: Market, time: int, wallet: int, asset: int, amount: int) -> None:
    """Give a wallet tokens it did not buy, if it has room for them; they cost it nothing."""
    if amount > DUST and make_room(m, wallet, asset):
        hold(m, time, wallet, asset, amount, 0.0)
        note_passed(m, (time, -1, wallet, asset, amount))


def gain(m: Market, slot: int) -> float:
    """Return what a holding is worth over what it cost."""
    wallets, assets = m.wallets, m.assets
    if wallets.cost[slot] <= 0.0:
        return 1.0
    token = wallets.asset[slot]
    return float(wallets.amount[slot] / assets.scale[token] * assets.usd[token] / wallets.cost[slot])
