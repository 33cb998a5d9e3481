"""What the pools looked like step by step: the token list is made from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.state import Assets, Floats, grown

STEP = 900
# steps before genesis for which the first tokens' prices are made up
BEFORE = 200


class Series(NamedTuple):
    """One asset's values, a step each; NaN for a price it did not have yet."""

    price: Floats
    liquidity: Floats
    bought: Floats
    sold: Floats
    buys: Floats
    sells: Floats


class History:
    """One row per step, one column per asset. Volumes are USD of swaps, counts are swaps.

    `traded` is the flow of traders that the sandbox does not list: in the real market most are not tracked either, and
    without theirs no token would have the volume of one that is worth following.
    """

    def __init__(self) -> None:
        self.count = 0
        self.price = np.full((BEFORE + 512, 64), np.nan)
        self.liquidity = np.zeros((BEFORE + 512, 64))
        self.bought, self.sold, self.buys, self.sells = (np.zeros((BEFORE + 512, 64)) for _ in range(4))

    def add(self, assets: Assets, number: int, crowd: tuple[Floats, Floats, Floats]) -> None:
        """Note a step's end: prices, the wallets' volume, the crowd's buying and selling, and what the pools hold."""
        self._make_room(BEFORE + self.count + 1, number)
        row = BEFORE + self.count
        self.price[row, :number] = assets.usd[:number]
        self.liquidity[row, :number] = crowd[2]
        for mine, theirs, noted in ((assets.bought, crowd[0], self.bought), (assets.sold, crowd[1], self.sold)):
            noted[row, :number] = mine[:number] + theirs
        for counted, theirs, noted in ((assets.buys, crowd[0], self.buys), (assets.sells, crowd[1], self.sells)):
            # the crowd's swap is worth 180 USD on average
            noted[row, :number] = counted[:number] + np.floor(theirs / 180.0)
        self.count += 1

    def remember(self, asset: int, prices: Floats, bought: Floats, liquidity: float) -> None:
        """Put in what happened to a token before genesis: prices and volume of each side, oldest first."""
        self._make_room(BEFORE, asset + 1)
        rows = slice(BEFORE - len(prices), BEFORE)
        self.price[rows, asset] = prices
        self.liquidity[rows, asset] = liquidity
        self.bought[rows, asset] = self.sold[rows, asset] = bought
        self.buys[rows, asset] = self.sells[rows, asset] = np.floor(bought / 180.0)

    def series(self, asset: int) -> Series:
        """Return what is known of an asset, from `BEFORE` steps before genesis to the newest."""
        rows = slice(0, BEFORE + self.count)
        return Series(*(getattr(self, name)[rows, asset] for name in Series._fields))

    def _make_room(self, rows: int, columns: int) -> None:
        height, width = self.price.shape
        if rows > height or columns > width:
            height, width = max(height, rows * 2 if rows > height else 0), max(width, columns + 64)
            price = np.full((height, width), np.nan)
            price[: self.price.shape[0], : self.price.shape[1]] = self.price
            self.price = price
            for name in ("liquidity", "bought", "sold", "buys", "sells"):
                setattr(self, name, grown(grown(getattr(self, name), height), width, 1))
