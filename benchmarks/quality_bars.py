"""The bars that a list has to take, by market, and whether it does. A missed one is printed with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quality_measures import GOOD, GOOD_TIERS, JOINED, Group, Judged, mean, pooled

from smart_trader.sandbox.market.spec import EASY, HARD, NO_SKILL

DELAY = 10
# the copied returns of X count for no bar: such a wallet is not listed
FOLLOWED = ("A", "B", "C", "D")
PREDICTS = ("predictive", "suspicious")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what is measured, what it should be, what it is, and whether that is met; None where nothing is known."""

    name: str
    value: str
    bar: str
    is_met: bool | None

    @property
    def verdict(self) -> str:
        """Return whether it is met, in a word."""
        return "not known" if self.is_met is None else "met" if self.is_met else "MISSED"


def bars_of(market: str, found: Mapping[int, Judged]) -> list[Bar]:
    """Return the bars of a market over its seeds."""
    own = {HARD: _hard, EASY: _easy, NO_SKILL: _no_skill}[market]
    return [*own(found), _permuted(found)]


def grades_over(found: Mapping[int, Judged]) -> dict[str, Group]:
    """Return the grades of all seeds together, and A with B: few wallets have either."""
    grades = pooled([one.grades for one in found.values()])
    return {**grades, JOINED[0]: grades["A"] + grades["B"]} if grades else {}


def order_of(grades: Mapping[str, Group], names: Sequence[str], delay: int) -> bool | None:
    """Return whether the copied return falls from grade to grade; one that nobody copied is left out."""
    known = [value for name in names if name in grades and (value := grades[name].copied(delay)) is not None]
    return all(better > worse for better, worse in pairwise(known)) if len(known) > 1 else None


def _hard(found: Mapping[int, Judged]) -> list[Bar]:
    tiers, grades = pooled([one.tiers for one in found.values()]), grades_over(found)
    good = tiers[GOOD]
    share = good.adversaries / good.wallets if good.wallets else None
    return [
        _least("P@25, mean", mean(one.rules["trust"]["p25"] for one in found.values()), 0.75, _most(found, 25)),
        _least("P@50, mean", mean(one.rules["trust"]["p50"] for one in found.values()), 0.55, _most(found, 50)),
        Bar(
            f"adversaries in {GOOD}, all seeds",
            f"{good.adversaries} of {good.wallets}",
            "<= 2 %",
            None if share is None else share <= 0.02,
        ),
        Bar(
            f"copied return falls by grade, {DELAY} s",
            _copied_text(grades, FOLLOWED),
            "A > B > C > D",
            order_of(grades, FOLLOWED, DELAY),
        ),
        Bar(
            f"the same with A and B as one, {DELAY} s",
            _copied_text(grades, JOINED),
            "A + B > C > D",
            order_of(grades, JOINED, DELAY),
        ),
    ]


def _easy(found: Mapping[int, Judged]) -> list[Bar]:
    above = sum(
        group.kinds.count("insider")
        for one in found.values()
        for tier, group in one.tiers.items()
        if tier in (*GOOD_TIERS, "PROMISING")
    )
    bars = [
        _least(f"P@{cut}, worst seed", min(one.rules["trust"][f"p{cut}"] or 0.0 for one in found.values()), 1.0)
        for cut in (10, 25, 50)
    ]
    return [*bars, Bar("insiders above QUALIFIED, all seeds", str(above), "0", above == 0)]


def _no_skill(found: Mapping[int, Judged]) -> list[Bar]:
    lists, verdicts = [], []
    is_within: list[bool] = []
    for seed, one in found.items():
        if one.luck is not None:
            good, low, high = one.tiers[GOOD].wallets, one.luck["luck_low"], one.luck["luck_high"]
            is_within.append(low <= good <= high)
            lists.append(f"{seed}: {good} in {low:g} to {high:g}")
        verdicts += [f"{seed}: {row['verdict']}" for row in one.calibration if row["score_name"] == "skill_low"]
    return [
        Bar(
            f"{GOOD} within the 95 % range of expected_by_luck, each seed",
            "; ".join(lists) or "-",
            "within",
            all(is_within) if is_within else None,
        ),
        Bar(
            "verdict on skill_low, each seed",
            "; ".join(verdicts) or "-",
            "never predictive",
            not any(verdict.endswith(PREDICTS) for verdict in verdicts) if verdicts else None,
        ),
    ]


def _permuted(found: Mapping[int, Judged]) -> Bar:
    counts = [one.luck["expected_by_luck"] for one in found.values() if one.luck is not None]
    most = max((one.luck["luck_high"] for one in found.values() if one.luck is not None), default=None)
    return Bar(
        "graded A or B with returns permuted, mean of a seed",
        "-" if not counts else f"{sum(counts) / len(counts):.2f}, at most {most:g}",
        "0",
        max(counts) == 0 if counts else None,
    )


def _least(name: str, value: float | None, least: float, note: str = "") -> Bar:
    shown = "-" if value is None else f"{value:.3f}{note}"
    return Bar(name, shown, f">= {least:.2f}", None if value is None else value >= least)


def _most(found: Mapping[int, Judged], cut: int) -> str:
    """Say what a perfect order of those that qualify would reach: a market may not have enough skilled wallets."""
    most = mean(min(1.0, one.skilled_qualified / cut) for one in found.values())
    evaluated, qualified = (
        sum(getattr(one, name) for one in found.values()) / len(found) for name in ("skilled", "skilled_qualified")
    )
    return f", {most:.3f} at best ({evaluated:.0f} skilled evaluated, {qualified:.0f} qualify, mean)"


def _copied_text(grades: Mapping[str, Group], names: Sequence[str]) -> str:
    known = [(name, grades[name].copied(DELAY), len(grades[name].returns)) for name in names if name in grades]
    return ", ".join(f"{name} {'-' if value is None else f'{value:+.3f}'} ({count})" for name, value, count in known)
