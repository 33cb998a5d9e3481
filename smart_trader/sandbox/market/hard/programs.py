"""What happens around a launch, second by second: who knows of it, when the crowd comes, when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from smart_trader.sandbox.market.hard.events import push
from smart_trader.sandbox.market.hard.kinds import (
    BUNDLE,
    BUY,
    CROWD,
    DEPLOYER,
    DRAIN,
    FRESH_LAUNCHER,
    INSIDER,
    MIGRATE,
    NOISE,
    ONE_HIT,
    SELL,
    SNIPER,
)  # fmt: skip
from smart_trader.sandbox.market.hard.lives import DUD, FADE, LIVE, RUG
from smart_trader.sandbox.market.tokens import DAY

if TYPE_CHECKING:
    from smart_trader.sandbox.market.hard.world import HardWorld

Steps = tuple[tuple[int, float], ...]
# seconds, and the share of the way the price has gone by then
POP: Steps = ((2, 0.86), (3, 0.91), (5, 0.96), (10, 1.0))
JUMP: Steps = ((1, 0.56), (2, 0.66), (4, 0.74), (8, 0.81), (15, 0.86), (30, 0.9), (60, 0.94), (120, 0.97), (240, 1.0))
CRASH: Steps = (
    *((1, 0.36), (2, 0.5), (4, 0.6), (8, 0.68), (15, 0.74), (30, 0.8), (60, 0.86), (120, 0.92), (300, 0.97)),
    (800, 1.0),
)
# a launch that nothing comes of is forgotten by and by
SAG: Steps = ((75, 0.15), (110, 0.35), (150, 0.55), (220, 0.8), (300, 1.0))
# the crowd stays at least so long, longer than a slow copier needs
LEAST_STAY = 330
# of a curve's quote money, what those who know put in together at most
KNOWING_SHARE = 0.2


class Programme:
    """One launch: its turning points, and the orders of those who have a part in it.

    Args:
        world: Where it takes place.
        asset: The launched token.
        rng: The step's.
    """

    def __init__(self, world: HardWorld, asset: int, rng: np.random.Generator) -> None:
        self.world, self.asset, self.rng = world, asset, rng
        self.token = world.tokens[asset]
        self.begin = self.token.launched_at
        self.is_jump = self.token.ending != DUD
        u = rng.random(6).tolist()
        self.jump = self.begin + 40 + int(u[0] * 180)
        # some duds do not even wait for the snipers
        early = not self.is_jump and u[1] < 0.2
        wait = int(20 + u[2] * 70) if early else LEAST_STAY + 20 + int(u[2] * 600)
        self.end = (self.jump if self.is_jump else self.begin) + wait
        low, high = {DUD: (1.0, 1.0), RUG: (2.0, 4.5), FADE: (2.6, 7.0), LIVE: (2.6, 6.0)}[self.token.ending]
        self.height = low + (high - low) * u[3] * u[3]
        self.pop = 1.35 + 0.8 * u[4]
        left = {DUD: (0.3, 0.5), RUG: (0.3, 0.5), FADE: (0.25, 0.4), LIVE: (0.45, 0.75)}[self.token.ending]
        self.left = left[0] + (left[1] - left[0]) * u[5]

    def schedule(self) -> int:
        """Put everything into the queue; returns when the crowd is through with the launch."""
        self._move(self.begin, POP, self.pop)
        if self.is_jump:
            self._move(self.jump, JUMP, self.height)
        elif self.end > self.begin + SAG[-1][0]:
            self._move(self.begin, SAG, 0.55 + 0.3 * self.rng.random())
        self._move(self.end, CRASH, self.left)
        if self.token.ending in (FADE, LIVE):
            self._push(self.jump + 150 + int(self.rng.random() * 150), -1, MIGRATE, self.world.new_pool(self.asset))
        if self.token.ending == RUG:
            self._push(self.end + 60 + int(self.rng.random() * 1500), -1, DRAIN, 0.03)
        self._deploy()
        orders = [*self._snipers(), *self._bundles(), *self._knowing()]
        # many who know share what a curve bears
        most = KNOWING_SHARE * self.token.liquidity / 2 / max(1, len(orders))
        for wallet, bought_at, sold_at in orders:
            usd = min(float(self.world.wallets.size[wallet]) * (0.6 + 0.8 * self.rng.random()), max(most, 5.0))
            self._push(bought_at, wallet, BUY, usd)
            self._push(sold_at, wallet, SELL, 1.0)
        return self.end + 800

    def _push(self, time: int, wallet: int, order: int, value: float) -> None:
        push(self.world.market, time, wallet, order, self.asset, float(value))

    def _move(self, begin: int, steps: Steps, goal: float) -> None:
        before = 1.0
        for after, share in steps:
            level = 1.0 + (goal - 1.0) * share
            self._push(begin + after, -1, CROWD, level / before)
            before = level

    def _chosen(self, kind: int, chance: float) -> list[int]:
        """Return the wallets of a kind that take part, each as often as it does at most and dares to."""
        members = self.world.of_kind[kind]
        return [int(number) for number in members[self.rng.random(len(members)) < chance * self.world.part[members]]]

    def _leaves(self) -> int:
        """Return when one who knows leaves: with the last of the crowd, now and then too early."""
        if self.rng.random() < 0.12:
            return self.begin + 30 + int(self.rng.random() * (self.end - self.begin - 30))
        return self.end - int(self.rng.random() * 2)

    def _snipers(self) -> list[tuple[int, int, int]]:
        """The first seconds are theirs, whatever becomes of the launch; a few take a quick profit."""
        orders = []
        for wallet in self._chosen(SNIPER, 0.55):
            bought_at = self.begin + int(self.rng.random() * 2)
            # out at once, before anything can happen, or with the last; few sit through a jump
            is_flip = self.rng.random() < (0.7 if self.is_jump else 0.2)
            sold_at = self.begin + 7 + int(self.rng.random() * 6) if is_flip else self._leaves()
            orders.append((wallet, bought_at, sold_at))
        return orders

    def _bundles(self) -> list[tuple[int, int, int]]:
        """Wallets of one owner buy in the block of the launch and sell one after the other."""
        members = self.world.of_kind[BUNDLE]
        orders = []
        firsts = [int(number) for number in members if self.world.partner[number] == number]
        for first in firsts:
            if self.rng.random() < 0.05:
                for wallet in members[self.world.partner[members] == first].tolist():
                    orders.append((wallet, self.begin, max(self.begin + 20, self.end - int(self.rng.random() * 5))))
        return orders

    def _knowing(self) -> list[tuple[int, int, int]]:
        """Insiders, who know of some launches, and new wallets and lucky ones, who are there once."""
        orders = []
        if not self.is_jump:
            # what they buy among the duds hides what they know, and costs them a little
            for wallet in self._chosen(INSIDER, 0.28 * self.world.spec.strength):
                bought_at = self.begin + 20 + int(self.rng.random() * 200)
                orders.append((wallet, bought_at, bought_at + 60 + int(self.rng.random() * 2400)))
            return orders
        for wallet in self._chosen(INSIDER, 0.6):
            orders.append((wallet, self.jump - int(self.rng.random() * 2), self._leaves()))
        today = (self.begin - self.world.genesis) // DAY
        for wallet in self.world.of_kind[FRESH_LAUNCHER].tolist():
            if (int(self.world.begins[wallet]) - self.world.genesis) // DAY == today and self.rng.random() < 0.3:
                orders.append((wallet, self.jump - int(self.rng.random() * 2), self._leaves()))
        memory = self.world.wallets.memory
        for wallet in self.world.of_kind[ONE_HIT].tolist():
            if memory[wallet] == 0 and self.rng.random() < 0.03:
                memory[wallet] = 1
                orders.append((wallet, self.jump - int(self.rng.random() * 2), self._leaves()))
        return orders

    def _deploy(self) -> None:
        """The deployer buys first and sells in parts while others buy; badly hidden ones keep a part unbought."""
        makers = self.world.of_kind[DEPLOYER]
        if not len(makers):
            return
        wallet = int(makers[int(self.rng.random() * len(makers))])
        if self.rng.random() > self.world.part[wallet]:
            # nobody's known wallet deployed this one
            return
        self.world.deployers[self.asset] = wallet
        self._push(self.begin, wallet, BUY, float(self.world.wallets.size[wallet]))
        if self.rng.random() > 0.3 + 0.6 * self.world.spec.strength:
            self.world.receive(self.begin, wallet, self.asset, self.token.supply // 400)
        for number in range(3):
            sold_at = self.end - 3 + number * 4
            self._push(max(sold_at, self.begin + 20 + number), wallet, SELL, 0.45 if number < 2 else 1.0)


def airdrop(world: HardWorld, asset: int, kind: int, rng: np.random.Generator) -> None:
    """Give a new token to those who wait for it, and to a few who do not."""
    token = world.tokens[asset]
    for members, chance in ((world.of_kind[kind], 0.5), (world.of_kind[NOISE], 0.01)):
        for wallet in members[rng.random(len(members)) < chance].tolist():
            usd = 15.0 + 200.0 * rng.random() * rng.random()
            world.receive(token.launched_at, wallet, asset, int(usd / token.price * 10**token.decimals))


def dust(world: HardWorld, time: int, asset: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return who gets how much of a worthless token."""
    count = len(world.pace)
    number = min(500, max(1, count // 12))
    wallets = np.unique((rng.random(number) * count).astype(np.int64))
    amounts = (1000 + rng.random(len(wallets)) * 1e6).astype(np.int64)
    return wallets, amounts
