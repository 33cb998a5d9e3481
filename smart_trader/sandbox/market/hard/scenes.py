"""What there is to pick in a step of the hard market, and who acts in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smart_trader.sandbox.market.hard.kinds import FOLLOWER, SANDWICH
from smart_trader.sandbox.market.hard.machine import Places
from smart_trader.sandbox.market.hard.settling import liquidity_of
from smart_trader.sandbox.market.hard.state import Scene, form_of, held_in
from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.tokens import FOREVER, HOUR

if TYPE_CHECKING:
    from smart_trader.sandbox.market.hard.world import HardWorld

FRESH_FOR = 1200
THIN_USD = 600_000.0


def scene_of(world: HardWorld, begin: int) -> Scene:
    """Return what can be picked from a time on."""
    alive = world.alive[world.alive > 2]
    fresh_since = begin - FRESH_FOR
    launched_at = world.launched_at[alive]
    calm = world.calm[alive] < begin
    fresh = alive[(launched_at > fresh_since) & (launched_at < begin)]
    live = alive[calm & (world.dies[alive] == FOREVER)]
    fair = Places(live, world.compiled).reals(world.market.assets.fair)
    # what rose lately is talked about more
    risen = fair / world.mean[live]
    taste = world.fame[live] * np.where(risen > 1.2, 3.0, np.where(risen > 1.0, 1.4, 1.0))
    hype = np.cumsum(taste) / taste.sum()
    hype[-1] = 1.0
    rising = live[world.drift[live] > 0.05]
    small = liquidity_of(world, live) < THIN_USD
    fading = alive[calm & (world.dies[alive] < FOREVER) & (world.dies[alive] > begin + 2 * HOUR)]
    columns = {
        "live": live, "hype": hype, "rising": rising, "sound": rising[world.is_sound[rising]], "fresh": fresh,
        "thin": np.append(live[small], fading), "several": live[world.machine.pool_at(live, 1) >= 0],
        "attackers": world.of_kind[SANDWICH], "followers": world.of_kind[FOLLOWER],
    }  # fmt: skip
    scene = form_of(Scene, world.compiled)
    return scene(**{name: held_in(column, world.compiled) for name, column in columns.items()})


def occasions(world: HardWorld, begin: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return who acts when in a step, in order of time."""
    chance = rng.random((2, len(world.pace)))
    retired = (world.until <= begin) & (world.style < 0)
    acting = (chance[0] < world.pace * STEP) & (world.begins <= begin) & ~retired
    wallets = np.nonzero(acting)[0]
    times = begin + (chance[1][wallets] * STEP).astype(np.int64)
    order = np.argsort(times, kind="stable")
    return held_in(times[order], world.compiled), held_in(wallets[order], world.compiled)
