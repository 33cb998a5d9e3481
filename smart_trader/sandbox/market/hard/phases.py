"""The phases of a token's life after its launch: it rises, falls or stays, calms down, dies or is drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from smart_trader.sandbox.market.hard.events import push
from smart_trader.sandbox.market.hard.kinds import DRAIN, EXCHANGE
from smart_trader.sandbox.market.hard.lives import BLUE, LIVE
from smart_trader.sandbox.market.hard.state import POOLS
from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.tokens import FOREVER, HOUR

if TYPE_CHECKING:
    from smart_trader.sandbox.market.hard.world import HardWorld

# a phase of a living token ends with this chance in a step: after a day on average
PHASE_ENDS = 1 / 100
RUG_AGAIN = 1 / (40 * 96)
# share of its highest price below which a token is given up
LOST = 0.03


def live(world: HardWorld, asset: int, rng: np.random.Generator) -> None:
    """Let a token rise, fall or stay for a while; nobody knows for how long."""
    which, how = rng.random(2).tolist()
    # what has risen far draws sellers
    grown = float(world.market.assets.fair[asset]) / world.tokens[asset].price
    rises = (0.48 if world.tokens[asset].is_sound else 0.3) - (0.16 if grown > 25 else 0.08 if grown > 8 else 0.0)
    turnover = 0.05 + 0.5 * how
    if world.tokens[asset].ending == BLUE:
        world.drift[asset], world.turnover[asset] = 0.012 * (how - 0.5), 0.03
    elif which < rises:
        world.drift[asset], world.turnover[asset] = 0.2 + 0.3 * how, turnover
    elif which < 0.82:
        world.drift[asset], world.turnover[asset] = -0.25 - 0.35 * how, turnover * 0.6
    else:
        world.drift[asset], world.turnover[asset] = 0.0, turnover * 0.4


def change(world: HardWorld, begin: int, rng: np.random.Generator) -> None:
    """Let tokens die, be drained or enter another phase; let liquidity follow what they are worth."""
    assets = world.market.assets
    alive = world.alive
    chance = rng.random((2, len(alive)))
    over = world.dies[alive] <= begin
    for asset in alive[over].tolist():
        assets.dead[asset] = 1
        withdraw(world, asset)
    if over.any():
        world.alive = alive[~over]
        world.is_stale = True
    lively = alive[(chance[0] < PHASE_ENDS) & ~over & (alive > 2) & (world.calm[alive] < begin)]
    for asset in lively.tolist():
        if world.tokens[asset].ending in (LIVE, BLUE):
            live(world, asset, rng)
    for asset in alive[(world.calm[alive] >= begin) & (world.calm[alive] < begin + STEP)].tolist():
        calm_down(world, asset, rng)
    for asset in alive[(chance[1] < RUG_AGAIN) & ~over & (world.calm[alive] < begin)].tolist():
        if world.tokens[asset].ending == LIVE and world.dies[asset] == FOREVER:
            push(world.market, begin + int(rng.random() * STEP), -1, DRAIN, asset, 0.03)
            world.dies[asset] = begin + 6 * HOUR
        elif world.dies[asset] == FOREVER and world.market.assets.fair[asset] < LOST * world.peak[asset]:
            world.dies[asset] = begin + 12 * HOUR


def calm_down(world: HardWorld, asset: int, rng: np.random.Generator) -> None:
    """A launch is through: what lives begins to, the rest fades."""
    world.is_stale = True
    if world.tokens[asset].ending == LIVE:
        live(world, asset, rng)
        more_pools(world, asset)
        deposit(world, asset, 0.004)
    else:
        world.drift[asset], world.turnover[asset] = -0.9, 0.25
        world.noise[asset] = 0.08


def more_pools(world: HardWorld, asset: int) -> None:
    """Open a living token's further pools: of other exchanges, and one against an established token."""
    token, assets = world.tokens[asset], world.market.assets
    main = assets.pools[asset * POOLS]
    quote = int(world.market.pools.b[main])
    depth = 2.0 * world.market.pools.reserve_b[main] / assets.scale[quote] * assets.usd[quote]
    for place, venue in enumerate(token.venues[1:3], 1):
        world.machine.open_pool(asset, place, quote, venue, depth * (0.3, 0.15)[place - 1])
    if token.is_bridged:
        world.machine.open_pool(asset, POOLS - 1, 3 + asset % 4, (0, 2, 3)[asset % 3], depth * 0.1)


def deposit(world: HardWorld, asset: int, share: float) -> None:
    """Put a part of a token's supply with exchanges, which hold and do not trade."""
    exchanges = world.of_kind[EXCHANGE]
    if len(exchanges):
        amounts = np.full(len(exchanges), int(world.tokens[asset].supply * share) // len(exchanges), np.int64)
        world.records.dust.append((max(world.tokens[asset].launched_at, world.genesis), asset, exchanges, amounts))


def withdraw(world: HardWorld, asset: int) -> None:
    """Take nearly all liquidity out of a dead token's pools, without moving its price."""
    pools = world.market.pools
    for place in range(asset * POOLS, asset * POOLS + POOLS):
        pool = world.market.assets.pools[place]
        if pool >= 0:
            pools.reserve_a[pool] = int(pools.reserve_a[pool] * 0.1)
            pools.reserve_b[pool] = int(pools.reserve_b[pool] * 0.1)
            if not pools.drained[pool]:
                pools.drained[pool] = world.now
