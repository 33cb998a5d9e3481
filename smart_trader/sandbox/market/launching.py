"""Tokens come into the world, change phase and die; insiders know of them in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.simulation import AIRDROP_SELLER, BUY, EXCHANGE, INSIDER, SELL
from smart_trader.sandbox.market.state import BRIDGE, POOLS, Assets, Ints, Scene, Scheduled, Transfer
from smart_trader.sandbox.market.tokens import (
    DAY,
    DEAD,
    FADE,
    FLAT,
    FOREVER,
    HOUR,
    PUMP,
    QUOTES,
    UNBORN,
    Phase,
    Token,
    launched,
)  # fmt: skip

if TYPE_CHECKING:
    from smart_trader.sandbox.market.world import World

LEFT_AFTER_RUG = 0.02
PRICE_AFTER_RUG = 0.05
LOWEST_PRICE = 0.05
QUOTE_POOL_USD = 6e7
# how a token's liquidity is spread over one, two or three pools
POOL_DEPTHS = {1: (1.0,), 2: (0.77, 0.23), 3: (0.7, 0.2, 0.1)}
# one part in so many of an established token's supply lies with exchanges
EXCHANGES_HOLD = 15


class Paths:
    """Each asset's fair price, the one the crowd trades towards, and what moves it."""

    def __init__(self) -> None:
        self.fair, self.floor, self.drift, self.noise, self.turnover = (np.zeros(0) for _ in range(5))
        self.number = np.zeros(0, np.int64)

    def add(self, price: float) -> None:
        """Begin an asset's path."""
        for name, value in (("fair", price), ("floor", price * LOWEST_PRICE), ("drift", 0.0), ("noise", 0.0)):
            setattr(self, name, np.append(getattr(self, name), value))
        self.turnover = np.append(self.turnover, 0.0)
        self.number = np.append(self.number, -1)

    def enter(self, asset: int, number: int, phase: Phase) -> None:
        """Let an asset live by one of its phases."""
        self.number[asset] = number
        self.drift[asset], self.noise[asset], self.turnover[asset] = phase.drift, phase.noise, phase.turnover

    def move(self, world: World, rng: np.random.Generator) -> None:
        """Move every fair price by a step."""
        chance = np.clip(rng.standard_normal(len(self.fair)), -3.0, 3.0)
        growth = 1.0 + self.drift * (STEP / DAY) + self.noise * (STEP / HOUR) ** 0.5 * chance
        self.fair = np.maximum(self.fair * growth, self.floor)
        world.assets.usd[1:3] = self.fair[1:3]


def no_assets(size: int) -> Assets:
    """Return room for assets."""

    def whole() -> Ints:
        return np.zeros(size, np.int64)

    pools = np.full((size, POOLS), -1, np.int64)
    return Assets(
        np.zeros(size), np.zeros(size), whole(), whole(), pools, np.zeros(size), np.zeros(size), whole(), whole()
    )


def begin(world: World) -> None:
    """Put in the quote assets and the tokens that are older than the world."""
    for token in QUOTES:
        _enter(world, token)
    for asset, token in enumerate(QUOTES):
        world.paths.enter(asset, 0, Phase(FLAT, FOREVER, 0.0, 0.0045 if asset == 0 else 0.00002, 0.01))
        world.assets.phase[asset], world.assets.ends[asset] = FLAT, FOREVER
        for place, venue in enumerate(token.venues):
            _open_pool(world, asset, place, 1, venue, QUOTE_POOL_USD / (1, 3, 2)[place])
        world.history.remember(asset, np.full(BEFORE, token.price), np.full(BEFORE, 2e6), QUOTE_POOL_USD)
    for token in launched(world.seed, world.genesis, -1):
        _launch(world, token)
    world.assets.usd[0] = world.paths.fair[0]


