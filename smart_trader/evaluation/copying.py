"""What a follower would have earned who copied wallets, each trade some seconds late, in a market carried on.

The follower begins with nothing at the time of the list. It puts the same stake into each buy of a wallet, and of each
later sale it sells the share that the wallet sells of what it has bought since then; a sale of older holdings is
nothing to it. What is left at the end is sold. Each side costs 2 % of what is traded, for fees and for the own effect
on the price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.lookups import PriceBook
from smart_trader.sandbox.market.market_source import MarketSource
from smart_trader.sandbox.market.state import Floats, Ints

DAY_S = 86_400
DAYS = 14
DELAYS_S = (0, 10, 60, 300)
COST = 0.02
# SOL, USDC and USDT stand first among the assets; they are money, nothing to follow
QUOTE_ASSETS = 3

# USD price of an asset at given unix seconds.
Prices = Callable[[int, Ints], Floats]
Returns = dict[int, float]


class Trade(NamedTuple):
    """What a wallet's transaction did to one token it holds, in base units: positive where it bought."""

    time: int
    asset: int
    amount: int


def copied_returns(source: MarketSource, wallets: Iterable[str], begin: int) -> dict[str, Returns]:
    """Return what copying each wallet would have earned from a time on, per USD put in, by delay in seconds.

    Args:
        source: The market; it is carried on to the end of the 14 days.
        wallets: Who is copied; a wallet that buys nothing in that time is left out of the result.
        begin: Unix time from which on it is copied.

    Raises:
        SmartTraderError: The market does not last so long.
    """
    end = begin + DAYS * DAY_S
    world = source.world
    world.carry_to(end)
    numbers = {wallet: number for number, wallet in enumerate(source.wallets)}
    wanted = {numbers[wallet]: wallet for wallet in wallets if wallet in numbers}
    # a trade that the slowest follower could not copy any more is copied by none
    trades = trades_of(world, wanted, begin, end - max(DELAYS_S))
    prices = PriceBook(world).at
    found = {}
    for number, mine in trades.items():
        if any(trade.amount > 0 for trade in mine):
            found[wanted[number]] = {delay: copied(mine, prices, delay, end) for delay in DELAYS_S}
    return found


def copied(trades: Sequence[Trade], prices: Prices, delay: int, end: int) -> float:
    """Return profit over stakes of copying some trades, oldest first, so many seconds late; at least one is a buy."""
    paid = got = 0.0
    theirs: defaultdict[int, int] = defaultdict(int)
    own: defaultdict[int, float] = defaultdict(float)
    for trade, price in zip(trades, _prices_of(trades, prices, delay), strict=True):
        if trade.amount > 0:
            theirs[trade.asset] += trade.amount
            own[trade.asset] += (1.0 - COST) / price
            paid += 1.0
        elif theirs[trade.asset] > 0:
            share = min(1.0, -trade.amount / theirs[trade.asset])
            theirs[trade.asset] = max(0, theirs[trade.asset] + trade.amount)
            got += own[trade.asset] * share * price * (1.0 - COST)
            own[trade.asset] *= 1.0 - share
    for asset, amount in own.items():
        got += amount * float(prices(asset, np.array([end]))[0]) * (1.0 - COST)
    return got / paid - 1.0


def _prices_of(trades: Sequence[Trade], prices: Prices, delay: int) -> list[float]:
    """Return the price that each trade is copied at; asked for by asset, which is faster than one by one."""
    found = np.zeros(len(trades))
    assets = np.array([trade.asset for trade in trades])
    times = np.array([trade.time + delay for trade in trades])
    for asset in np.unique(assets).tolist():
        mine = assets == asset
        found[mine] = prices(asset, times[mine])
    return list(found.tolist())


def mean_returns(returns: Mapping[str, Returns], wallets: Iterable[str]) -> dict[int, float | None]:
    """Return the mean over some wallets, each counted alike, by delay; None where none of them was copied."""
    mine = [returns[wallet] for wallet in wallets if wallet in returns]
    return {delay: sum(one[delay] for one in mine) / len(mine) if mine else None for delay in DELAYS_S}


def trades_of(world: MarketWorld, wallets: Iterable[int], begin: int, end: int) -> dict[int, list[Trade]]:
    """Return what some wallets did in (begin, end], netted by transaction and token, oldest first."""
    rows = world.rows
    mine = np.nonzero((rows.time > begin) & (rows.time <= end) & np.isin(rows.wallet, list(wallets)))[0]
    pools = rows.pool[mine]
    columns = (rows.time, rows.wallet, rows.tx, rows.sells_a, rows.amount_a, rows.amount_b)
    a, b = world.pools.a[pools].tolist(), world.pools.b[pools].tolist()
    net: dict[tuple[int, int], dict[int, int]] = {}
    times: dict[tuple[int, int], int] = {}
    for first, second, *row in zip(a, b, *(column[mine].tolist() for column in columns), strict=True):
        time, wallet, tx, sells_a, amount_a, amount_b = row
        deltas = net.setdefault((wallet, tx), {})
        times[wallet, tx] = time
        sign = -1 if sells_a else 1
        deltas[first] = deltas.get(first, 0) + sign * amount_a
        deltas[second] = deltas.get(second, 0) - sign * amount_b
    found: dict[int, list[Trade]] = {}
    for wallet, tx in sorted(net, key=lambda key: (key[0], times[key], key[1])):
        found.setdefault(wallet, []).extend(_trades(times[wallet, tx], net[wallet, tx]))
    return found


def _trades(time: int, deltas: Mapping[int, int]) -> Iterator[Trade]:
    # what is sold comes first: a switch pays for one token with another
    for asset, amount in sorted(deltas.items(), key=lambda delta: (delta[1], delta[0])):
        if asset >= QUOTE_ASSETS and amount:
            yield Trade(time, asset, amount)
