"""Who trades in the hard market: how many of each kind, how often, with how much, and how well hidden."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.hard.kinds import (
    AIRDROP_SELLER,
    ARBITRAGE,
    BAG_HOLDER,
    BUNDLE,
    COPY_BOT,
    DEPLOYER,
    DUST_SPAMMER,
    EXCHANGE,
    FOLLOWER,
    FRESH_LAUNCHER,
    INSIDER,
    KINDS,
    KOL,
    MAIN_OF_CLUSTER,
    MARKET_MAKER,
    MARTINGALE,
    NOISE,
    ONE_HIT,
    PATIENT,
    QUICK,
    RETIRED,
    SANDWICH,
    SIDE_OF_CLUSTER,
    SKILLED,
    SNIPER,
    SWING,
    WASH_PAIR,
    WASH_RING,
)  # fmt: skip
from smart_trader.sandbox.market.hard.state import MONTHS, SLOTS, Wallets, form_of, held_in
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.market.state import Floats, Ints
from smart_trader.sandbox.market.tokens import DAY, FOREVER, HOUR

RING = 4
BUNDLED = 4
SIDES = 2
MONEY = 400.0


class Members(NamedTuple):
    """A kind's part of the cast.

    Attributes:
        share: Of all wallets.
        fewest: At least so many where there is room for all kinds.
        pace: Occasions in a day, on average.
        size: Usual USD of a trade, on average; skilled wallets and noise have sizes of their own.
        cover: Lowest and highest chance, at full strength, that an occasion is used as anybody would.
        group: Wallets that belong together.
    """

    share: float
    fewest: int
    pace: float
    size: float
    cover: tuple[float, float] = (0.3, 0.9)
    group: int = 1


CAST = {
    SKILLED: Members(0.02, 3, 5.0, 0.0),
    INSIDER: Members(0.015, 2, 8.0, 500.0, (0.9, 1.0)),
    SNIPER: Members(0.01, 2, 10.0, 250.0, (0.9, 1.0)),
    BUNDLE: Members(0.015, 4, 4.0, 350.0, (0.9, 1.0), BUNDLED),
    FRESH_LAUNCHER: Members(0.02, 3, 0.6, 400.0, (1.0, 1.0)),
    DEPLOYER: Members(0.01, 2, 6.0, 400.0, (0.9, 1.0)),
    KOL: Members(0.005, 1, 5.0, 900.0, (0.1, 0.4)),
    FOLLOWER: Members(0.04, 2, 2.5, 150.0, (0.7, 0.9)),
    COPY_BOT: Members(0.015, 2, 3.0, 200.0, (0.6, 1.0)),
    MAIN_OF_CLUSTER: Members(0.01, 1, 6.0, 500.0, (0.2, 0.8)),
    SIDE_OF_CLUSTER: Members(0.02, 2, 3.0, 150.0, (0.9, 1.0), SIDES),
    WASH_PAIR: Members(0.01, 2, 7.0, 700.0, (0.3, 0.85), 2),
    WASH_RING: Members(0.01, 4, 6.0, 700.0, (0.3, 0.85), RING),
    MARKET_MAKER: Members(0.005, 1, 30.0, 250.0, (0.3, 0.9)),
    SANDWICH: Members(0.005, 1, 9.0, 800.0, (0.4, 0.9)),
    ARBITRAGE: Members(0.005, 1, 24.0, 700.0, (0.2, 0.7)),
    MARTINGALE: Members(0.02, 1, 6.0, 60.0, (0.1, 0.6)),
    BAG_HOLDER: Members(0.05, 1, 3.0, 200.0, (0.1, 0.6)),
    ONE_HIT: Members(0.02, 1, 3.0, 90.0, (1.0, 1.0)),
    AIRDROP_SELLER: Members(0.03, 1, 4.0, 120.0, (0.3, 0.9)),
    DUST_SPAMMER: Members(0.005, 1, 2.5, 120.0, (0.9, 1.0)),
    EXCHANGE: Members(0.005, 1, 0.0, 100.0),
    RETIRED: Members(0.03, 1, 3.0, 0.0),
}  # fmt: skip
# at least so much of a market is noise; smaller markets than the whole cast do without its last kinds
NOISE_AT_LEAST = 0.25
# by style: occasions in a day, seconds a position is kept at most, loss at which it is sold
STYLE_OF = {QUICK: (9.0, 14 * HOUR, 0.88), SWING: (4.0, 3 * DAY, 0.8), PATIENT: (1.8, 6 * DAY, 0.7)}


class Cast(NamedTuple):
    """The wallets, and what the kernel need not know of them.

    Attributes:
        wallets: For the kernel.
        pace: Occasions in a second.
        style: Of skilled wallets; -1 for others.
        begins: Unix time from which a wallet acts.
        part: How much of what its kind could do it does; well hidden ones leave much of it.
        withdraws: Chance that it takes tokens from an exchange on a day.
    """

    wallets: Wallets
    pace: Floats
    style: Ints
    begins: Ints
    part: Floats
    withdraws: Floats


def kinds_of(count: int, with_skilled: bool = True) -> list[int]:
    """Return each wallet's kind; those of a group stand side by side."""
    kinds: list[int] = []
    most = count - max(1, round(NOISE_AT_LEAST * count))
    for kind, members in CAST.items():
        number = max(members.fewest, round(members.share * count))
        if kind == MAIN_OF_CLUSTER:
            # none without its sides, which come next
            number = min(number, (most - len(kinds)) // (1 + SIDES))
        if kind == SIDE_OF_CLUSTER:
            number = SIDES * kinds.count(MAIN_OF_CLUSTER)
        number -= number % members.group
        if number <= most - len(kinds) and (with_skilled or kind != SKILLED):
            kinds += [kind] * number
    return kinds + [NOISE] * (count - len(kinds))


def decades(chance: Floats, lowest: float) -> Floats:
    """Spread chances evenly over three orders of magnitude, without a logarithm."""
    decade = np.minimum((chance * 3.0).astype(np.int64), 2)
    within = chance * 3.0 - decade
    return np.asarray(lowest * np.array([1.0, 10.0, 100.0])[decade] * (1.0 + 9.0 * within * within), np.float64)


def populate(spec: WorldSpec, with_skilled: bool, compiled: bool) -> Cast:
    """Return the cast of a world, the same for the same spec."""
    rng = np.random.Generator(np.random.Philox(key=[spec.seed, 3]))
    count, strength = spec.wallets, spec.strength
    kind = np.array(kinds_of(count, with_skilled), np.int64)
    u = rng.random((20, count))
    members = [CAST.get(number, Members(1.0, 0, 2.6, 0.0, (1.0, 1.0))) for number in range(len(KINDS))]
    own = (kind == NOISE) | (kind == RETIRED) | (kind == SKILLED)
    usual = np.array([each.size for each in members])[kind] * (
        1.0 - strength + strength * (0.05 + 3.0 * u[0] * u[0] * u[0])
    )
    size = np.where(own, decades(u[0] * (0.2 + 0.8 * u[1]), 15.0), usual)
    size = np.where(kind == SKILLED, decades(u[0], 10.0), size)
    # most act now and then, some all the time
    pace = np.array([each.pace for each in members])[kind] * (0.25 + 0.9 * u[2] + 18.0 * _power(u[3], 60))
    low = np.array([each.cover[0] for each in members])[kind]
    high = np.array([each.cover[1] for each in members])[kind]
    is_hasty = np.where(kind == SKILLED, 0.0, 1.0)
    honest = (kind == NOISE) | (kind == RETIRED) | (kind == ONE_HIT)
    cover = np.where(honest, 1.0, (low + (high - low) * u[4]) * strength)
    style = np.where(kind == SKILLED, (u[5] * 3).astype(np.int64), -1)
    pace, keep, floor = _by_style(style, pace, u)
    if count > 40:
        # tourists, who hardly trade at all
        pace = np.where((kind == NOISE) & (u[6] < 0.12), pace * 0.04, pace)
    number = np.arange(count, dtype=np.int64)
    partner = _partners(kind, number, u[7])
    pace = np.where(((kind == WASH_PAIR) | (kind == WASH_RING)) & (number % 2 == 1), pace * 0.6, pace)
    until = _ends(kind, spec.genesis, u[8], u[9])
    bot, next_bot = _bots(kind, partner)
    money = np.zeros((count, 3), np.int64)
    money[:, 0] = (size * (MONEY / 150.0) + 4.0).astype(np.int64) * 10**9
    money[:, 1] = (size * (MONEY / 2) + 300.0).astype(np.int64) * 10**6
    columns = {
        "kind": kind,
        "size": size,
        "cover": cover,
        # some look at nothing but launches
        "degen": np.where(u[10] < 0.5, 0.1 * u[10], np.where(u[10] > 0.95, 0.9, 0.75 * _power(u[10], 3)))
        * np.where(kind == SKILLED, 0.05, 1.0),
        # and some are out again within minutes, or let a program split their orders
        "haste": np.where(u[16] < 0.75, 0.08 * u[16], 0.95 * (u[16] - 0.75) * 4.0) * is_hasty,
        "twice": np.where(u[17] < 0.9, 0.03, 0.6 * (u[17] - 0.9) * 10.0),
        "leave": 0.22 + 0.3 * u[11],
        "goal": np.where(kind == BAG_HOLDER, 1.05 + 0.1 * u[12], 1.12 + 0.9 * u[12] * u[12]),
        "floor": floor,
        "keep": keep,
        # a modest edge, and not everybody's the same
        "edge": 0.45 + 0.45 * u[13],
        "until": until,
        "shift": (u[14] * 30 * DAY).astype(np.int64),
        "months": (rng.random((count, MONTHS)) < 0.22).astype(np.int64).ravel(),
        "partner": partner,
        "bot": bot,
        "next_bot": next_bot,
        "memory": ((kind == NOISE) & (u[18] < 0.06)).astype(np.int64),
        "chosen": np.zeros(count, np.int64),
        "money": money.ravel(),
        "asset": np.zeros(count * SLOTS, np.int64),
        "amount": np.zeros(count * SLOTS, np.int64),
        "cost": np.zeros(count * SLOTS),
        "since": np.zeros(count * SLOTS, np.int64),
    }
    wallets = form_of(Wallets, compiled)(**{name: held_in(column, compiled) for name, column in columns.items()})
    # a new wallet shows up on a day of its own
    begins = np.where(kind == FRESH_LAUNCHER, spec.genesis + (u[15] * 45 * DAY).astype(np.int64), spec.genesis)
    withdraws = np.where((kind == NOISE) & (u[19] < 0.12), 0.5 * u[11], 0.0)
    return Cast(wallets, np.minimum(pace / DAY, 1 / 900), style, begins, 1.0 - 0.85 * strength * u[12], withdraws)


def _power(chance: Floats, times: int) -> Floats:
    """Return chances multiplied with themselves."""
    product = chance
    for _ in range(times - 1):
        product = product * chance
    return product


def _by_style(style: Ints, pace: Floats, u: Floats) -> tuple[Floats, Ints, Floats]:
    """Return pace, longest hold and floor: of skilled wallets by their style, of others at random."""
    keep = (HOUR * (2.0 + 60.0 * u[2] * u[9])).astype(np.int64)
    floor = np.full(len(style), 0.5)
    for number, (often, longest, stop) in STYLE_OF.items():
        mine = style == number
        pace = np.where(mine, often * (0.6 + 0.8 * u[2]), pace)
        keep = np.where(mine, (longest * (0.6 + 0.8 * u[9])).astype(np.int64), keep)
        floor = np.where(mine, stop - 0.1 + 0.15 * u[11], floor)
    return pace, keep, floor


def _partners(kind: Ints, number: Ints, chance: Floats) -> Ints:
    """Return the wallet each belongs with: pair, next of a ring, first of a bundle, main, leader."""
    partner = number.copy()
    for group_kind, size in ((WASH_PAIR, 2), (WASH_RING, RING)):
        mine = np.nonzero(kind == group_kind)[0]
        if len(mine):
            place = mine - mine[0]
            partner[mine] = mine[0] + place // size * size + (place + 1) % size
    bundles = np.nonzero(kind == BUNDLE)[0]
    if len(bundles):
        partner[bundles] = bundles - (bundles - bundles[0]) % BUNDLED
    mains, sides = np.nonzero(kind == MAIN_OF_CLUSTER)[0], np.nonzero(kind == SIDE_OF_CLUSTER)[0]
    if len(mains):
        partner[mains] = sides[0] + SIDES * np.arange(len(mains))
        partner[sides] = mains[np.arange(len(sides)) // SIDES]
    leaders = np.nonzero((kind == SKILLED) | (kind == KOL) | (kind == INSIDER) | (kind == FOLLOWER))[0]
    bots = np.nonzero(kind == COPY_BOT)[0]
    if len(bots) and len(leaders):
        partner[bots] = leaders[(chance[bots] * len(leaders)).astype(np.int64)]
    return partner


def _ends(kind: Ints, genesis: int, one: Floats, other: Floats) -> Ints:
    """Return when skill ends, for a third of the skilled within two months, and when the retired stop."""
    until = np.full(len(kind), FOREVER, np.int64)
    lost = (kind == SKILLED) & (one < 0.33)
    until[lost] = genesis + ((6 + 54 * other[lost]) * DAY).astype(np.int64)
    retired = kind == RETIRED
    until[retired] = genesis + ((3 + 40 * other[retired]) * DAY).astype(np.int64)
    return until


def _bots(kind: Ints, partner: Ints) -> tuple[Ints, Ints]:
    """Return each wallet's first copy bot, and each bot's next one of the same leader."""
    first, following = np.full(len(kind), -1, np.int64), np.full(len(kind), -1, np.int64)
    for bot in np.nonzero(kind == COPY_BOT)[0].tolist():
        leader = int(partner[bot])
        if leader != bot:
            following[bot], first[leader] = first[leader], bot
    return first, following
