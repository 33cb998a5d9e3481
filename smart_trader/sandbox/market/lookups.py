"""What the API says of single tokens: how they were made, what they are worth."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np

from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.names import address, signature
from smart_trader.sandbox.market.prices import PriceSeries, price_series
from smart_trader.sandbox.market.rows import BLOCK, BLOCK_TIME
from smart_trader.sandbox.market.state import Floats, Ints
from smart_trader.sandbox.source import Row

DAY_S = 86_400
# money, which is older than any record of its making
QUOTE_ASSETS = 3
# one token in so many has no record of its making, and one in so many none of who made it
UNRECORDED, UNSIGNED = 13, 17


class PriceBook:
    """The prices of a world, each token's series put together once a step.

    Args:
        world: Carried as far as prices are asked for.
    """

    def __init__(self, world: MarketWorld) -> None:
        self._world, self._at = world, world.now
        self._known: dict[int, PriceSeries] = {}

    def at(self, asset: int, times: Ints) -> Floats:
        """Return the newest price at each of some times; NaN where the asset had not traded yet."""
        if self._at != self._world.now:
            self._at, self._known = self._world.now, {}
        series = self._known.get(asset)
        if series is None:
            series = self._known[asset] = price_series(self._world, asset)
        newest = np.searchsorted(series.time, times, "right") - 1
        if not len(series.usd):
            return np.full(len(times), np.nan)
        return np.where(newest >= 0, series.usd[np.maximum(newest, 0)], np.nan)

    def last(self, asset: int, time: int) -> tuple[float, int]:
        """Return an asset's newest price up to a time and when it was made; NaN and 0 where there is none."""
        price = float(self.at(asset, np.array([time]))[0])
        if math.isnan(price):
            return price, 0
        series = self._known[asset]
        return price, int(series.time[int(np.searchsorted(series.time, time, "right")) - 1])


def creation_row(world: MarketWorld, asset: int) -> Row | None:
    """Return how a token was made; None for money and for the few that the API knows nothing of."""
    token = world.tokens[asset]
    if asset < QUOTE_ASSETS or asset % UNRECORDED == 5:
        return None
    made_at = datetime.fromtimestamp(token.launched_at, UTC)
    row: Row = {
        # numbers below 0, where no swap has its own
        "txHash": signature(world.seed, -asset),
        "slot": block_of(token.launched_at),
        "tokenAddress": token.mint,
        "decimals": token.decimals,
        "owner": _creator(world, asset),
        "blockUnixTime": token.launched_at,
        "blockHumanTime": f"{made_at:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    if asset % UNSIGNED == 9:
        del row["owner"]
    return row


def _creator(world: MarketWorld, asset: int) -> str:
    deployer = world.deployers.get(asset)
    return address(world.seed, "creator", asset) if deployer is None else address(world.seed, "wallet", deployer)


def price_row(world: MarketWorld, prices: PriceBook, asset: int, now: int) -> Row | None:
    """Return a token's last price at a time, with its liquidity; None where it has not traded yet."""
    price, at = prices.last(asset, now)
    if math.isnan(price):
        return None
    before, native = prices.last(asset, now - DAY_S)[0], prices.last(0, now)[0]
    step = BEFORE + min((now - world.genesis) // STEP, world.history.count) - 1
    return {
        "isScaledUiToken": False,
        "value": price,
        "updateUnixTime": at,
        "updateHumanTime": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}",
        "priceInNative": price / native,
        # a token that is younger than a day has not changed in one
        "priceChange24h": 0 if math.isnan(before) else (price / before - 1.0) * 100.0,
        "liquidity": float(world.history.series(asset).liquidity[step]),
    }


def block_of(time: int) -> int:
    """Return the number of the block at a time, as swap rows count them."""
    return BLOCK + (time - BLOCK_TIME) * 5 // 2
