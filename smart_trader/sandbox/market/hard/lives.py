"""What is launched in the hard market, and what becomes of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.names import address
from smart_trader.sandbox.market.tokens import DAY, HOUR, QUOTES, token_names
from smart_trader.sandbox.market.venues import CURVE, OPENBOOK, POOL_VENUES

# how a launch ends, and its share of all launches
DUD, RUG, FADE, LIVE, BLUE, MONEY = "dud", "rug", "fade", "live", "blue", "money"
ENDINGS = ((DUD, 0.58), (RUG, 0.14), (FADE, 0.11), (LIVE, 0.17))
LAUNCHES_A_DAY = 20
BLUES, LIVING = 4, 80
SUPPLY = {6: 10**15, 9: 4 * 10**15}
# established tokens: one part in so many of the supply is in pools
LIVE_DEPTH = (0.2, 0.4)


class Token(NamedTuple):
    """A token as it is launched, or as it is at genesis.

    Attributes:
        mint: Its address.
        name: Its name.
        symbol: Its symbol, which need not be unique, trimmed or there at all.
        decimals: 6 or 9.
        supply: In base units.
        launched_at: Unix time.
        is_announced: Whether the API knows its listing time.
        ending: How its launch ends.
        price: USD at launch, or at genesis.
        liquidity: USD in its main pool then, both sides together.
        depth: Liquidity over the value of its supply, once it lives.
        quote: 0 SOL, 1 USDC.
        venues: Of its pools; the first is the main pool's.
        is_bridged: Whether one more pool pairs it with an established token.
        is_sound: Whether it rises more often than others.
        noise: Standard deviation of its price's growth in an hour.
        fame: How much it is talked about.
    """

    mint: str
    name: str
    symbol: str | None
    decimals: int
    supply: int
    launched_at: int
    is_announced: bool
    ending: str
    price: float
    liquidity: float
    depth: float
    quote: int
    venues: tuple[int, ...]
    is_bridged: bool
    is_sound: bool
    noise: float
    fame: float


def money() -> list[Token]:
    """Return SOL, USDC and USDT."""
    return [
        Token(
            quote.mint, quote.name, quote.symbol, quote.decimals, quote.supply, 0, False, MONEY, quote.price, 0.0, 0.0,
            1, quote.venues, False, False, (0.0045, 0.00002, 0.00002)[number], 0.0,
        )
        for number, quote in enumerate(QUOTES)
    ]  # fmt: skip


def launched(seed: int, genesis: int, day: int) -> list[Token]:
    """Return the tokens launched on a day since genesis, in order of time; day -1 are those that exist already."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 5000 + day]))
    if day < 0:
        endings = [BLUE] * BLUES + [LIVE] * LIVING
        times = [genesis - int((0.6 + 25.0 * rng.random()) * DAY) for _ in endings]
    else:
        endings = [_ending(rng.random()) for _ in range(LAUNCHES_A_DAY)]
        times = sorted(genesis + day * DAY + int(rng.random() * DAY) for _ in endings)
    return [
        _token(rng, ending, time, address(seed, f"mint of day {day}", number), number, is_old=day < 0)
        for number, (ending, time) in enumerate(zip(endings, times, strict=True))
    ]


def _ending(chance: float) -> str:
    for ending, share in ENDINGS:
        chance -= share
        if chance < 0:
            return ending
    return DUD


def _token(rng: np.random.Generator, ending: str, time: int, mint: str, number: int, is_old: bool) -> Token:
    u = rng.random(12).tolist()
    decimals = 6 if u[0] < 0.8 else 9
    units = SUPPLY[decimals] // 10**decimals
    depth = LIVE_DEPTH[0] + (LIVE_DEPTH[1] - LIVE_DEPTH[0]) * u[1]
    venue = int(u[2] * POOL_VENUES)
    venues: tuple[int, ...] = (CURVE,)
    if is_old:
        liquidity = 5e6 + 1.5e7 * u[3] if ending == BLUE else 0.5e6 + 2.5e6 * u[3]
        price = liquidity / depth / units
        # order books and bins are for second pools
        venues = (venue if venue not in (OPENBOOK, 5) else 0,)
    else:
        liquidity = 16e3 + 44e3 * u[3] * u[4]
        price = liquidity / 2 / (units / (150.0 + 250.0 * u[5]))
    # what lives long enough gets pools of other exchanges too
    venues += tuple(int(u[place] * POOL_VENUES) for place in range(6, 6 + int(u[8] * 2.7)))
    name, symbol = token_names(rng, number)
    noise = 0.006 if ending == BLUE else 0.04 + 0.05 * u[9]
    fame = 3.0 if ending == BLUE else 0.15 + 9.0 * u[10] * u[10] * u[10] * u[10] * u[10] * u[10]
    return Token(
        mint, name, symbol, decimals, SUPPLY[decimals], time, u[11] < 0.5 and not is_old, ending, price, liquidity,
        depth, 1 if is_old and u[4] < 0.15 else 0, venues, u[5] < 0.3 and ending != BLUE, u[7] < 0.35, noise, fame,
    )  # fmt: skip


def death(rng: np.random.Generator, token: Token) -> int:
    """Return when nobody trades a launch any more; a token that lives has no such time."""
    hours = {DUD: (0.4, 5.0), RUG: (0.6, 3.0), FADE: (8.0, 48.0)}[token.ending]
    chance = rng.random()
    return token.launched_at + int((hours[0] + hours[1] * chance * chance) * HOUR)