def launch_due(world: World, begin: int, rng: np.random.Generator) -> None:
    """Launch the tokens whose time falls into a step."""
    for day in {(begin - world.genesis) // DAY, (begin + STEP - 1 - world.genesis) // DAY}:
        for token in launched(world.seed, world.genesis, day):
            if begin <= token.launched_at < begin + STEP:
                asset = _launch(world, token)
                _tell_insiders(world, token, asset)
                if rng.random() < 0.4:
                    _airdrop(world, token, asset, rng)


def change_phases(world: World, begin: int) -> None:
    """Let tokens whose phase is over live by the next; some lose their liquidity."""
    assets, count = world.assets, len(world.tokens)
    for asset in np.nonzero(assets.ends[:count] <= begin)[0].tolist():
        number, phases = int(world.paths.number[asset]) + 1, world.tokens[asset].phases
        while phases[number].until <= begin:
            number += 1
        phase = phases[number]
        world.paths.enter(asset, number, phase)
        assets.phase[asset], assets.ends[asset] = phase.kind, phase.until
        if phase.rug:
            _rug(world, asset, begin)


def scene(world: World) -> Scene:
    """Return what can be bought now."""
    phase = world.assets.phase[3 : len(world.tokens)]
    kinds = [np.nonzero(phase == kind)[0] + 3 for kind in (PUMP, FADE)]
    live = np.nonzero((phase != UNBORN) & (phase != DEAD))[0] + 3
    # the crowd's taste: rising tokens above all, but others too
    taste = np.array([0.0, 1.0, 1.9, 1.7, 0.0])[world.assets.phase[live]]
    return Scene(live, np.cumsum(taste) / taste.sum(), *kinds)


def _enter(world: World, token: Token) -> int:
    asset = len(world.tokens)
    world.make_room(asset + 1, world.pool_count + POOLS)
    world.tokens.append(token)
    world.paths.add(token.price)
    world.assets.scale[asset], world.assets.usd[asset] = 10.0**token.decimals, token.price
    world.assets.pools[asset] = -1
    return asset


def _launch(world: World, token: Token) -> int:
    asset = _enter(world, token)
    number = next(n for n, phase in enumerate(token.phases) if phase.until > max(world.genesis, token.launched_at))
    phase = token.phases[number]
    world.paths.enter(asset, number, phase)
    world.assets.phase[asset], world.assets.ends[asset] = phase.kind, phase.until
    depths = POOL_DEPTHS[len(token.venues)]
    for place, venue in enumerate(token.venues):
        _open_pool(world, asset, place, token.quote, venue, token.liquidity * depths[place])
    blues = [number for number, other in enumerate(world.tokens) if number > 2 and other.phases[0].until == FOREVER]
    if token.bridged and blues:
        _open_pool(world, asset, BRIDGE, blues[asset % len(blues)], (0, 2, 3)[asset % 3], token.liquidity * 0.1)
    exchanges = np.nonzero(world.wallets.kind == EXCHANGE)[0].tolist()
    if token.phases[0].kind != FADE:
        for wallet in exchanges:
            share = token.supply // (EXCHANGES_HOLD if token.phases[0].until == FOREVER else 8 * EXCHANGES_HOLD)
            _receive(world, max(token.launched_at, world.genesis), wallet, asset, share // len(exchanges))
    _remember(world, token, asset)
    return asset


def _remember(world: World, token: Token, asset: int) -> None:
    """Make up what a token did before genesis, walking back from its price."""
    age = min(BEFORE, (world.genesis - token.launched_at) // STEP)
    if age <= 0:
        return
    rng = np.random.Generator(np.random.Philox(key=[world.seed, 2 * 10**6 + asset]))
    phase = token.phases[int(world.paths.number[asset])]
    chance = np.clip(rng.standard_normal(age), -3.0, 3.0)
    growth = 1.0 + phase.drift * (STEP / DAY) + phase.noise * (STEP / HOUR) ** 0.5 * chance
    prices = token.price / np.cumprod(growth)[::-1]
    bought = np.full(age, phase.turnover * token.liquidity * (STEP / HOUR) / 2)
    world.history.remember(asset, prices, bought, token.liquidity)


def _open_pool(world: World, asset: int, place: int, against: int, venue: int, liquidity: float) -> None:
    pool, assets = world.pool_count, world.assets
    world.pools.a[pool], world.pools.b[pool], world.pools.venue[pool] = asset, against, venue
    for side, reserve in ((asset, world.pools.reserve_a), (against, world.pools.reserve_b)):
        reserve[pool] = int(liquidity / 2 / assets.usd[side] * assets.scale[side])
    assets.pools[asset, place] = pool
    world.pool_count += 1


def _rug(world: World, asset: int, begin: int) -> None:
    for pool in world.assets.pools[asset].tolist():
        if pool >= 0:
            for reserve in (world.pools.reserve_a, world.pools.reserve_b):
                reserve[pool] = int(reserve[pool] * LEFT_AFTER_RUG)
            world.drained[pool] = begin
    world.paths.fair[asset] = max(world.paths.fair[asset] * PRICE_AFTER_RUG, world.paths.floor[asset])


def _tell_insiders(world: World, token: Token, asset: int) -> None:
    if token.phases[0].kind != PUMP or len(token.phases) < 2:
        return
    end = token.phases[0].until
    for wallet in np.nonzero(world.wallets.kind == INSIDER)[0].tolist():
        # each insider knows of two launches in three
        if (wallet + asset) % 3:
            world.scheduled.append(Scheduled(token.launched_at + 20 + wallet % 180, wallet, BUY, asset))
            world.scheduled.append(Scheduled(end - HOUR - wallet % 600, wallet, SELL, asset))


def _airdrop(world: World, token: Token, asset: int, rng: np.random.Generator) -> None:
    for wallet in np.nonzero(world.wallets.kind == AIRDROP_SELLER)[0].tolist():
        usd = float(rng.uniform(20, 300))
        amount = int(usd / token.price * world.assets.scale[asset])
        if (world.wallets.slots[wallet] == 0).any():
            _receive(world, token.launched_at, wallet, asset, amount)


def _receive(world: World, time: int, wallet: int, asset: int, amount: int) -> None:
    """Give a wallet tokens it did not buy; they cost it nothing."""
    world.wallets.balance[wallet, asset] += amount
    slots = world.wallets.slots[wallet]
    if asset not in slots and (slots == 0).any():
        slots[int(np.argmax(slots == 0))] = asset
    world.transfers.append(Transfer(time, wallet, asset, amount))
