"""Skill with a lower bound: what a wallet's mean return says once it is shrunk towards its peers'."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .facts import LAUNCH_S, LEAST_COST_USD, Return

DAY_S = 86_400
WINDOW_S = 90 * DAY_S
PERIOD_S = 6 * DAY_S
LEAST_OF_A_PEER = 5
LEAST_BETWEEN = 1e-4
Z95, Z90 = 1.645, 1.2816
# positions that the peers' variance counts as
WITHIN_POSITIONS = 20


class Scale(NamedTuple):
    """What the peers look like."""

    mean: float
    within: float
    between: float
    peers: int


class Skill(NamedTuple):
    """A wallet's skill and what it is made of; None where there is nothing to make it of."""

    position_count: int
    mean_return: float | None
    skill: float | None
    skill_low: float | None
    skill_low_90: float | None
    edge_low: float | None
    edge_low_90: float | None
    money_return: float | None
    money_return_low: float | None
    period_count: int
    good_period_share: float | None
    grade: str


def counted(returns: Sequence[Return], at: int) -> list[Return]:
    """Return the positions that skill is made of: recent ones of some size, no launches, and not what it was found by."""
    recent = [each for each in returns if each.first_trade > at - WINDOW_S]
    followable = [each for each in recent if each.age_s is None or not 0 <= each.age_s <= LAUNCH_S]
    return [each for each in followable if not each.is_trigger and each.cost >= LEAST_COST_USD]


def scale_of(peers: Sequence[Sequence[float]]) -> Scale | None:
    """Estimate the peers' mean and both variances, by DerSimonian and Laird."""
    known = [peer for peer in peers if len(peer) >= LEAST_OF_A_PEER]
    if not known:
        return None
    sizes = [len(peer) for peer in known]
    means = [math.fsum(peer) / len(peer) for peer in known]
    total = sum(sizes)
    mean = math.fsum(math.fsum(peer) for peer in known) / total
    squares = math.fsum((value - own) ** 2 for peer, own in zip(known, means, strict=True) for value in peer)
    within = squares / (total - len(known))
    if within == 0:
        return Scale(mean, within, LEAST_BETWEEN, len(known))
    weights = [size / within for size in sizes]
    spread = math.fsum(weight * (own - mean) ** 2 for weight, own in zip(weights, means, strict=True))
    scale = math.fsum(weights) - math.fsum(weight**2 for weight in weights) / math.fsum(weights)
    between = (spread - (len(known) - 1)) / scale if scale > 0 else 0.0
    return Scale(mean, within, max(between, LEAST_BETWEEN), len(known))


def skill_of(mine: Sequence[Return], scale: Scale | None, *, is_hard: bool, is_followed: bool = False) -> Skill:
    """Score one wallet by its counted positions."""
    count = len(mine)
    mean = math.fsum(each.bounded for each in mine) / count if count else None
    bounds: dict[str, float | None] = dict.fromkeys(("skill", "skill_low", "skill_low_90", "edge_low", "edge_low_90"))
    if scale is not None and mean is not None:
        squares = math.fsum((each.bounded - mean) ** 2 for each in mine)
        own = (WITHIN_POSITIONS * scale.within + squares) / (WITHIN_POSITIONS + count - 1)
        pull = scale.between / (scale.between + own / count)
        edge, deviation = pull * (mean - scale.mean), math.sqrt(scale.between * (1 - pull))
        bounds |= {"skill": scale.mean + edge}
        bounds |= {"skill_low": scale.mean + edge - Z95 * deviation, "edge_low": edge - Z95 * deviation}
        bounds |= {"skill_low_90": scale.mean + edge - Z90 * deviation, "edge_low_90": edge - Z90 * deviation}
    periods = profits_by_period(mine)
    good = sum(profit > 0 for profit in periods.values()) / len(periods) if periods else None
    money, low = money_return(mine)
    return Skill(
        position_count=count,
        mean_return=mean,
        **bounds,
        money_return=money,
        money_return_low=low,
        period_count=len(periods),
        good_period_share=good,
        grade="X" if is_hard else "D" if is_followed else grade_of(count, bounds, len(periods), good),
    )


def grade_of(count: int, bounds: Mapping[str, float | None], periods: int, good: float | None) -> str:
    """Return the grade of a wallet without a hard flag."""

    def is_above(*names: str) -> bool:
        return all((bounds[name] or 0) > 0 for name in names)

    if count >= 15 and is_above("skill_low", "edge_low") and periods >= 3 and (good or 0) >= 0.6:
        return "A"
    if count >= 10 and is_above("skill_low_90", "edge_low_90"):
        return "B"
    return "C" if count >= 5 and is_above("skill") else "D"


def profits_by_period(mine: Sequence[Return]) -> dict[int, float]:
    """Return the profit of the positions opened in each period of six days, counted from 1970."""
    periods: dict[int, list[float]] = {}
    for each in mine:
        periods.setdefault(each.first_trade // PERIOD_S, []).append(float(each.pnl))
    return {period: math.fsum(profits) for period, profits in periods.items()}


def money_return(mine: Sequence[Return]) -> tuple[float | None, float | None]:
    """Return profit over cost of all positions, and its lower bound as a ratio of sums."""
    if not mine:
        return None, None
    cost = math.fsum(float(each.cost) for each in mine)
    ratio = math.fsum(float(each.pnl) for each in mine) / cost
    squares = math.fsum((float(each.pnl) - ratio * float(each.cost)) ** 2 for each in mine)
    return ratio, ratio - Z95 * math.sqrt(squares) / cost if len(mine) > 1 else None
