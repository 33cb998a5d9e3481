"""The end of a step: prices move, the crowd trades every pool to them, liquidity follows what tokens are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from smart_trader.sandbox.market.hard.lives import LIVE
from smart_trader.sandbox.market.hard.machine import Places
from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.state import Floats, Ints
from smart_trader.sandbox.market.tokens import DAY, FOREVER, HOUR

if TYPE_CHECKING:
    from smart_trader.sandbox.market.hard.world import HardWorld

NORMAL = 1.7320508075688772


class TradingFloor(NamedTuple):
    """The living tokens with their pools; `every` says for each pool which of the tokens is its side a."""

    alive: Ints
    pool_count: int
    tokens: Places
    pools: Places
    every: Ints
    b: Places
    scale_a: Floats
    scale_b: Floats
    units: Floats
    depth: Floats
    lives: npt.NDArray[np.bool_]


def liquidity_of(world: HardWorld, assets: Ints) -> Floats:
    """Return what the pools of some assets hold, both sides, in USD."""
    pools, every = world.machine.pools_of(assets)
    if not len(pools):
        return np.zeros(len(assets))
    places = Places(pools, world.compiled)
    market = world.market
    b = Places(places.wholes(market.pools.b), world.compiled)
    side = places.wholes(market.pools.reserve_b) / b.reals(market.assets.scale)
    usd = 2.0 * side * b.reals(market.assets.usd)
    return _by_token(every, usd, len(assets))


def floor_of(world: HardWorld, known: TradingFloor | None) -> TradingFloor:
    """Return the living tokens and their pools, looked up again only when they have changed."""
    alive, machine = world.alive, world.machine
    has_moved = machine.has_moved(alive[world.calm[alive] >= world.now - STEP])
    if known is not None and not has_moved and known.pool_count == machine.pool_count and known.alive is alive:
        return known
    mine, every = machine.pools_of(alive)
    pools, tokens = Places(mine, world.compiled), Places(alive, world.compiled)
    b = Places(pools.wholes(world.market.pools.b), world.compiled)
    scale = world.market.assets.scale
    listed = [world.tokens[asset] for asset in alive.tolist()]
    return TradingFloor(
        alive,
        machine.pool_count,
        tokens,
        pools,
        every,
        b,
        tokens.reals(scale)[every],
        b.reals(scale),
        np.array([token.supply / 10**token.decimals for token in listed]),
        np.array([token.depth for token in listed]),
        np.array([token.ending == LIVE for token in listed]),
    )


def settle(world: HardWorld, floor: TradingFloor, rng: np.random.Generator) -> None:
    """Move fair prices by a step, let the crowd trade every pool to them, let liquidity follow, note the step."""
    assets, pools = world.market.assets, world.market.pools
    alive, every = floor.alive, floor.every
    count = len(alive)
    chance = rng.random((7, count))
    fair = _moved(world, alive, floor.tokens.reals(assets.fair), chance)
    floor.tokens.put(assets.fair, fair)
    floor.tokens.put(assets.usd, fair)
    # what one base unit of the quoted side is worth
    unit_b = floor.b.reals(assets.usd) / floor.scale_b
    reserve_a, reserve_b = floor.pools.wholes(pools.reserve_a), floor.pools.wholes(pools.reserve_b)
    product = reserve_a.astype(np.float64) * reserve_b.astype(np.float64)
    new_a = np.maximum(np.sqrt(product / (fair[every] / floor.scale_a / unit_b)), 1000.0).astype(np.int64)
    # rounded up by more than a float can be off, so that the product never shrinks
    new_b = (product / new_a * (1.0 + 1e-12)).astype(np.int64) + 2
    moved = (new_b - reserve_b) * unit_b
    follow = _following(world, floor, fair, _by_token(every, 2.0 * new_b * unit_b, count))[every]
    new_a, new_b = (new_a * follow).astype(np.int64), (new_b * follow).astype(np.int64)
    floor.pools.put(pools.reserve_a, new_a)
    floor.pools.put(pools.reserve_b, new_b)
    liquidity = _by_token(every, 2.0 * new_b * unit_b, count)
    flow = world.turnover[alive] * liquidity * (STEP / HOUR / 2) * (0.5 + chance[6])
    bought = _by_token(every, np.maximum(moved, 0.0), count) + flow
    sold = _by_token(every, np.maximum(-moved, 0.0), count) + flow
    values = np.array([fair, liquidity, bought, sold, np.floor(bought / 180.0), np.floor(sold / 180.0)])
    tokens = floor.tokens
    flows = (assets.bought, assets.sold, assets.buys, assets.sells)
    counts = (*(tokens.reals(column) for column in flows[:2]), *(tokens.wholes(column) for column in flows[2:]))
    for row, (column, counted) in enumerate(zip(flows, counts, strict=True), 2):
        values[row] += counted
        # the next step counts from nothing
        for asset in alive[counted != 0].tolist():
            column[asset] = 0
    world.history.add(alive, values)


def _moved(world: HardWorld, alive: Ints, fair: Floats, chance: Floats) -> Floats:
    """Return prices a step later; what goes on around a launch moves them no further."""
    usual = (chance[0] + chance[1] + chance[2] + chance[3] - 2.0) * NORMAL
    # now and then a price leaps
    leap = np.where(chance[4] < 0.003, (chance[5] - 0.5) * 8.0, 0.0)
    growth = 1.0 + world.drift[alive] * (STEP / DAY) + world.noise[alive] * 0.5 * (usual + leap)
    fair = np.where(world.calm[alive] < world.now, fair * np.maximum(growth, 0.3), fair)
    world.mean[alive] += (fair - world.mean[alive]) * 0.03
    world.peak[alive] = np.maximum(world.peak[alive], fair)
    return fair


def _following(world: HardWorld, floor: TradingFloor, fair: Floats, liquidity: Floats) -> Floats:
    """Return by what factor providers change each token's liquidity: slowly towards a part of what it is worth."""
    alive = floor.alive
    # they stay a while when a price falls, as far as there are tokens to put in
    worth = floor.units * (0.65 * fair + 0.3 * world.peak[alive]) * floor.depth
    goal = np.minimum(np.minimum(worth, (0.45 - 0.5 * world.taken[alive]) * floor.units * fair), 2.9e6)
    moves = floor.lives & (world.calm[alive] < world.now) & (world.dies[alive] == FOREVER)
    change = np.where(liquidity < goal * 0.94, 1.06, np.where(liquidity > goal * 1.06, 0.97, 1.0))
    return np.asarray(np.where(moves, change, 1.0), np.float64)


def _by_token(every: Ints, values: Floats, count: int) -> Floats:
    """Add up what pools have, token by token."""
    return np.asarray(np.bincount(every, values, count), np.float64)
