"""What comes into the hard market: what is there at genesis, launches, and tokens that nobody bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from smart_trader.sandbox.market.hard.kinds import AIRDROP_SELLER, DUST_SPAMMER
from smart_trader.sandbox.market.hard.lives import BLUE, LIVE, MONEY, Token, death, launched, money
from smart_trader.sandbox.market.hard.phases import deposit, live, more_pools
from smart_trader.sandbox.market.hard.programs import Programme, airdrop, dust
from smart_trader.sandbox.market.hard.settling import NORMAL
from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.tokens import DAY
from smart_trader.sandbox.market.venues import CURVE

if TYPE_CHECKING:
    from smart_trader.sandbox.market.hard.world import HardWorld

QUOTE_POOL_USD = 6e7
# one part in so many of a supply is the most that anybody gets at once without buying
MOST_AT_ONCE = 2000


def found(world: HardWorld) -> None:
    """Enter what there is at genesis: quote money, and tokens that live already."""
    for token in money():
        world.enter(token)
    for asset, token in enumerate(world.tokens):
        for place, venue in enumerate(token.venues):
            world.machine.open_pool(asset, place, 1, venue, QUOTE_POOL_USD / (1, 3, 2)[place])
        world.history.remember(asset, np.full(BEFORE, token.price), 2e6, QUOTE_POOL_USD)
        world.turnover[asset] = 0.01
    rng = np.random.Generator(np.random.Philox(key=[world.seed, 4]))
    for token in launched(world.seed, world.genesis, -1):
        asset = world.enter(token)
        world.machine.open_pool(asset, 0, token.quote, token.venues[0], token.liquidity)
        more_pools(world, asset)
        live(world, asset, rng)
        remember(world, asset, rng)
        deposit(world, asset, 0.02 if token.ending == BLUE else 0.004)


def remember(world: HardWorld, asset: int, rng: np.random.Generator) -> None:
    """Make up what a token did before genesis, walking back from its price."""
    token = world.tokens[asset]
    age = min(BEFORE, (world.genesis - token.launched_at) // STEP)
    chance = (rng.random((4, age)).sum(axis=0) - 2.0) * NORMAL
    growth = np.maximum(1.0 + world.drift[asset] * (STEP / DAY) + token.noise * 0.5 * chance, 0.5)
    prices = token.price / np.cumprod(growth)[::-1]
    world.history.remember(asset, prices, world.turnover[asset] * token.liquidity / 8, token.liquidity)


def launch_due(world: HardWorld, begin: int, rng: np.random.Generator) -> None:
    """Let everything come that is due in a step."""
    day = (begin - world.genesis) // DAY
    if begin == world.genesis + day * DAY:
        world.due.clear()
        for token in launched(world.seed, world.genesis, day):
            world.due.setdefault((token.launched_at - world.genesis) // STEP, []).append(token)
    for token in world.due.get((begin - world.genesis) // STEP, ()):
        launch(world, token, rng)
    if begin == world.genesis + day * DAY:
        withdraw_tokens(world, begin, rng)
        count_taken(world)
    spammers = world.of_kind[DUST_SPAMMER]
    if len(spammers) and rng.random() < len(spammers) / (3 * 96):
        spam(world, begin, int(spammers[int(rng.random() * len(spammers))]), rng)


def launch(world: HardWorld, token: Token, rng: np.random.Generator) -> None:
    """Let a token be launched."""
    asset = world.enter(token)
    world.machine.open_pool(asset, 0, 0, CURVE, token.liquidity)
    # the crowd's orders make the price until the launch is through
    world.newest = token.launched_at
    world.calm[asset] = Programme(world, asset, rng).schedule()
    world.turnover[asset] = 1.0
    if token.ending != LIVE:
        world.dies[asset] = max(death(rng, token), int(world.calm[asset]) + STEP)
    if rng.random() < 0.2:
        airdrop(world, asset, AIRDROP_SELLER, rng)
    world.is_stale = True


def withdraw_tokens(world: HardWorld, time: int, rng: np.random.Generator) -> None:
    """Let some wallets take tokens from an exchange, where they bought them unseen."""
    chance = rng.random((2, len(world.pace)))
    lives = [asset for asset in world.alive.tolist() if world.tokens[asset].ending == LIVE and world.calm[asset] < time]
    for wallet in np.nonzero(chance[0] < world.withdraws)[0].tolist() if lives else []:
        asset = lives[int(chance[1][wallet] * len(lives))]
        usd = float(world.wallets.size[wallet]) * (0.5 + chance[0][wallet])
        amount = int(usd / world.market.assets.usd[asset] * world.market.assets.scale[asset])
        world.receive(time, wallet, asset, min(amount, world.tokens[asset].supply // MOST_AT_ONCE))


def count_taken(world: HardWorld) -> None:
    """Note what share of each supply wallets hold: providers cannot put in what is not theirs."""
    _, _, tokens, amounts = world.arrays
    held = np.bincount(tokens, amounts, len(world.tokens))
    supply = np.array([float(token.supply) for token in world.tokens])
    world.taken[: len(held)] = np.minimum(held / supply, 0.8)


def spam(world: HardWorld, time: int, spammer: int, rng: np.random.Generator) -> None:
    """Send many wallets the newest token, if it was launched before."""
    asset = len(world.tokens) - 1
    if world.tokens[asset].launched_at < time and world.tokens[asset].ending != MONEY:
        wallets, amounts = dust(world, time, asset, rng)
        world.records.dust.append((time, asset, wallets[wallets != spammer], amounts[wallets != spammer]))
