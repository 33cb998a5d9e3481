"""What a lake says of its wallets: whom it tracks, has evaluated and lists, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow.compute as pc

from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake


@dataclass(frozen=True, slots=True)
class Listed:
    """A wallet of the leaderboard."""

    wallet: str
    tier: str


@dataclass(frozen=True, slots=True)
class Standings:
    """Wallets of a lake.

    Attributes:
        listed: The leaderboard, best first, without former traders.
        evaluated: Wallets with a verdict.
        tracked: Wallets whose swaps the lake follows; pools among holders included until they are known as such.
        as_of: Unix time of the newest run.
        tiers: Names of all tiers, best first.
        grades: Grade of each wallet that has one, unlisted wallets too; empty in a lake that grades nobody.
    """

    listed: list[Listed]
    evaluated: frozenset[str]
    tracked: frozenset[str]
    as_of: int
    tiers: tuple[str, ...]
    grades: Mapping[str, str] = field(default_factory=dict)


def read_standings(lake: Lake) -> Standings:
    """Read a lake's list; no engine is needed.

    Raises:
        SmartTraderError: Nothing is evaluated yet.
    """
    board = lake.read("gold", "leaderboard", ["overall_rank", "wallet_address", "tier"], ~pc.field("former"))
    board = board.sort_by([("overall_rank", "ascending")])
    wallets, tiers = board["wallet_address"].to_pylist(), board["tier"].to_pylist()
    evaluated = lake.read("gold", "trader_evaluations", ["wallet_address"])["wallet_address"].unique().to_pylist()
    if not evaluated:
        raise SmartTraderError("no wallet of this lake is evaluated yet", "run the pipeline: smart-trader run --demo")
    tracked = lake.read("silver", "tracked_whales", ["wallet_address"])["wallet_address"].unique().to_pylist()
    newest = pc.max(lake.read("bronze", "fetch_log", ["as_of"])["as_of"]).as_py()
    return Standings(
        [Listed(wallet, tier) for wallet, tier in zip(wallets, tiers, strict=True)],
        frozenset(evaluated),
        frozenset(tracked),
        int(newest.timestamp()),
        tuple(lake.read("silver", "trader_tiers").sort_by("tier_rank")["tier"].to_pylist()),
        _read_grades(lake),
    )


def _read_grades(lake: Lake) -> dict[str, str]:
    """Return today's grade of each wallet."""
    if not lake.has("gold", "wallet_standings"):
        return {}
    table = lake.read("gold", "wallet_standings", ["wallet_address", "grade"], ~pc.field("grade").is_null())
    return dict(zip(table["wallet_address"].to_pylist(), table["grade"].to_pylist(), strict=True))
