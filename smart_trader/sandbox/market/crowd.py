"""The many traders that no one lists: they bring pools to the fair price; their volume is in the token list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.state import Floats
from smart_trader.sandbox.market.tokens import HOUR

if TYPE_CHECKING:
    from smart_trader.sandbox.market.world import World


def settle(world: World, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Trade every pool to the fair price at the end of a step.

    Returns:
        USD the crowd bought and sold of each asset (what moved the pools, and what went to and fro without moving
        them), and the USD its pools hold.
    """
    count, number = len(world.tokens), world.pool_count
    pools, assets, fair = world.pools, world.assets, world.paths.fair
    a, b = pools.a[:number], pools.b[:number]
    reserve_a, reserve_b = pools.reserve_a[:number], pools.reserve_b[:number]
    ratio = fair[a] / fair[b] * assets.scale[b] / assets.scale[a]
    product = reserve_a.astype(np.float64) * reserve_b.astype(np.float64)
    new_a = np.maximum(np.sqrt(product / ratio), 1000.0).astype(np.int64)
    # rounded up by more than a float can be off, so that the product never shrinks
    new_b = (product / new_a * (1.0 + 1e-12)).astype(np.int64) + 2
    moved = (new_b - reserve_b) / assets.scale[b] * fair[b]
    reserve_a[:], reserve_b[:] = new_a, new_b
    assets.usd[:count] = fair
    bought = np.bincount(a, np.maximum(moved, 0.0), count)[:count]
    sold = np.bincount(a, np.maximum(-moved, 0.0), count)[:count]
    liquidity = liquidity_usd(world)
    flow = world.paths.turnover * liquidity * (STEP / HOUR) * (0.5 + rng.random(count))
    side = 0.44 + 0.12 * rng.random(count)
    return bought + flow * side, sold + flow * (1.0 - side), liquidity


def liquidity_usd(world: World) -> Floats:
    """Return what the pools of each asset hold, both sides, in USD."""
    number, count = world.pool_count, len(world.tokens)
    b = world.pools.b[:number]
    side = world.pools.reserve_b[:number] / world.assets.scale[b] * world.assets.usd[b]
    return np.asarray(np.bincount(world.pools.a[:number], 2.0 * side, count)[:count], np.float64)
