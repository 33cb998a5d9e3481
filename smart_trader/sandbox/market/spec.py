"""What names a made-up market: which world, which seed, how large, since when, how well its adversaries hide."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from smart_trader.errors import SmartTraderError

EASY, HARD, NO_SKILL = "easy", "hard", "no_skill"
MARKETS = (EASY, HARD, NO_SKILL)
DEFAULT_MARKET = HARD
FULL_STRENGTH = 1.0
# enough for a list of five wallets at every hour of a day (5 to 39 were seen at six of them, by how many tokens were
# listed then), few enough for a first run of seconds
DEMO_WALLETS = 900
FEWEST_WALLETS = 20
MOST_WALLETS = 100_000
LARGEST_SEED = 2**32 - 1
# every token's past is kept for the token list, so a market cannot go on for ever
MOST_DAYS = 120


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """Everything a world follows from: two worlds of equal specs are equal, whatever machine makes them.

    Attributes:
        market: One of `MARKETS`.
        seed: A whole number from 0.
        wallets: How many wallets are known, at least 20.
        genesis: Unix time the world begins at.
        strength: How well adversaries hide, from 0 to 1; the easy market has no use for it and knows only 1.

    Raises:
        SmartTraderError: A value is out of range.
    """

    market: str
    seed: int
    wallets: int
    genesis: int
    strength: float = FULL_STRENGTH

    def __post_init__(self) -> None:
        if self.market not in MARKETS:
            raise SmartTraderError(f"no market {self.market!r}", f"the markets are {', '.join(MARKETS)}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise SmartTraderError(f"seed {self.seed} is negative or too large", f"give one from 0 to {LARGEST_SEED}")
        if not FEWEST_WALLETS <= self.wallets <= MOST_WALLETS:
            raise SmartTraderError(
                f"{self.wallets} wallets make no market", f"give a number from {FEWEST_WALLETS} to {MOST_WALLETS}"
            )
        if not 0.0 <= self.strength <= 1.0:
            raise SmartTraderError(f"strength {self.strength} is out of range", "give a number from 0 to 1")
        if self.market == EASY and self.strength != FULL_STRENGTH:
            raise SmartTraderError("the easy market knows no --strength", "leave it out, or give another --market")

    @property
    def title(self) -> str:
        """Return the spec as a person reads it in a message."""
        weaker = f" at strength {self.strength!r}" if self.strength != FULL_STRENGTH else ""
        return f"the {self.market} market of seed {self.seed} with {self.wallets} wallets{weaker}"

    @property
    def options(self) -> str:
        """Return the options that name this world to `sandbox serve` and `sandbox truth`."""
        weaker = f" --strength {self.strength!r}" if self.strength != FULL_STRENGTH else ""
        return f"--market {self.market}{weaker} --seed {self.seed} --wallets {self.wallets} --genesis {self.genesis}"

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, known: dict[str, Any]) -> WorldSpec:
        """Return a remembered spec; one that was remembered before there were several markets is of the easy one.

        Raises:
            TypeError: A value is missing or there is one too many.
            SmartTraderError: A value is out of range.
        """
        return cls(**{"market": EASY, "strength": FULL_STRENGTH, **known})
