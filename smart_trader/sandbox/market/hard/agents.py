"""Kernel: what each kind of wallet does when it acts, and what others do because of it.

Plain Python that numba can compile; see `trading`.
"""

from __future__ import annotations

from smart_trader.sandbox.market.hard.events import PLACES, below, draw, pop, push
from smart_trader.sandbox.market.hard.kinds import (
    AIRDROP_SELLER,
    ARBITRAGE,
    BAG_HOLDER,
    BUY,
    COPY_BOT,
    CROWD,
    DRAIN,
    FOLLOWER,
    KOL,
    MAIN_OF_CLUSTER,
    MARKET_MAKER,
    MARTINGALE,
    MIGRATE,
    NOISE,
    PASS_ON,
    RECEIVE,
    SANDWICH,
    SELL,
    SKILLED,
    WASH_PAIR,
    WASH_RING,
)  # fmt: skip
from smart_trader.sandbox.market.hard.state import (
    FREE_PLACES,
    LEFT,
    MONTHS,
    PASSED,
    POOLS,
    ROWS,
    SLOTS,
    TICKS,
    TRANSACTIONS,
    WAITING,
    Market,
    Whole,
)
from smart_trader.sandbox.market.hard.trading import (
    balance,
    buy,
    drain,
    exchange,
    gain,
    make_room,
    migrate,
    pass_on,
    quote_amount,
    receive,
    sell,
    settle,
    slot_of,
    switch,
)  # fmt: skip

HOUR, DAY = 3600, 86_400
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
# lines of a table that one occasion or event can fill at most: a call and all who follow it
SPARE = 4096
# members of the crowd with a name that follow one call at most
MOST_FANS = 60


def hyped(m: Market) -> int:
    """Pick a token as the crowd does: by how much it is talked about."""
    hype, chance = m.scene.hype, draw(m)
    low, high = 0, len(hype) - 1
    while low < high:
        middle = (low + high) // 2
        if hype[middle] < chance:
            low = middle + 1
        else:
            high = middle
    return int(m.scene.live[low])


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
    begin = below(m, SLOTS)
    for step in range(SLOTS):
        slot = wallet * SLOTS + (begin + step) % SLOTS
        if asset[slot] > 0:
            return slot
    return -1


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


def has_room(m: Market) -> bool:
    """Whether what one occasion can write still fits into every table."""
    counters = m.counters
    return bool(
        counters[ROWS] + SPARE < len(m.rows.time)
        and counters[TICKS] + SPARE < len(m.ticks.time)
        and counters[PASSED] + SPARE < len(m.passed.time)
        and counters[LEFT] + SPARE < len(m.left.wallet)
        and counters[FREE_PLACES] > SPARE
    )


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
