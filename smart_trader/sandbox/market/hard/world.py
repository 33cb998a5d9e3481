"""The hard market carried forward in time, a quarter of an hour at a step; within a step, second by second.

Each step draws its chances from (seed, step), so a world that is carried on later is the one that would have been made
at once. Chances are uniform numbers, and what is computed from them needs only exact operations: no machine differs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market.hard.cast import populate
from smart_trader.sandbox.market.hard.events import push
from smart_trader.sandbox.market.hard.history import LivingHistory
from smart_trader.sandbox.market.hard.kinds import KINDS, RECEIVE, SKILLED, STYLES
from smart_trader.sandbox.market.hard.launches import found, launch_due
from smart_trader.sandbox.market.hard.lives import Token
from smart_trader.sandbox.market.hard.machine import Machine, compiled_for
from smart_trader.sandbox.market.hard.phases import change
from smart_trader.sandbox.market.hard.records import Records
from smart_trader.sandbox.market.hard.scenes import occasions, scene_of
from smart_trader.sandbox.market.hard.settling import TradingFloor, floor_of, settle
from smart_trader.sandbox.market.hard.state import DICE, SLOTS, Assets, Market
from smart_trader.sandbox.market.history import STEP
from smart_trader.sandbox.market.interface import Member
from smart_trader.sandbox.market.spec import MOST_DAYS, NO_SKILL, WorldSpec
from smart_trader.sandbox.market.state import Floats, Ints, Rows, Transfer
from smart_trader.sandbox.market.state import Pools as PoolTable
from smart_trader.sandbox.market.tokens import DAY, FOREVER
from smart_trader.sandbox.market.venues import PUMP_AMM


class HardWorld:
    """A hard market from genesis to the end of its last step.

    Args:
        spec: What it follows from; `no_skill` is the same without skilled wallets.
        compiled: Whether the kernel is machine code; by default as is faster for so many wallets. Both give the same
            bits.
    """

    kinds: tuple[str, ...] = KINDS

    def __init__(self, spec: WorldSpec, compiled: bool | None = None) -> None:
        self.spec, self.seed, self.genesis = spec, spec.seed, spec.genesis
        self.compiled = compiled_for(spec.wallets) if compiled is None else compiled
        cast = populate(spec, spec.market != NO_SKILL, self.compiled)
        self.wallets, self.pace, self.style, self.begins, self.part, self.withdraws = cast
        self.kind, self.partner = np.asarray(self.wallets.kind), np.asarray(self.wallets.partner)
        self.until = np.asarray(self.wallets.until)
        self.of_kind = [np.nonzero(self.kind == kind)[0] for kind in range(len(KINDS))]
        self.first_money = np.array(self.wallets.money, np.int64).reshape(-1, 3)
        self.tokens: list[Token] = []
        self.deployers: dict[int, int] = {}
        self.machine = Machine(spec, self.wallets, self.compiled)
        self.records = Records()
        self.history = LivingHistory()
        self.steps = 0
        # by asset: phase of its life, how prices move, how much it is talked about
        self.drift, self.noise, self.turnover, self.mean, self.peak, self.taken, self.fame = (
            np.zeros(256) for _ in range(7)
        )
        # when it dies, until when its launch is under way, when that was
        self.dies, self.calm, self.launched_at = (
            np.full(256, FOREVER, np.int64),
            np.zeros(256, np.int64),
            np.zeros(256, np.int64),
        )
        self.is_sound = np.zeros(256, bool)
        self.alive = np.zeros(0, np.int64)
        # launches by step, a day's at once
        self.due: dict[int, list[Token]] = {}
        self._cached: tuple[int, Any] = (-1, None)
        self._floor: TradingFloor | None = None
        # when the newest launch was, and whether what can be picked has changed since it was looked up
        self.newest, self.is_stale = spec.genesis, True
        found(self)

    # what can be asked

    @property
    def now(self) -> int:
        """Unix time up to which the world is known."""
        return self.genesis + self.steps * STEP

    @property
    def rows(self) -> Rows:
        """Every swap row so far, in order of time."""
        self.records.take_in(self.market)
        return self.records.rows

    @property
    def market(self) -> Market:
        """What the kernel works on."""
        return self.machine.market

    @property
    def pool_count(self) -> int:
        """How many pools there are."""
        return self.machine.pool_count

    @property
    def assets(self) -> Assets:
        """Return the kernel's assets."""
        return self.market.assets

    @property
    def pools(self) -> PoolTable:
        """Return the pools as arrays."""
        return self.arrays[0]

    @property
    def drained(self) -> Ints:
        """Return since when each pool is drained by its owner; 0 for never."""
        return self.arrays[1]

    @property
    def arrays(self) -> tuple[PoolTable, Ints, Ints, Ints]:
        """Pools, drained, and tokens and amounts of every slot: as arrays, made once a step."""
        if self._cached[0] != self.steps:
            pools = [np.array(column, np.int64) for column in self.market.pools]
            slots = [np.array(column, np.int64) for column in (self.wallets.asset, self.wallets.amount)]
            self._cached = (self.steps, (PoolTable(*pools[:5]), pools[5], *slots))
        return self._cached[1]  # type: ignore[no-any-return]

    @property
    def transfers(self) -> list[Transfer]:
        """Return every transfer, from both ends, in order of time."""
        self.records.take_in(self.market)
        return self.records.transfers()

    def held(self, asset: int, now: int) -> Ints:
        """Return what each wallet holds of an asset at the end of the last step, without transfers after `now`."""
        if asset < 3:
            return np.array(self.wallets.money[asset::3], np.int64)
        self.records.take_in(self.market)
        _, _, tokens, amounts = self.arrays
        found = np.zeros(len(self.pace), np.int64)
        mine = np.nonzero(tokens == asset)[0]
        np.add.at(found, mine // SLOTS, amounts[mine])
        self.records.correct(found, asset, now)
        return found

    def holder_counts(self) -> Ints:
        """Return how many wallets hold each asset."""
        counts = np.bincount(self.arrays[2], minlength=len(self.tokens))
        counts[:3] = len(self.pace)
        for _, asset, wallets, _ in self.records.dust:
            counts[asset] += len(wallets)
        return np.asarray(counts, np.int64)

    def is_dead(self, asset: int) -> bool:
        """Whether nobody trades an asset any more."""
        return bool(self.market.assets.dead[asset])

    def listing_time(self, asset: int) -> int | None:
        """Return the listing time the API knows of: of half of the launches it knows none."""
        token = self.tokens[asset]
        return token.launched_at if token.is_announced else None

    def members(self) -> list[Member]:
        """Return what each wallet really is."""
        found = []
        for number, kind in enumerate(self.kind.tolist()):
            partner = int(self.partner[number])
            until = int(self.until[number])
            found.append(
                Member(
                    KINDS[kind],
                    -1 if partner == number else partner,
                    STYLES[self.style[number]] if kind == SKILLED else "",
                    until if kind == SKILLED and until < FOREVER else None,
                )
            )
        return found

    def crowd_ticks(self, asset: int) -> tuple[Ints, Floats]:
        """Return when the crowd moved an asset's price between the ends of steps, and to what."""
        self.records.take_in(self.market)
        assets, times, usd = self.records.ticks
        mine = assets == asset
        return times[mine], usd[mine]

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

    # what launches and phases use

    def new_pool(self, asset: int) -> int:
        """Make the empty pool into which a curve's liquidity will move."""
        return self.machine.open_pool(asset, -1, 0, PUMP_AMM, 0.0)

    def receive(self, time: int, wallet: int, asset: int, amount: int) -> None:
        """Let a wallet get tokens it does not buy, from nowhere known."""
        push(self.market, time, wallet, RECEIVE, asset, float(amount))

    def enter(self, token: Token) -> int:
        """Let a token be there from now on; returns its number."""
        asset = len(self.tokens)
        self.tokens.append(token)
        self.machine.make_room(asset)
        if asset >= len(self.drift):
            self._widen()
        assets = self.market.assets
        assets.scale[asset], assets.usd[asset], assets.fair[asset] = 10.0**token.decimals, token.price, token.price
        self.mean[asset] = self.peak[asset] = token.price
        self.noise[asset], self.fame[asset] = token.noise, token.fame
        self.launched_at[asset], self.is_sound[asset] = token.launched_at, token.is_sound
        self.alive = np.append(self.alive, asset)
        return asset

    def _widen(self) -> None:
        more = 256
        for name in ("drift", "noise", "turnover", "mean", "peak", "taken", "fame", "calm", "launched_at", "is_sound"):
            column = getattr(self, name)
            setattr(self, name, np.append(column, np.zeros(more, column.dtype)))
        self.dies = np.append(self.dies, np.full(more, FOREVER, np.int64))

    def _step(self) -> None:
        begin, end = self.now, self.now + STEP
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 10**7 + self.steps]))
        launch_due(self, begin, rng)
        change(self, begin, rng)
        if self.steps % 4 == 0 or self.is_stale or begin <= self.newest + STEP:
            self.is_stale = False
            self.machine.market = self.market._replace(scene=scene_of(self, begin))
        times, wallets = occasions(self, begin, rng)
        self.market.counters[DICE] = 1 + int(rng.random() * 2147483645)
        self.machine.carry_out(times, wallets, end, self.records.take_in)
        self.records.take_in_if_full(self.market)
        self._floor = floor_of(self, self._floor)
        settle(self, self._floor, rng)
        self.steps += 1
