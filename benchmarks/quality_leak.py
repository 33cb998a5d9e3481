"""The leak test: what the list becomes when some adversaries slip past all hard flags.

They are graded as everybody is, and they are among the peers whose returns set the scale, so that all wallets are
graded anew. With nobody slipping past, this comes to the lake's own grades; where it does not, `is_faithful` says so.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.evaluation.quality import adversary_share, precision_at
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.sandbox.market.roles import ADVERSARY, ROLES, SKILLED

SETTINGS = read_variables(ProjectVariables)
SHARE = 0.1
CUTS = (10, 25, 50)
GOOD_TIERS = ("ELITE", "STRONG")
LEAST_BETWEEN = 1e-4
DAY_S = 86_400
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leak:
    """The list with the leak; shares are None where there is nothing to divide by."""

    slipped: int
    precision: Mapping[int, float]
    adversaries: float | None
    skilled_of_a: float | None
    is_faithful: bool


@dataclass(frozen=True, slots=True)
class Wallets:
    """What grading takes, wallet by wallet."""

    addresses: list[str]
    returns: list[Floats]
    periods: list[tuple[int, float]]


def leak(lake: Lake, kinds: Mapping[str, str], seed: int) -> Leak:
    """Let a tenth of the adversaries with a hard flag slip past, drawn by lot, and grade everybody again."""
    wallets = _wallets(lake)
    standings = {row["wallet_address"]: row for row in rows_of(lake.read("gold", "wallet_standings"))}
    flagged = {wallet for wallet, row in standings.items() if row["is_flagged"]}
    adversaries = sorted(wallet for wallet in flagged if ROLES.get(kinds.get(wallet, "")) == ADVERSARY)
    slipped = set(random.Random(seed).sample(adversaries, round(SHARE * len(adversaries))))
    followed = {wallet for wallet, row in standings.items() if row["is_followed"]}
    unchanged = regrade(wallets, flagged, followed)
    graded = regrade(wallets, flagged - slipped, followed)
    order = _ranked(lake, standings, graded)
    good = [wallet for wallet, tier in order if tier in GOOD_TIERS]
    best = [wallet for wallet, (grade, _) in graded.items() if grade == "A"]
    skilled = [wallet for wallet in graded if ROLES.get(kinds.get(wallet, "")) == SKILLED]
    return Leak(
        len(slipped),
        {cut: precision_at([wallet for wallet, _ in order], skilled, cut) for cut in CUTS},
        adversary_share(good, kinds),
        len(set(best) & set(skilled)) / len(best) if best else None,
        all(grade == standings[wallet]["grade"] for wallet, (grade, _) in unchanged.items() if wallet in standings),
    )


def _wallets(lake: Lake) -> Wallets:
    """Read the positions that grades are made of."""
    rows: dict[str, list[dict[str, Any]]] = {
        wallet: [] for wallet in lake.read("gold", "skill_scores")["wallet_address"].to_pylist()
    }
    for row in rows_of(lake.read("silver", "position_returns")):
        age_s = (row["calculation_date"] - row["first_trade_at"]).total_seconds()
        since_launch = row["seconds_after_launch"]
        is_launch = since_launch is not None and 0 <= since_launch <= SETTINGS.launch_max_seconds
        if not row["is_trigger"] and not is_launch and age_s <= SETTINGS.skill_window_days * DAY_S:
            period = int(row["first_trade_at"].timestamp() // (SETTINGS.skill_period_days * DAY_S))
            rows[row["wallet_address"]].append({**row, "period": period})
    addresses = sorted(rows)
    returns = [np.array([row["bounded_return"] for row in rows[wallet]], dtype=float) for wallet in addresses]
    periods = []
    for wallet in addresses:
        profits: dict[object, float] = {}
        for row in rows[wallet]:
            profits[row["period"]] = profits.get(row["period"], 0.0) + float(str(row["pnl_usd"]))
        good = sum(profit > 0 for profit in profits.values())
        periods.append((len(profits), good / len(profits) if profits else 0.0))
    return Wallets(addresses, returns, periods)


def regrade(wallets: Wallets, flagged: set[str], followed: set[str]) -> dict[str, tuple[str, float]]:
    """Return grade and skill_low of each wallet; what is not known is lowest."""
    is_hard = np.array([wallet in flagged for wallet in wallets.addresses])
    count = np.array([len(mine) for mine in wallets.returns], dtype=float)
    mean = np.array([mine.mean() if len(mine) else np.nan for mine in wallets.returns])
    is_peer = ~is_hard & (count >= SETTINGS.skill_peer_positions)
    middle, within, between = scale_of([mine for mine, peer in zip(wallets.returns, is_peer, strict=True) if peer])
    weight = SETTINGS.skill_variance_positions
    squares = np.array([float(((mine - mine.mean()) ** 2).sum()) if len(mine) else 0.0 for mine in wallets.returns])
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (weight * within + squares) / (weight + count - 1)
        pull = np.where(count > 0, between / (between + own / count), 0.0)
    edge, deviation = pull * (mean - middle), np.sqrt(between * (1 - pull))
    skill = middle + edge
    periods = np.array([number for number, _ in wallets.periods])
    good = np.array([share for _, share in wallets.periods])
    # without a position, or without peers, every comparison with nan is false
    low_95 = np.minimum(edge, skill) - SETTINGS.skill_bound_95 * deviation
    low_90 = np.minimum(edge, skill) - SETTINGS.skill_bound_90 * deviation
    is_steady = (periods >= SETTINGS.grade_a_periods) & (good >= SETTINGS.grade_a_good_share)
    conditions = [
        is_hard,
        np.array([wallet in followed for wallet in wallets.addresses]),
        (count >= SETTINGS.grade_a_positions) & (low_95 > 0) & is_steady,
        (count >= SETTINGS.grade_b_positions) & (low_90 > 0),
        (count >= SETTINGS.grade_c_positions) & (skill > 0),
    ]
    grades = np.select(conditions, ["X", "D", "A", "B", "C"], "D").tolist()
    bounds = np.nan_to_num(skill - SETTINGS.skill_bound_95 * deviation, nan=-np.inf).tolist()
    return dict(zip(wallets.addresses, zip(grades, bounds, strict=True), strict=True))


def scale_of(peers: list[Floats]) -> tuple[float, float, float]:
    """Return the peers' mean, and the variance within and between them; nan where there are none."""
    if not peers:
        return np.nan, np.nan, np.nan
    sizes = np.array([len(peer) for peer in peers], dtype=float)
    means = np.array([peer.mean() for peer in peers])
    middle = float((sizes * means).sum() / sizes.sum())
    within = float(sum(((peer - peer.mean()) ** 2).sum() for peer in peers) / (sizes.sum() - len(peers)))
    if within == 0 or len(peers) < 2:
        return middle, within, LEAST_BETWEEN
    weights = sizes / within
    spread = float((weights * (means - middle) ** 2).sum()) - (len(peers) - 1)
    between = spread / float(weights.sum() - (weights**2).sum() / weights.sum())
    return middle, within, max(between, LEAST_BETWEEN)


def _ranked(
    lake: Lake, standings: Mapping[str, Mapping[str, object]], graded: Mapping[str, tuple[str, float]]
) -> list[tuple[str, str]]:
    """Return the list that the grades make, best first, with the tiers."""
    tiers = lake.read("silver", "trader_tiers").sort_by("tier_rank")["tier"].to_pylist()
    by_grade = {row["grade"]: row["best_tier"] for row in rows_of(lake.read("silver", "grade_tiers"))}
    caps: dict[str, list[str]] = {}
    for row in rows_of(lake.read("gold", "wallet_flags")):
        if row["tier_cap"] is not None:
            caps.setdefault(row["wallet_address"], []).append(row["tier_cap"])
    places = []
    for wallet, row in standings.items():
        grade, low = graded[wallet]
        if not row["is_qualified"] or grade not in by_grade:
            continue
        tier = max([str(row["uncapped_tier"]), by_grade[grade], *caps.get(wallet, ())], key=tiers.index)
        places.append((tiers.index(tier), row["is_followed"], -low, -float(str(row["total_pnl"])), wallet, tier))
    return [(wallet, tier) for *_, wallet, tier in sorted(places)]
