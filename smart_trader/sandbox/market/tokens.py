"""Which tokens are launched when, and how each lives: pump, rug, slow death."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from smart_trader.sandbox.market.names import SOL, USDC, USDT, address
from smart_trader.sandbox.market.venues import OPENBOOK, POOL_VENUES

HOUR, DAY = 3600, 86_400
FOREVER = 1 << 40
UNBORN, FLAT, PUMP, FADE, DEAD = range(5)


class Phase(NamedTuple):
    """A part of a token's life.

    Attributes:
        kind: FLAT, PUMP, FADE or DEAD.
        until: Unix time of its end.
        drift: Growth of the fair price in a day.
        noise: Standard deviation of the fair price's growth in an hour.
        turnover: Volume of untracked traders in an hour, as a share of liquidity.
        rug: Whether the phase begins with the liquidity taken out.
    """

    kind: int
    until: int
    drift: float
    noise: float
    turnover: float
    rug: bool = False


class Token(NamedTuple):
    """A token as it is launched.

    Attributes:
        mint: Its address.
        name: Its name.
        symbol: Its symbol, which need not be unique, trimmed or there at all.
        decimals: 6 or 9.
        supply: In base units.
        launched_at: Unix time; before genesis for the tokens the world begins with.
        price: USD at launch, or at genesis.
        liquidity: USD in its main pool, both sides together.
        quote: 0 SOL, 1 USDC.
        venues: One per pool; the first is the main pool.
        bridged: Whether one more pool pairs it with an established token.
        phases: Its life, in order.
    """

    mint: str
    name: str
    symbol: str | None
    decimals: int
    supply: int
    launched_at: int
    price: float
    liquidity: float
    quote: int
    venues: tuple[int, ...]
    bridged: bool
    phases: tuple[Phase, ...]


QUOTES = (
    Token(SOL, "Wrapped SOL", "SOL", 9, 6 * 10**17, 0, 150.0, 0, 1, (2, OPENBOOK, 0), False, ()),
    Token(USDC, "USD Coin", "USDC", 6, 5 * 10**15, 0, 0.99986, 0, 1, (), False, ()),
    Token(USDT, "USDT", "USDT", 6, 2 * 10**15, 0, 1.00012, 0, 1, (2,), False, ()),
)
LAUNCHES_A_DAY = ("pump", "pump", "moonshot", "other")
OTHERS = ("slow", "choppy", "quiet")
AT_GENESIS = ("blue",) * 4 + ("pump",) * 9 + ("moonshot",) * 3 + ("slow", "choppy", "quiet") * 3
SYLLABLES = ("bo", "nk", "wif", "pe", "pu", "moo", "deng", "fart", "gi", "ga", "cat", "dog", "zer", "ro", "mew", "pop")


# asked for at each step of a day
@lru_cache(maxsize=16)
def launched(seed: int, genesis: int, day: int) -> tuple[Token, ...]:
    """Return the tokens launched on a day since genesis, in time order; day -1 are those that exist already."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 1000 + day]))
    if day < 0:
        styles: tuple[str, ...] = AT_GENESIS
        ages = [int(rng.uniform(0.02, 3.6) * DAY) for _ in styles]
        times = [genesis - age for age in ages]
    else:
        styles = (*LAUNCHES_A_DAY[:-1], OTHERS[day % 3])
        # at the beginning of a step, so that no one trades a token before it is there
        times = sorted(genesis + day * DAY + int(step) * 900 for step in rng.integers(0, DAY // 900, len(styles)))
    return tuple(
        _token(rng, style, time, address(seed, f"mint of day {day}", number), number, genesis)
        for number, (style, time) in enumerate(zip(styles, times, strict=True))
    )


def _token(rng: np.random.Generator, style: str, time: int, mint: str, number: int, genesis: int) -> Token:
    low, high = {
        "blue": (5e6, 2e7),
        "pump": (0.95e6, 1.15e6),
        "moonshot": (6e4, 3e5),
        "slow": (1.1e6, 2.6e6),
        "choppy": (1.1e6, 1.8e6),
        "quiet": (1.1e6, 1.6e6),
    }[style]
    liquidity = float(rng.uniform(low, high))
    decimals, supply = (6, 10**15) if rng.random() < 0.75 else (9, 4 * 10**15)
    # a fortieth to a twentieth of the supply is in the pool, so that it can take in much more of it
    price = liquidity / 2 / (supply / 10**decimals) * float(rng.uniform(10, 20))
    first = 1 if style in ("pump", "moonshot") and rng.random() < 0.6 else int(rng.integers(0, POOL_VENUES))
    more = rng.choice(POOL_VENUES, size=int(rng.integers(0, 3)) + (style == "blue"), replace=False)
    quote = 1 if first != 1 and rng.random() < 0.15 else 0
    bridged = (style != "blue" and number > 3 and rng.random() < 0.35) or (style == "pump" and rng.random() < 0.3)
    phases = _life(rng, style, time)
    if time < genesis:
        # so that no pump of the first days begins at its end
        price *= float(rng.uniform(0.8, 1.2))
    name, symbol = token_names(rng, number)
    return Token(
        mint, name, symbol, decimals, supply, time, price, liquidity, quote,
        (first, *map(int, more))[:3], bool(bridged), phases,
    )  # fmt: skip


def _life(rng: np.random.Generator, style: str, time: int) -> tuple[Phase, ...]:
    dead = Phase(DEAD, FOREVER, 0.0, 0.004, 0.0004)
    fade = Phase(FADE, 0, -0.35, 0.02, 0.05)
    if style == "blue":
        return (Phase(FLAT, FOREVER, 0.004, 0.006, 0.03),)
    if style == "slow":
        return (Phase(FADE, time + int(rng.uniform(8, 14) * DAY), -0.09, 0.008, 0.02), dead)
    if style == "quiet":
        return (Phase(PUMP, time + int(rng.uniform(4, 6) * DAY), 0.42, 0.006, 0.012), dead._replace(kind=FLAT))
    days, drift, noise, turnover = {
        "pump": (rng.uniform(4, 5.2), rng.uniform(0.36, 0.44), 0.009, rng.uniform(0.25, 0.6)),
        "moonshot": (rng.uniform(1, 3), rng.uniform(0.7, 1.1), 0.04, rng.uniform(0.4, 0.8)),
        "choppy": (rng.uniform(3, 5), rng.uniform(0.4, 0.5), 0.045, rng.uniform(0.2, 0.3)),
    }[style]
    end = time + int(float(days) * DAY)
    pump = Phase(PUMP, end, float(drift), float(noise), float(turnover))
    if rng.random() < (0.75 if style == "moonshot" else 0.35):
        return (pump, dead._replace(rug=True))
    return (pump, fade._replace(until=end + int(rng.uniform(3, 6) * DAY)), dead)


def token_names(rng: np.random.Generator, number: int) -> tuple[str, str | None]:
    """Name a token; symbols repeat, end in spaces, begin with a dollar sign or are missing, as in the wild."""
    name = "".join(SYLLABLES[int(pick)] for pick in rng.integers(0, len(SYLLABLES), 2)).capitalize()
    oddity = float(rng.random())
    if oddity < 0.08:
        return name, f"{name} "
    if oddity < 0.14:
        return name, f"${name.upper()}"
    if oddity < 0.17:
        return name, None if number % 2 else ""
    return name, name.upper()
