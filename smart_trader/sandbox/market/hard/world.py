"""The hard market carried forward in time, a quarter of an hour at a step; within a step, second by second.

Each step draws its chances from (seed, step), so a world that is carried on later is the one that would have been made
at once. Chances are uniform numbers, and what is computed from them needs only exact operations: no machine differs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.market.hard import agents, programs
from smart_trader.sandbox.market.hard.cast import populate
from smart_trader.sandbox.market.hard.compiling import FEWEST_COMPILED, Run, compiled_run
from smart_trader.sandbox.market.hard.events import push
from smart_trader.sandbox.market.hard.history import LivingHistory
from smart_trader.sandbox.market.hard.kinds import (
    AIRDROP_SELLER,
    DRAIN,
    DUST_SPAMMER,
    EXCHANGE,
    FOLLOWER,
    KINDS,
    RECEIVE,
    SANDWICH,
    SKILLED,
    STYLES,
)  # fmt: skip
from smart_trader.sandbox.market.hard.lives import BLUE, LIVE, MONEY, Token, death, launched, money
from smart_trader.sandbox.market.hard.state import (
    DICE,
    FREE_PLACES,
    LEFT,
    PASSED,
    POOLS,
    ROWS,
    SLOTS,
    TICKS,
    Assets,
    Left,
    Market,
    Passed,
    Pools,
    Queue,
    Scene,
    Ticks,
    held_in,
    longer,
    made,
    zeros,
)  # fmt: skip
from smart_trader.sandbox.market.hard.state import Rows as FlatRows
from smart_trader.sandbox.market.history import BEFORE, STEP
from smart_trader.sandbox.market.interface import Member
from smart_trader.sandbox.market.spec import MOST_DAYS, NO_SKILL, WorldSpec
from smart_trader.sandbox.market.state import NARROW, Floats, Ints, Rows, Transfer
from smart_trader.sandbox.market.state import Pools as PoolTable
from smart_trader.sandbox.market.tokens import DAY, FOREVER, HOUR
from smart_trader.sandbox.market.venues import CURVE, PUMP_AMM

TABLE = 1 << 15
QUOTE_POOL_USD = 6e7
RISING, FALLING, FLAT = range(3)
# a phase of a living token ends with this chance in a step: after a day on average
PHASE_ENDS = 1 / 100
RUG_AGAIN = 1 / (40 * 96)
# share of its highest price below which a token is given up
LOST = 0.03
FRESH_FOR = 1200
# one part in so many of a supply is the most that anybody gets at once without buying
MOST_AT_ONCE = 2000
THIN_USD = 600_000.0
NORMAL = 1.7320508075688772


class TradingFloor(NamedTuple):
    """The living tokens with their pools; `every` says for each pool which of the tokens is its side a."""

    alive: Ints
    pool_count: int
    pools: Ints
    every: Ints
    b: Ints
    scale_a: Floats
    scale_b: Floats
    units: Floats
    depth: Floats
    lives: npt.NDArray[np.bool_]


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
        self.compiled = spec.wallets >= FEWEST_COMPILED if compiled is None else compiled
        self._run: Run = compiled_run() if self.compiled else agents.run
        cast = populate(spec, spec.market != NO_SKILL, self.compiled)
        self.wallets, self.pace, self.style, self.begins, self.part, self.withdraws = cast
        self.kind, self.partner = np.asarray(self.wallets.kind), np.asarray(self.wallets.partner)
        self.until = np.asarray(self.wallets.until)
        self.of_kind = [np.nonzero(self.kind == kind)[0] for kind in range(len(KINDS))]
        self.first_money = np.array(self.wallets.money, np.int64).reshape(-1, 3)
        self.tokens: list[Token] = []
        self.deployers: dict[int, int] = {}
        self.history = LivingHistory()
        self.pool_count = self.steps = 0
        # by asset: phase of its life, how prices move, when it dies, until when its launch is under way
        self.drift, self.noise, self.turnover, self.mean, self.peak, self.taken = (np.zeros(256) for _ in range(6))
        self.dies, self.calm = np.full(256, FOREVER, np.int64), np.zeros(256, np.int64)
        self.alive = np.zeros(0, np.int64)
        self.dust: list[tuple[int, int, Ints, Ints]] = []
        self._chunks: list[Rows] = []
        self._joined = Rows(*(np.zeros(0, NARROW.get(name, np.int64)) for name in Rows._fields))
        self._ticks: list[tuple[Ints, Ints, Floats]] = []
        self._passed: list[Any] = []
        self._left: list[Any] = []
        self._cached: tuple[int, Any] = (-1, None)
        self._known_floor: TradingFloor | None = None
        # when the newest launch was
        self._newest = spec.genesis
        self._is_stale = True
        self.market = self._empty_market()
        self._begin()

    # what can be asked

    @property
    def now(self) -> int:
        """Unix time up to which the world is known."""
        return self.genesis + self.steps * STEP

    @property
    def rows(self) -> Rows:
        """Every swap row so far, in order of time."""
        self._flush()
        if self._chunks:
            columns: list[Any] = [np.concatenate(column) for column in zip(self._joined, *self._chunks, strict=True)]
            self._joined, self._chunks = Rows(*columns), []
        return self._joined

    @property
    def assets(self) -> Assets:
        """Return the kernel's assets."""
        return self.market.assets

    @property
    def pools(self) -> PoolTable:
        """Return the pools as arrays."""
        return self._arrays[0]

    @property
    def drained(self) -> Ints:
        """Return since when each pool is drained by its owner; 0 for never."""
        return self._arrays[1]

    @property
    def _arrays(self) -> tuple[PoolTable, Ints, Ints, Ints]:
        """Pools, drained, and tokens and amounts of every slot: as arrays, made once a step."""
        if self._cached[0] != self.steps:
            pools = [np.array(column, np.int64) for column in self.market.pools]
            slots = [np.array(column, np.int64) for column in (self.wallets.asset, self.wallets.amount)]
            self._cached = (self.steps, (PoolTable(*pools[:5]), pools[5], *slots))
        return self._cached[1]  # type: ignore[no-any-return]

    @property
    def transfers(self) -> list[Transfer]:
        """Return every transfer, from both ends, in order of time."""
        self._flush()
        found = []
        for time, giver, wallet, asset, amount in self._passed:
            found.append(Transfer(time, wallet, asset, amount))
            if giver >= 0:
                found.append(Transfer(time, giver, asset, -amount))
        for time, asset, wallets, amounts in self.dust:
            given = zip(wallets.tolist(), amounts.tolist(), strict=True)
            found += [Transfer(time, wallet, asset, amount) for wallet, amount in given]
        return sorted(found)

    def held(self, asset: int, now: int) -> Ints:
        """Return what each wallet holds of an asset at the end of the last step, without transfers after `now`."""
        self._flush()
        if asset < 3:
            return np.array(self.wallets.money[asset::3], np.int64)
        _, _, tokens, amounts = self._arrays
        found = np.zeros(len(self.pace), np.int64)
        mine = np.nonzero(tokens == asset)[0]
        np.add.at(found, mine // SLOTS, amounts[mine])
        for wallet, token, amount in self._left:
            if token == asset:
                found[wallet] += amount
        for time, token, wallets, given in self.dust:
            if token == asset and time <= now:
                np.add.at(found, wallets, given)
        for time, giver, wallet, token, amount in self._passed:
            if token == asset and time > now:
                found[wallet] -= amount
                if giver >= 0:
                    found[giver] += amount
        return found

    def holder_counts(self) -> Ints:
        """Return how many wallets hold each asset."""
        counts = np.bincount(self._arrays[2], minlength=len(self.tokens))
        counts[:3] = len(self.pace)
        for _, asset, wallets, _ in self.dust:
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
        self._flush()
        assets, times, usd = self._ticks_joined
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

    # what the programs use

    def new_pool(self, asset: int) -> int:
        """Make the empty pool into which a curve's liquidity will move."""
        return self._open_pool(asset, -1, 0, PUMP_AMM, 0.0)

    def receive(self, time: int, wallet: int, asset: int, amount: int) -> None:
        """Let a wallet get tokens it does not buy, from nowhere known."""
        push(self.market, time, wallet, RECEIVE, asset, float(amount))

    # making

    def _empty_market(self) -> Market:
        flat = self.compiled
        queue = made(Queue, TABLE, flat)
        queue = queue._replace(free=held_in(np.arange(TABLE, dtype=np.int64), flat))
        counters = zeros(8, False, flat)
        counters[FREE_PLACES] = TABLE
        no_scene = Scene(*(zeros(0, name == "hype", flat) for name in Scene._fields))
        return Market(
            made(Pools, 0, flat),
            made(Assets, 0, flat),
            self.wallets,
            no_scene,
            made(FlatRows, TABLE, flat),
            made(Ticks, TABLE, flat),
            made(Passed, TABLE, flat),
            made(Left, TABLE, flat),
            queue,
            counters,
            held_in(np.array([self.spec.strength, float(self.genesis)]), flat),
        )

    def _begin(self) -> None:
        for token in money():
            self._enter(token)
        for asset, token in enumerate(self.tokens):
            for place, venue in enumerate(token.venues):
                self._open_pool(asset, place, 1, venue, QUOTE_POOL_USD / (1, 3, 2)[place])
            self.history.remember(asset, np.full(BEFORE, token.price), 2e6, QUOTE_POOL_USD)
            self.turnover[asset] = 0.01
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 4]))
        for token in launched(self.seed, self.genesis, -1):
            asset = self._enter(token)
            self._open_pool(asset, 0, token.quote, token.venues[0], token.liquidity)
            self._more_pools(asset)
            self._live(asset, rng)
            self._remember(asset, rng)
            self._deposit(asset, 0.02 if token.ending == BLUE else 0.004)

    def _enter(self, token: Token) -> int:
        asset = len(self.tokens)
        self.tokens.append(token)
        assets = self.market.assets
        if asset >= len(assets.usd):
            self._grow_assets(256)
            assets = self.market.assets
        assets.scale[asset], assets.usd[asset], assets.fair[asset] = 10.0**token.decimals, token.price, token.price
        self.mean[asset] = self.peak[asset] = token.price
        self.noise[asset] = token.noise
        self.alive = np.append(self.alive, asset)
        return asset

    def _grow_assets(self, more: int) -> None:
        assets = longer(self.market.assets, more, pools=POOLS)
        for place in range(len(assets.pools) - more * POOLS, len(assets.pools)):
            assets.pools[place] = -1
        self.market = self.market._replace(assets=assets)
        if len(self.drift) < len(assets.usd):
            for name in ("drift", "noise", "turnover", "mean", "peak", "taken"):
                setattr(self, name, np.append(getattr(self, name), np.zeros(more)))
            self.dies = np.append(self.dies, np.full(more, FOREVER, np.int64))
            self.calm = np.append(self.calm, np.zeros(more, np.int64))

    def _open_pool(self, asset: int, place: int, against: int, venue: int, liquidity: float) -> int:
        pool = self.pool_count
        if pool >= len(self.market.pools.a):
            self.market = self.market._replace(pools=longer(self.market.pools, 256))
        pools, assets = self.market.pools, self.market.assets
        pools.a[pool], pools.b[pool], pools.venue[pool] = asset, against, venue
        for side, reserve in ((asset, pools.reserve_a), (against, pools.reserve_b)):
            reserve[pool] = int(liquidity / 2 / assets.usd[side] * assets.scale[side])
        if place >= 0:
            assets.pools[asset * POOLS + place] = pool
        self.pool_count += 1
        return pool

    def _more_pools(self, asset: int) -> None:
        """Open a living token's further pools: of other exchanges, and one against an established token."""
        token, assets = self.tokens[asset], self.market.assets
        main = assets.pools[asset * POOLS]
        quote = int(self.market.pools.b[main])
        depth = 2.0 * self.market.pools.reserve_b[main] / assets.scale[quote] * assets.usd[quote]
        for place, venue in enumerate(token.venues[1:3], 1):
            self._open_pool(asset, place, quote, venue, depth * (0.3, 0.15)[place - 1])
        if token.is_bridged:
            self._open_pool(asset, POOLS - 1, 3 + asset % 4, (0, 2, 3)[asset % 3], depth * 0.1)

    def _live(self, asset: int, rng: np.random.Generator) -> None:
        """Let a token rise, fall or stay for a while; nobody knows for how long."""
        which, how = rng.random(2).tolist()
        # what has risen far draws sellers
        grown = float(self.market.assets.fair[asset]) / self.tokens[asset].price
        rises = (0.48 if self.tokens[asset].is_sound else 0.3) - (0.16 if grown > 25 else 0.08 if grown > 8 else 0.0)
        turnover = 0.05 + 0.5 * how
        if self.tokens[asset].ending == BLUE:
            self.drift[asset], self.turnover[asset] = 0.012 * (how - 0.5), 0.03
        elif which < rises:
            self.drift[asset], self.turnover[asset] = 0.2 + 0.3 * how, turnover
        elif which < 0.82:
            self.drift[asset], self.turnover[asset] = -0.25 - 0.35 * how, turnover * 0.6
        else:
            self.drift[asset], self.turnover[asset] = 0.0, turnover * 0.4

    def _remember(self, asset: int, rng: np.random.Generator) -> None:
        """Make up what a token did before genesis, walking back from its price."""
        token = self.tokens[asset]
        age = min(BEFORE, (self.genesis - token.launched_at) // STEP)
        chance = (rng.random((4, age)).sum(axis=0) - 2.0) * NORMAL
        growth = np.maximum(1.0 + self.drift[asset] * (STEP / DAY) + token.noise * 0.5 * chance, 0.5)
        prices = token.price / np.cumprod(growth)[::-1]
        self.history.remember(asset, prices, self.turnover[asset] * token.liquidity / 8, token.liquidity)

    def _deposit(self, asset: int, share: float) -> None:
        """Put a part of a token's supply with exchanges, which hold and do not trade."""
        exchanges = self.of_kind[EXCHANGE]
        if len(exchanges):
            amounts = np.full(len(exchanges), int(self.tokens[asset].supply * share) // len(exchanges), np.int64)
            self.dust.append((max(self.tokens[asset].launched_at, self.genesis), asset, exchanges, amounts))

    # a step

    def _step(self) -> None:
        begin, end = self.now, self.now + STEP
        rng = np.random.Generator(np.random.Philox(key=[self.seed, 10**7 + self.steps]))
        self._launch_due(begin, end, rng)
        self._change(begin, rng)
        if self.steps % 4 == 0 or self._is_stale or begin <= self._newest + STEP:
            self.market = self.market._replace(scene=self._scene(begin))
        self._reset_counts()
        times, wallets = self._occasions(begin, rng)
        self.market.counters[DICE] = 1 + int(rng.random() * 2147483645)
        self._carry_out(times, wallets, end)
        self._settle(rng)
        self.steps += 1

    @cached_property
    def _due(self) -> dict[int, list[Token]]:
        """Launches by step, day by day as they are looked up."""
        return {}

    def _launch_due(self, begin: int, end: int, rng: np.random.Generator) -> None:
        day = (begin - self.genesis) // DAY
        if begin == self.genesis + day * DAY:
            self._due.clear()
            for token in launched(self.seed, self.genesis, day):
                self._due.setdefault((token.launched_at - self.genesis) // STEP, []).append(token)
        for token in self._due.get((begin - self.genesis) // STEP, ()):
            self._launch(token, rng)
        if begin == self.genesis + day * DAY:
            self._withdraw_tokens(begin, rng)
            self._count_taken()
        spammers = self.of_kind[DUST_SPAMMER]
        if len(spammers) and rng.random() < len(spammers) / (3 * 96):
            self._spam(begin, int(spammers[int(rng.random() * len(spammers))]), rng)

    def _launch(self, token: Token, rng: np.random.Generator) -> None:
        asset = self._enter(token)
        self._open_pool(asset, 0, 0, CURVE, token.liquidity)
        # the crowd's orders make the price until the launch is through
        self._newest = token.launched_at
        self.calm[asset] = programs.Programme(self, asset, rng).schedule()
        self.turnover[asset] = 1.0
        if token.ending != LIVE:
            self.dies[asset] = max(death(rng, token), int(self.calm[asset]) + STEP)
        if rng.random() < 0.2:
            programs.airdrop(self, asset, AIRDROP_SELLER, rng)
        self._is_stale = True

    def _withdraw_tokens(self, time: int, rng: np.random.Generator) -> None:
        """Let some wallets take tokens from an exchange, where they bought them unseen."""
        chance = rng.random((2, len(self.pace)))
        lives = [
            asset for asset in self.alive.tolist() if self.tokens[asset].ending == LIVE and self.calm[asset] < time
        ]
        for wallet in np.nonzero(chance[0] < self.withdraws)[0].tolist() if lives else []:
            asset = lives[int(chance[1][wallet] * len(lives))]
            usd = float(self.wallets.size[wallet]) * (0.5 + chance[0][wallet])
            amount = int(usd / self.market.assets.usd[asset] * self.market.assets.scale[asset])
            self.receive(time, wallet, asset, min(amount, self.tokens[asset].supply // MOST_AT_ONCE))

    def _count_taken(self) -> None:
        """Note what share of each supply wallets hold: providers cannot put in what is not theirs."""
        _, _, tokens, amounts = self._arrays
        held = np.bincount(tokens, amounts, len(self.tokens))
        supply = np.array([float(token.supply) for token in self.tokens])
        self.taken[: len(held)] = np.minimum(held / supply, 0.8)

    def _spam(self, time: int, spammer: int, rng: np.random.Generator) -> None:
        asset = len(self.tokens) - 1
        if self.tokens[asset].launched_at < time and self.tokens[asset].ending != MONEY:
            wallets, amounts = programs.dust(self, time, asset, rng)
            self.dust.append((time, asset, wallets[wallets != spammer], amounts[wallets != spammer]))

    def _change(self, begin: int, rng: np.random.Generator) -> None:
        """Let tokens die, be drained or enter another phase; let liquidity follow what they are worth."""
        assets = self.market.assets
        alive = self.alive
        chance = rng.random((2, len(alive)))
        over = self.dies[alive] <= begin
        for asset in alive[over].tolist():
            assets.dead[asset] = 1
            self._withdraw(asset)
        if over.any():
            self.alive = alive[~over]
            self._is_stale = True
        lively = alive[(chance[0] < PHASE_ENDS) & ~over & (alive > 2) & (self.calm[alive] < begin)]
        for asset in lively.tolist():
            if self.tokens[asset].ending in (LIVE, BLUE):
                self._live(asset, rng)
        for asset in alive[(self.calm[alive] >= begin) & (self.calm[alive] < begin + STEP)].tolist():
            self._calm_down(asset, rng)
        for asset in alive[(chance[1] < RUG_AGAIN) & ~over & (self.calm[alive] < begin)].tolist():
            if self.tokens[asset].ending == LIVE and self.dies[asset] == FOREVER:
                push(self.market, begin + int(rng.random() * STEP), -1, DRAIN, asset, 0.03)
                self.dies[asset] = begin + 6 * HOUR
            elif self.dies[asset] == FOREVER and self.market.assets.fair[asset] < LOST * self.peak[asset]:
                self.dies[asset] = begin + 12 * HOUR

    def _calm_down(self, asset: int, rng: np.random.Generator) -> None:
        """A launch is through: what lives begins to, the rest fades."""
        self._is_stale = True
        if self.tokens[asset].ending == LIVE:
            self._live(asset, rng)
            self._more_pools(asset)
            self._deposit(asset, 0.004)
        else:
            self.drift[asset], self.turnover[asset] = -0.9, 0.25
            self.noise[asset] = 0.08

    def _withdraw(self, asset: int) -> None:
        """Take nearly all liquidity out of a dead token's pools, without moving its price."""
        pools = self.market.pools
        for place in range(asset * POOLS, asset * POOLS + POOLS):
            pool = self.market.assets.pools[place]
            if pool >= 0:
                pools.reserve_a[pool] = int(pools.reserve_a[pool] * 0.1)
                pools.reserve_b[pool] = int(pools.reserve_b[pool] * 0.1)
                if not pools.drained[pool]:
                    pools.drained[pool] = self.now

    def _scene(self, begin: int) -> Scene:
        self._is_stale = False
        alive = self.alive[self.alive > 2]
        fresh_since = begin - FRESH_FOR
        launched_at = np.array([self.tokens[asset].launched_at for asset in alive.tolist()], np.int64)
        calm = self.calm[alive] < begin
        fresh = alive[(launched_at > fresh_since) & (launched_at < begin)]
        live = alive[calm & (self.dies[alive] == FOREVER)]
        fair = self._take(self.market.assets.fair, live)
        fame = np.array([self.tokens[asset].fame for asset in live.tolist()])
        # what rose lately is talked about more
        risen = fair / self.mean[live]
        taste = fame * np.where(risen > 1.2, 3.0, np.where(risen > 1.0, 1.4, 1.0))
        hype = np.cumsum(taste) / taste.sum()
        hype[-1] = 1.0
        rising = live[self.drift[live] > 0.05]
        sound = np.array([self.tokens[asset].is_sound for asset in rising.tolist()], bool)
        small = self._liquidity(live) < THIN_USD
        fading = alive[calm & (self.dies[alive] < FOREVER) & (self.dies[alive] > begin + 2 * HOUR)]
        own = self.market.assets.pools
        several = [asset for asset in live.tolist() if own[asset * POOLS + 1] >= 0]
        columns = {
            "live": live, "hype": hype, "rising": rising, "sound": rising[sound], "fresh": fresh,
            "thin": np.append(live[small], fading), "several": np.array(several, np.int64),
            "attackers": self.of_kind[SANDWICH], "followers": self.of_kind[FOLLOWER],
        }  # fmt: skip
        return Scene(**{name: held_in(column, self.compiled) for name, column in columns.items()})

    def _occasions(self, begin: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return who acts when in a step, in order of time."""
        chance = rng.random((2, len(self.pace)))
        retired = (self.until <= begin) & (self.style < 0)
        acting = (chance[0] < self.pace * STEP) & (self.begins <= begin) & ~retired
        wallets = np.nonzero(acting)[0]
        times = begin + (chance[1][wallets] * STEP).astype(np.int64)
        order = np.argsort(times, kind="stable")
        return held_in(times[order], self.compiled), held_in(wallets[order], self.compiled)

    def _carry_out(self, times: Any, wallets: Any, end: int) -> None:
        number = 0
        while number <= len(times):
            number = self._run(self.market, times, wallets, number, end)
            if number <= len(times):
                self._flush()
                if self.market.counters[FREE_PLACES] <= agents.SPARE:
                    self._widen_queue()

    def _widen_queue(self) -> None:
        """Give the queue twice the places."""
        size = len(self.market.queue.free)
        queue = longer(self.market.queue, size)
        free = self.market.counters[FREE_PLACES]
        for place in range(size):
            queue.free[free + place] = size + place
        self.market.counters[FREE_PLACES] = free + size
        self.market = self.market._replace(queue=queue)

    def _reset_counts(self) -> None:
        assets = self.market.assets
        for column in (assets.bought, assets.sold):
            for asset in self.alive.tolist():
                column[asset] = 0.0
        for column in (assets.buys, assets.sells):
            for asset in self.alive.tolist():
                column[asset] = 0

    def _take(self, column: Any, numbers: Ints) -> Any:
        if self.compiled:
            return column[numbers]
        return np.array([column[number] for number in numbers.tolist()])

    def _put(self, column: Any, numbers: Ints, values: Any) -> None:
        if self.compiled:
            column[numbers] = values
        else:
            for number, value in zip(numbers.tolist(), values.tolist(), strict=True):
                column[number] = value

    def _liquidity(self, assets: Ints) -> Floats:
        """Return what the pools of some assets hold, both sides, in USD."""
        pools, every = self._pools_of(assets)
        if not len(pools):
            return np.zeros(len(assets))
        b = self._take(self.market.pools.b, pools)
        side = self._take(self.market.pools.reserve_b, pools) / self._take(self.market.assets.scale, b)
        usd = 2.0 * side * self._take(self.market.assets.usd, b)
        return _by_token(every, usd, len(assets))

    def _pools_of(self, assets: Ints) -> tuple[Ints, Ints]:
        """Return the pools of some assets, and to which of them each belongs."""
        own = self.market.assets.pools
        if self.compiled:
            table = np.asarray(own).reshape(-1, POOLS)[assets]
        else:
            table = np.array([own[asset * POOLS : asset * POOLS + POOLS] for asset in assets.tolist()], np.int64)
        table = table.reshape(-1, POOLS)
        every, place = np.nonzero(table >= 0)
        return table[every, place], every

    def _floor(self) -> TradingFloor:
        """Return the living tokens and their pools, looked up again only when they may have changed."""
        under_way = bool((self.calm[self.alive] >= self.now - STEP).any())
        known = self._known_floor
        if known is None or under_way or known.pool_count != self.pool_count or known.alive is not self.alive:
            alive = self.alive
            mine, every = self._pools_of(alive)
            b = self._take(self.market.pools.b, mine)
            scale = self._take(self.market.assets.scale, alive)
            tokens = [self.tokens[asset] for asset in alive.tolist()]
            known = self._known_floor = TradingFloor(
                alive,
                self.pool_count,
                mine,
                every,
                b,
                scale[every],
                self._take(self.market.assets.scale, b),
                np.array([token.supply / 10**token.decimals for token in tokens]),
                np.array([token.depth for token in tokens]),
                np.array([token.ending == LIVE for token in tokens]),
            )
        return known

    def _settle(self, rng: np.random.Generator) -> None:
        """Move fair prices by a step, let the crowd trade every pool to them, let liquidity follow, note the step."""
        floor, assets, pools = self._floor(), self.market.assets, self.market.pools
        alive, mine, every = floor.alive, floor.pools, floor.every
        count = len(alive)
        chance = rng.random((7, count))
        usual = (chance[0] + chance[1] + chance[2] + chance[3] - 2.0) * NORMAL
        # now and then a price leaps
        leap = np.where(chance[4] < 0.003, (chance[5] - 0.5) * 8.0, 0.0)
        fair = self._take(assets.fair, alive)
        growth = 1.0 + self.drift[alive] * (STEP / DAY) + self.noise[alive] * 0.5 * (usual + leap)
        fair = np.where(self.calm[alive] < self.now, fair * np.maximum(growth, 0.3), fair)
        self.mean[alive] += (fair - self.mean[alive]) * 0.03
        self.peak[alive] = np.maximum(self.peak[alive], fair)
        self._put(assets.fair, alive, fair)
        self._put(assets.usd, alive, fair)
        # what one base unit of the quoted side is worth
        unit_b = self._take(assets.usd, floor.b) / floor.scale_b
        reserve_a, reserve_b = self._take(pools.reserve_a, mine), self._take(pools.reserve_b, mine)
        product = reserve_a.astype(np.float64) * reserve_b.astype(np.float64)
        new_a = np.maximum(np.sqrt(product / (fair[every] / floor.scale_a / unit_b)), 1000.0).astype(np.int64)
        # rounded up by more than a float can be off, so that the product never shrinks
        new_b = (product / new_a * (1.0 + 1e-12)).astype(np.int64) + 2
        moved = (new_b - reserve_b) * unit_b
        follow = self._following(floor, fair, np.asarray(np.bincount(every, 2.0 * new_b * unit_b, count), np.float64))[
            every
        ]
        new_a, new_b = (new_a * follow).astype(np.int64), (new_b * follow).astype(np.int64)
        self._put(pools.reserve_a, mine, new_a)
        self._put(pools.reserve_b, mine, new_b)
        liquidity = _by_token(every, 2.0 * new_b * unit_b, count)
        flow = self.turnover[alive] * liquidity * (STEP / HOUR / 2) * (0.5 + chance[6])
        bought = _by_token(every, np.maximum(moved, 0.0), count) + flow
        sold = _by_token(every, np.maximum(-moved, 0.0), count) + flow
        values = np.array([fair, liquidity, bought, sold, np.floor(bought / 180.0), np.floor(sold / 180.0)])
        for row, column in enumerate((assets.bought, assets.sold, assets.buys, assets.sells), 2):
            values[row] += self._take(column, alive)
        self.history.add(alive, values)

    def _following(self, floor: TradingFloor, fair: Floats, liquidity: Floats) -> Floats:
        """Return by what factor providers change each token's liquidity: slowly towards a part of what it is worth."""
        alive = floor.alive
        # they stay a while when a price falls, as far as there are tokens to put in
        worth = floor.units * (0.65 * fair + 0.3 * self.peak[alive]) * floor.depth
        goal = np.minimum(np.minimum(worth, (0.45 - 0.5 * self.taken[alive]) * floor.units * fair), 2.9e6)
        moves = floor.lives & (self.calm[alive] < self.now) & (self.dies[alive] == FOREVER)
        change = np.where(liquidity < goal * 0.94, 1.06, np.where(liquidity > goal * 1.06, 0.97, 1.0))
        return np.asarray(np.where(moves, change, 1.0), np.float64)

    def _flush(self) -> None:
        """Move what the kernel has written out of its tables."""
        m, counters = self.market, self.market.counters
        count = int(counters[ROWS])
        if count:
            columns: list[Any] = [
                np.array(column[:count], NARROW.get(name, np.float64 if name in PRICES else np.int64))
                for name, column in zip(Rows._fields, m.rows, strict=True)
            ]
            self._chunks.append(Rows(*columns))
        if counters[TICKS]:
            ticks = [column[: int(counters[TICKS])] for column in m.ticks]
            self._ticks.append((np.array(ticks[0], np.int64), np.array(ticks[1], np.int64), np.array(ticks[2])))
        for counter, table, kept in ((PASSED, m.passed, self._passed), (LEFT, m.left, self._left)):
            number = int(counters[counter])
            kept += zip(*(np.asarray(column[:number]).tolist() for column in table), strict=True)
        for counter in (ROWS, TICKS, PASSED, LEFT):
            counters[counter] = 0

    @property
    def _ticks_joined(self) -> tuple[Ints, Ints, Floats]:
        if len(self._ticks) > 1:
            self._ticks = [tuple(np.concatenate(column) for column in zip(*self._ticks, strict=True))]  # type: ignore[list-item]
        return self._ticks[0] if self._ticks else (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _by_token(every: Ints, values: Floats, count: int) -> Floats:
    """Add up what pools have, token by token."""
    return np.asarray(np.bincount(every, values, count), np.float64)


PRICES = {"price_a", "price_b", "nearest_a"}
