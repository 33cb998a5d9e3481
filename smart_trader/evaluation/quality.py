"""How well a ranked list finds the wallets that are worth finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from smart_trader.errors import SmartTraderError
from smart_trader.evaluation.standings import Standings
from smart_trader.sandbox.market.roles import ADVERSARY, ROLES, SKILLED

CUTS = (10, 25, 50, 100)
# Kind of a wallet that the lake holds and the truth does not name.
UNKNOWN = "unknown"
STAGES = ("exists", "tracked", "evaluated", "listed")


@dataclass(frozen=True, slots=True)
class Quality:
    """A list against the truth.

    Attributes:
        precision: Share of skilled wallets among the first so many ranks. It is a share of the ranks asked for: a
            rank that no wallet takes is a miss, so that a short list cannot look better than it serves.
        base_rate: Share of skilled wallets among all evaluated ones: what a list drawn by lot would show.
        average_precision: Mean, over all skilled wallets that are evaluated, of the precision at each one's rank; one
            that is not listed adds 0. None where none is evaluated.
        tiers: Listed wallets by tier and kind, best tier first; a tier that nobody is in is left out.
        recall: Wallets of each kind by how far they came: exists, tracked, evaluated, listed.
        listed: How many wallets are listed.
        grades: Wallets of each grade by kind, best grade first, unlisted ones too; a grade that nobody has is left out.
    """

    precision: Mapping[int, float]
    base_rate: float
    average_precision: float | None
    tiers: Mapping[str, Mapping[str, int]]
    recall: Mapping[str, Mapping[str, int]]
    listed: int
    grades: Mapping[str, Mapping[str, int]]


def judge(standings: Standings, kinds: Mapping[str, str]) -> Quality:
    """Judge a lake's list.

    Args:
        standings: The list.
        kinds: Kind of each address, as the truth says.

    Raises:
        SmartTraderError: The truth knows none of the evaluated wallets: it is another market's.
    """
    if not standings.evaluated & kinds.keys():
        raise SmartTraderError(
            f"the truth knows none of the {len(standings.evaluated)} evaluated wallets of this lake",
            "it is another market's: give the one of this lake, with the same seed, wallets and genesis",
        )
    ranked = [entry.wallet for entry in standings.listed]
    skilled = {wallet for wallet in standings.evaluated if ROLES.get(kinds.get(wallet, "")) == SKILLED}
    tiers: dict[str, Counter[str]] = {tier: Counter() for tier in standings.tiers}
    for entry in standings.listed:
        tiers.setdefault(entry.tier, Counter())[kinds.get(entry.wallet, UNKNOWN)] += 1
    grades: dict[str, Counter[str]] = {grade: Counter() for grade in sorted(set(standings.grades.values()))}
    for wallet, grade in standings.grades.items():
        grades[grade][kinds.get(wallet, UNKNOWN)] += 1
    return Quality(
        {cut: precision_at(ranked, skilled, cut) for cut in CUTS},
        len(skilled) / len(standings.evaluated),
        average_precision(ranked, skilled),
        {tier: dict(sorted(counts.items())) for tier, counts in tiers.items() if counts},
        _recall(standings, kinds),
        len(ranked),
        {grade: dict(sorted(counts.items())) for grade, counts in grades.items()},
    )


def precision_at(ranked: Sequence[str], relevant: Iterable[str], cut: int) -> float:
    """Return the share of relevant wallets among the first ranks; ranks beyond the list's end are misses."""
    wanted = set(relevant)
    return sum(wallet in wanted for wallet in ranked[:cut]) / cut


def average_precision(ranked: Sequence[str], relevant: Iterable[str]) -> float | None:
    """Return the mean precision at the rank of each relevant wallet; None where nothing is relevant."""
    wanted = set(relevant)
    if not wanted:
        return None
    found, total = 0, 0.0
    for rank, wallet in enumerate(ranked, 1):
        if wallet in wanted:
            found += 1
            total += found / rank
    return total / len(wanted)


def adversary_share(wallets: Sequence[str], kinds: Mapping[str, str]) -> float | None:
    """Return the share of adversaries among some wallets; None where there are none."""
    if not wallets:
        return None
    return sum(ROLES.get(kinds.get(wallet, "")) == ADVERSARY for wallet in wallets) / len(wallets)


def _recall(standings: Standings, kinds: Mapping[str, str]) -> dict[str, dict[str, int]]:
    listed = {entry.wallet for entry in standings.listed}
    groups: tuple[Iterable[str], ...] = (kinds, standings.tracked, standings.evaluated, listed)
    counts = [Counter(kinds.get(wallet, UNKNOWN) for wallet in group) for group in groups]
    # in the order of the roles' table, so that two evaluations read alike
    found = [kind for kind in (*ROLES, UNKNOWN) if any(count[kind] for count in counts)]
    return {kind: {stage: count[kind] for stage, count in zip(STAGES, counts, strict=True)} for kind in found}
