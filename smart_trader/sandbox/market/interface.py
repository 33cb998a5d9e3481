"""What a world of any market can be asked, so that all are listed, served and judged alike."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from smart_trader.sandbox.market.history import Series
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.market.state import Floats, Ints, Rows, Transfer


class Member(NamedTuple):
    """One wallet behind its mask.

    Attributes:
        kind: Its kind.
        partner: Number of the wallet it belongs with, or -1.
        style: How a skilled wallet trades, or empty.
        skill_until: Unix time at which its skill ends; None if it never does or there is none.
    """

    kind: str
    partner: int = -1
    style: str = ""
    skill_until: int | None = None


class AnyToken(Protocol):
    """A token of any market."""

    @property
    def mint(self) -> str:
        """Return its address."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def symbol(self) -> str | None:
        """Return its symbol, which may be missing."""

    @property
    def decimals(self) -> int:
        """Return how many digits of an amount follow the point."""

    @property
    def supply(self) -> int:
        """Return how many base units there are."""

    @property
    def launched_at(self) -> int:
        """Return the unix time of its launch."""


class AnyHistory(Protocol):
    """Prices and volumes step by step."""

    @property
    def count(self) -> int:
        """Return how many steps are noted."""

    def series(self, asset: int) -> Series:
        """Return an asset's values, a step each."""


class MarketWorld(Protocol):
    """A market from genesis to the end of its last step.

    Attributes:
        deployers: Wallet that deployed a token, by token; others come from nobody known.
    """

    spec: WorldSpec
    seed: int
    genesis: int
    tokens: list[Any]
    kinds: tuple[str, ...]
    deployers: dict[int, int]

    @property
    def now(self) -> int:
        """Return the unix time up to which the world is known."""

    @property
    def rows(self) -> Rows:
        """Return every swap row so far."""

    @property
    def pools(self) -> Any:
        """Return the pools as columns."""

    @property
    def pool_count(self) -> int:
        """Return how many of the columns' entries are in use."""

    @property
    def assets(self) -> Any:
        """Return scales and last prices as columns."""

    @property
    def drained(self) -> Ints:
        """Return since when each pool is drained by its owner; 0 for never."""

    @property
    def history(self) -> AnyHistory:
        """Return prices and volumes step by step."""

    def carry_to(self, time: int) -> None:
        """Carry the world on until it covers a time."""

    def held(self, asset: int, now: int) -> Ints:
        """Return what each wallet holds of an asset at the end of the last step, without transfers after `now`."""

    def holder_counts(self) -> Ints:
        """Return how many wallets hold each asset."""

    def is_dead(self, asset: int) -> bool:
        """Whether nobody trades an asset any more."""

    def listing_time(self, asset: int) -> int | None:
        """Return the listing time the API knows of, if it knows one."""

    def members(self) -> list[Member]:
        """Return what each wallet really is."""

    def crowd_ticks(self, asset: int) -> tuple[Ints, Floats]:
        """Return when the crowd moved an asset's price between the ends of steps, and to what."""

    @property
    def transfers(self) -> list[Transfer]:
        """Return what changed hands without a swap, in order of time."""
