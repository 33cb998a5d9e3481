"""From figures to a place on the list: flags, skill, grades, capped tiers, ranks."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from .facts import Following, behaviour, counterparties, deals_by_token, followers, position_returns, trigger_tokens
from .flags import CAP, HARD, Flag, Suspect, flags_of
from .gold import Evaluation
from .marks import Observation
from .skill import Scale, Skill, counted, scale_of, skill_of
from .verdict import EXACT, Verdict

TIERS = ("ELITE", "STRONG", "PROMISING", "QUALIFIED")
GRADE_CAPS = {"A": "ELITE", "B": "STRONG", "C": "PROMISING", "D": "QUALIFIED"}


class Standing(NamedTuple):
    """What a wallet is in the end; the tier is None where it is not listed."""

    grade: str
    is_listed: bool
    tier: str | None


@dataclass(frozen=True, slots=True)
class Trust:
    """All of it, by wallet; `ranking` holds the listed wallets, best first."""

    flags: dict[str, list[Flag]]
    scale: Scale | None
    skills: dict[str, Skill]
    standings: dict[str, Standing]
    ranking: list[str]


def compute_trust(
    verdict: Verdict, *, as_of: datetime, launches: Mapping[str, int], holder_observations: Iterable[Observation] = ()
) -> Trust:
    """Compute flags, skill and standings of all wallets of a verdict, all of them calculated at as_of.

    Args:
        verdict: The reference's own figures.
        as_of: The run's time.
        launches: Unix time of each token's launch, where it is known.
        holder_observations: Raw holder rows, each with the time it was observed.
    """
    at = int(as_of.timestamp())
    with decimal.localcontext(EXACT):
        triggers = trigger_tokens(holder_observations)
        deals = deals_by_token(verdict.wallets)
        partners, following = counterparties(deals), followers(deals, launches)
        returns = {
            wallet: position_returns(wallet, found, launches, triggers) for wallet, found in verdict.wallets.items()
        }
        flags = {
            wallet: flags_of(
                Suspect(
                    found.total, found.histories, returns[wallet], behaviour(found), partners.get(wallet, {}),
                    following.get(wallet, Following()), at,
                )
            )
            for wallet, found in verdict.wallets.items()
        }  # fmt: skip
    hard = {wallet for wallet, mine in flags.items() if any(flag.severity == HARD for flag in mine)}
    unflagged = {wallet for wallet in returns if is_peer(flags[wallet])}
    mine = {wallet: counted(found, at) for wallet, found in returns.items()}
    scale = scale_of([[each.bounded for each in mine[wallet]] for wallet in sorted(unflagged)])
    followed = {wallet for wallet in returns if is_followed(flags[wallet])}
    skills = {
        wallet: skill_of(found, scale, is_hard=wallet in hard, is_followed=wallet in followed)
        for wallet, found in mine.items()
    }
    standings = {
        wallet: standing(evaluation, skills[wallet].grade, flags[wallet])
        for wallet, evaluation in verdict.evaluations.items()
    }
    return Trust(flags, scale, skills, standings, ranking(verdict, skills, standings, flags))


def is_peer(flags: Iterable[Flag]) -> bool:
    """Return whether a wallet is one of those that the others are measured by."""
    return not any(flag.severity == HARD for flag in flags)


def is_followed(flags: Iterable[Flag]) -> bool:
    """Return whether a wallet's own crowd makes its returns."""
    return any(flag.flag == "followed" for flag in flags)


def standing(evaluation: Evaluation, grade: str, flags: Iterable[Flag]) -> Standing:
    """Cap the tier that a wallet's size would give it."""
    if not evaluation.is_qualified or grade == "X":
        return Standing(grade, is_listed=False, tier=None)
    caps = [GRADE_CAPS[grade], *(flag.tier_cap for flag in flags if flag.severity == CAP), evaluation.tier]
    return Standing(grade, is_listed=True, tier=max((cap for cap in caps if cap is not None), key=TIERS.index))


def ranking(
    verdict: Verdict,
    skills: Mapping[str, Skill],
    standings: Mapping[str, Standing],
    flags: Mapping[str, Sequence[Flag]],
) -> list[str]:
    """Return the listed wallets, best first; who has no bound, and who is followed, comes last in a tier."""

    def place(wallet: str) -> tuple[object, ...]:
        low, tier = skills[wallet].skill_low, standings[wallet].tier or ""
        return (
            *(TIERS.index(tier), is_followed(flags[wallet]), low is None, -(low or 0)),
            *(-verdict.evaluations[wallet].total_pnl, wallet),
        )

    return sorted((wallet for wallet, found in standings.items() if found.is_listed), key=place)
