"""The market carried forward in time, a quarter of an hour at a step.

A world follows from its `WorldSpec`. Each step draws its chances from (seed, step), so a world that is carried on later
is the one that would have been made at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market import crowd, launching
from smart_trader.sandbox.market.compiling import Run, kernel_for
from smart_trader.sandbox.market.history import STEP, History
from smart_trader.sandbox.market.interface import Member
from smart_trader.sandbox.market.population import populate
from smart_trader.sandbox.market.simulation import CHANCES, KINDS, ROWS_PER_INTENT, WASH_PAIR
from smart_trader.sandbox.market.spec import MOST_DAYS, WorldSpec
from smart_trader.sandbox.market.state import (
    Assets,
    Floats,
    Intents,
    Ints,
    Market,
    Pools,
    Rows,
    Scheduled,
    Transfer,
    compact,
    empty_rows,
    grown,
)  # fmt: skip
from smart_trader.sandbox.market.tokens import DAY, DEAD, Token


class World:
    """A market from genesis to the end of its last step.

    Args:
        spec: What it follows from.
        run: The kernel in a form of the caller's choice.
    """

    def __init__(self, spec: WorldSpec, run: Run | None = None) -> None:
        self.spec = spec
        self.seed, self.genesis = spec.seed, spec.genesis
        self.run = run or kernel_for(spec.wallets)
        self.tokens: list[Token] = []
        # none of its wallets deploys a token
        self.deployers: dict[int, int] = {}
        self.transfers: list[Transfer] = []
        self.scheduled: list[Scheduled] = []
        self.history = History()
        self.wallets, self.pace = populate(spec.seed, spec.wallets, 64)
        self.first_money = self.wallets.balance[:, :3].copy()
        self.assets = launching.no_assets(64)
        self.pools = Pools(*(np.zeros(128, np.int64) for _ in Pools._fields))
        self.pool_count = 0
        # since when each pool was last drained by its owner; 0 for never
        self.drained = np.zeros(128, np.int64)
        self.paths = launching.Paths()
        self.transactions = 0
        self.steps = 0
        self._chunks: list[Rows] = []
        self._joined: Rows = compact(empty_rows(0), 0)
        launching.begin(self)

    kinds: tuple[str, ...] = KINDS

    @property
    def now(self) -> int:
        """Unix time up to which the world is known."""
        return self.genesis + self.steps * STEP

    @property
    def rows(self) -> Rows:
        """Every swap row so far, in the order in which they were made."""
        if self._chunks:
            chunks = [self._joined, *self._chunks]
            joined: list[Any] = [np.concatenate(column) for column in zip(*chunks, strict=True)]
            self._joined = Rows(*joined)
            self._chunks = []
        return self._joined

    def carry_to(self, time: int) -> None:
        """Carry the world on until it covers a time.

        Raises:
            SmartTraderError: The time is further away than a market lasts.
        """
        if time > self.genesis + MOST_DAYS * DAY:
            raise SmartTraderError(
                f"{time} is more than {MOST_DAYS} days after genesis {self.genesis}", "give a later --genesis"
            )
        while self.now <= time:
            self._step()

    def held(self, asset: int, now: int) -> Ints:
        """Return what each wallet holds of an asset at the end of the last step; transfers come at its beginning."""
        return np.asarray(self.wallets.balance[:, asset].copy(), np.int64)

    def holder_counts(self) -> Ints:
        """Return how many wallets hold each asset."""
        return np.asarray(np.count_nonzero(self.wallets.balance, axis=0), np.int64)

    def is_dead(self, asset: int) -> bool:
        """Whether nobody trades an asset any more."""
        return bool(self.assets.phase[asset] == DEAD)

    def listing_time(self, asset: int) -> int | None:
        """Return when an asset was listed; the API knows nothing of before genesis."""
        launched_at = self.tokens[asset].launched_at
        return launched_at if launched_at > self.genesis else None

    def members(self) -> list[Member]:
        """Return what each wallet really is."""
        kinds, partners = self.wallets.kind.tolist(), self.wallets.partner.tolist()
        return [
            Member(KINDS[kind], partner if kind == WASH_PAIR else -1)
            for kind, partner in zip(kinds, partners, strict=True)
        ]

    def crowd_ticks(self, asset: int) -> tuple[Ints, Floats]:
        """Return nothing: here the crowd trades at the ends of steps alone."""
        return np.zeros(0, np.int64), np.zeros(0)

    def make_room(self, assets: int, pools: int) -> None:
        """Widen the arrays so that so many assets and pools fit."""
        if assets > len(self.assets.usd):
            width = assets + 64
            self.assets = Assets(*(grown(column, width) for column in self.assets))
            self.wallets = self.wallets._replace(
                balance=grown(self.wallets.balance, width, 1), cost=grown(self.wallets.cost, width, 1)
            )
        if pools > len(self.drained):
            self.pools = Pools(*(grown(column, pools + 128) for column in self.pools))
            self.drained = grown(self.drained, pools + 128)

    def _step(self) -> None:
        begin = self.now
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 10**6 + self.steps]))
        launching.launch_due(self, begin, rng)
        launching.change_phases(self, begin)
        self.paths.move(self, rng)
        for counter in (self.assets.bought, self.assets.sold, self.assets.buys, self.assets.sells):
            counter[:] = 0
        intents = self._intents(begin, rng)
        rows = empty_rows(len(intents.time) * ROWS_PER_INTENT)
        counters = np.array([0, self.transactions], np.int64)
        scene = launching.scene(self)
        self.run(Market(self.pools, self.assets, self.wallets, scene, rows, counters), intents)
        written, self.transactions = int(counters[0]), int(counters[1])
        if written:
            self._chunks.append(compact(rows, written))
        self.history.add(self.assets, len(self.tokens), crowd.settle(self, rng))
        self.steps += 1

    def _intents(self, begin: int, rng: np.random.Generator) -> Intents:
        times_each = rng.poisson(self.pace * STEP)
        wallet = np.repeat(np.arange(len(times_each), dtype=np.int64), times_each)
        time = begin + rng.integers(0, STEP, len(wallet))
        order, asset = np.zeros(len(wallet), np.int64), np.zeros(len(wallet), np.int64)
        due = [bound for bound in self.scheduled if bound.time < begin + STEP]
        if due:
            self.scheduled = [bound for bound in self.scheduled if bound.time >= begin + STEP]
            time = np.append(time, [max(bound.time, begin) for bound in due])
            wallet = np.append(wallet, [bound.wallet for bound in due])
            order = np.append(order, [bound.order for bound in due])
            asset = np.append(asset, [bound.asset for bound in due])
        chance = rng.random((len(wallet), CHANCES))
        by_time = np.argsort(time, kind="stable")
        return Intents(time[by_time], wallet[by_time], order[by_time], asset[by_time], chance[by_time])
