"""What the hard market's prices and volumes were step by step, kept for the tokens that were alive in a step."""

from __future__ import annotations

import numpy as np

from smart_trader.sandbox.market.history import BEFORE, Series
from smart_trader.sandbox.market.state import Floats, Ints

FIELDS = 6


class LivingHistory:
    """Steps as they come; a token's series is put together when it is asked for.

    Hundreds of tokens die within hours: a table of all tokens at all steps would be mostly empty.
    """

    def __init__(self) -> None:
        self.count = 0
        self._steps: list[tuple[Ints, Floats]] = []
        self._before: dict[int, Floats] = {}
        self._sorted: tuple[int, Ints, Ints, Floats] | None = None

    def add(self, alive: Ints, values: Floats) -> None:
        """Note a step's end: of each living token price, liquidity, USD bought and sold, numbers of both."""
        self._steps.append((alive, values))
        self.count += 1

    def remember(self, asset: int, prices: Floats, bought: float, liquidity: float) -> None:
        """Put in what happened to a token before genesis: prices, oldest first, and the USD of each side in a step."""
        values = np.zeros((FIELDS, len(prices)))
        values[0], values[1], values[2:4] = prices, liquidity, bought
        values[4:6] = np.floor(bought / 180.0)
        self._before[asset] = values

    def series(self, asset: int) -> Series:
        """Return a token's series over all steps; when it is dead its price stays and nothing is traded."""
        whole = np.zeros((FIELDS, BEFORE + self.count))
        whole[0] = np.nan
        before = self._before.get(asset)
        last = 0
        if before is not None:
            whole[:, BEFORE - before.shape[1] : BEFORE] = before
            last = BEFORE
        assets, steps, values = self._by_asset()
        begin, end = np.searchsorted(assets, [asset, asset + 1])
        if end > begin:
            whole[:, BEFORE + steps[begin:end]] = values[:, begin:end]
            last = BEFORE + int(steps[end - 1]) + 1
        if last:
            whole[0, last:], whole[1, last:] = whole[0, last - 1], whole[1, last - 1]
        return Series(*whole)

    def _by_asset(self) -> tuple[Ints, Ints, Floats]:
        if self._sorted is None or self._sorted[0] != self.count:
            assets = np.concatenate([alive for alive, _ in self._steps] or [np.zeros(0, np.int64)])
            steps = np.repeat(np.arange(self.count), [len(alive) for alive, _ in self._steps])
            values = np.concatenate([values for _, values in self._steps] or [np.zeros((FIELDS, 0))], axis=1)
            order = np.argsort(assets, kind="stable")
            self._sorted = (self.count, assets[order], steps[order], values[:, order])
        return self._sorted[1:]
