"""What a token was worth at any second of a world: the price a copier would have met.

A token's price is that of its newest trade in a pool, by a known wallet or by the crowd. It is USD for one whole token.

    from smart_trader.sandbox.market.prices import asset_numbers, price_at

    asset = asset_numbers(world)[mint]
    price_at(world, asset, [bought_at + 60, sold_at + 60])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.interface import MarketWorld
from smart_trader.sandbox.market.state import Floats, Ints


class PriceSeries(NamedTuple):
    """One token's prices: `usd[n]` holds from unix time `time[n]` until the next; of one second, the last price."""

    time: Ints
    usd: Floats


def asset_numbers(world: MarketWorld) -> dict[str, int]:
    """Return the number of each asset that exists so far, by its mint."""
    return {token.mint: number for number, token in enumerate(world.tokens)}


def price_series(world: MarketWorld, asset: int) -> PriceSeries:
    """Return an asset's prices up to the end of the world's last step.

    Args:
        world: Carried as far as prices are needed.
        asset: Its number, from `asset_numbers`.
    """
    rows = world.rows
    mine = np.nonzero((world.pools.a[rows.pool] == asset) & (rows.amount_a > 0))[0]
    # the crowd trades last in a step: what it leaves is the price at the step's end
    settled = world.history.series(asset).price
    known = np.nonzero(~np.isnan(settled))[0]
    settled_at = world.genesis + (known - BEFORE + 1) * STEP
    crowd_at, crowd = world.crowd_ticks(asset)
    time = np.concatenate([rows.time[mine], crowd_at, settled_at])
    usd = np.concatenate([rows.price_a[mine], crowd, settled[known]])
    order = np.argsort(time, kind="stable")
    return PriceSeries(time[order], usd[order])


def price_at(world: MarketWorld, asset: int, times: Sequence[int] | npt.ArrayLike) -> Floats:
    """Return what one whole token was worth in USD at each of some unix times.

    Args:
        world: Carried at least as far as the latest time.
        asset: Its number, from `asset_numbers`.
        times: Unix seconds, in any order.

    Returns:
        A price for each time; NaN where the token had not traded yet.

    Raises:
        ValueError: A time lies behind what the world covers.
    """
    wanted = np.asarray(times, np.int64)
    if wanted.size and int(wanted.max()) > world.now:
        raise ValueError(f"time {int(wanted.max())} lies behind {world.now}, up to which the world is carried")
    series = price_series(world, asset)
    newest = np.searchsorted(series.time, wanted, side="right") - 1
    found = series.usd[np.maximum(newest, 0)] if len(series.usd) else np.zeros(wanted.shape)
    return np.where(newest >= 0, found, np.nan)
