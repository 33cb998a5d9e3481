"""What quality.py measures on one filled lake: orders by rule, tiers, grades, luck and the published verdicts."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
from quality_leak import Leak, leak

from smart_trader.evaluation.copying import DELAYS_S, Returns, copied_returns, mean_returns
from smart_trader.evaluation.quality import CUTS, adversary_share, average_precision, judge, precision_at
from smart_trader.evaluation.standings import read_standings
from smart_trader.lake.delta import table_names
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.sandbox.market.roles import ADVERSARY, ROLES, SKILLED
from smart_trader.sandbox.market.truth import truths

TOP = 25
DRAWS = 200
RANDOM = "random"
# the tiers that the list recommends
GOOD_TIERS = ("ELITE", "STRONG")
GOOD = " + ".join(GOOD_TIERS)
GRADES = ("A", "B", "C", "D", "X")
JOINED = ("A + B", "C", "D")
QUALIFIED = "select wallet_address from wallets where is_qualified"
BY_SCORE = "smart_trader_score desc, total_pnl desc, wallet_address"
# the old lists of before there were grades take these alone
FIGURE_RULES = {
    "trust": "select wallet_address from wallets where overall_rank is not null order by overall_rank",
    "score": f"{QUALIFIED} order by {BY_SCORE}",
    "realized_pnl": f"{QUALIFIED} order by realized_pnl desc, wallet_address",
    "win_rate": f"{QUALIFIED} order by win_rate desc, trade_count desc, wallet_address",
}
RULES = {
    **FIGURE_RULES,
    "skill_low": f"{QUALIFIED} order by skill_low desc nulls last, total_pnl desc, wallet_address",
    "flags": f"{QUALIFIED} and not is_flagged order by {BY_SCORE}",
}
Metrics = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Some wallets: how many are skilled and adversaries, the kinds of all, and what each that buys would return."""

    wallets: int
    skilled: int
    adversaries: int
    kinds: tuple[str, ...]
    returns: tuple[Returns, ...]

    @classmethod
    def of(cls, wallets: Sequence[str], kinds: Mapping[str, str], returns: Mapping[str, Returns]) -> Group:
        """Look some wallets up."""
        mine = tuple(kinds.get(wallet, "") for wallet in wallets)
        roles = [ROLES.get(kind) for kind in mine]
        copied = tuple(returns[wallet] for wallet in wallets if wallet in returns)
        return cls(len(mine), roles.count(SKILLED), roles.count(ADVERSARY), mine, copied)

    def __add__(self, other: Group) -> Group:
        return Group(
            self.wallets + other.wallets,
            self.skilled + other.skilled,
            self.adversaries + other.adversaries,
            self.kinds + other.kinds,
            self.returns + other.returns,
        )

    def copied(self, delay: int) -> float | None:
        """Return the mean return of copying them, each that buys counted alike; None where none does."""
        return mean(one[delay] for one in self.returns)

    def metrics(self) -> Metrics:
        """Return its shares and returns."""
        found: Metrics = {
            "wallets": float(self.wallets),
            "skilled": self.skilled / self.wallets if self.wallets else None,
            "adversaries": self.adversaries / self.wallets if self.wallets else None,
        }
        return found | {f"copied_{delay}": self.copied(delay) for delay in DELAYS_S}


@dataclass(frozen=True, slots=True)
class Judged:
    """One seed, judged.

    Attributes:
        rules: Metrics of each rule.
        tiers: Listed wallets by tier.
        grades: Evaluated wallets by grade; empty in a lake that grades nobody.
        base_rate: Share of skilled wallets among the evaluated ones.
        skilled: Skilled wallets that are evaluated.
        skilled_qualified: Those of them that qualify; no rule finds more.
        luck: The newest row of gold.list_quality, if there is one.
        calibration: All rows of gold.score_calibration, oldest first.
        leak: What the list becomes when some adversaries slip past all hard flags; None without grades.
    """

    rules: Mapping[str, Metrics]
    tiers: Mapping[str, Group]
    grades: Mapping[str, Group]
    base_rate: float
    skilled: int
    skilled_qualified: int
    luck: Mapping[str, Any] | None
    calibration: Sequence[Mapping[str, Any]]
    leak: Leak | None


def judge_lake(lake: Lake, own_rules: Mapping[str, str], seed: int) -> Judged:
    """Judge a lake, with the market carried on for what copying returns."""
    # `loaders` is the package here, not the script beside this one
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    from smart_trader.pipeline.sources import remembered_market

    standings = read_standings(lake)
    source = remembered_market(lake.paths, standings.as_of)
    kinds = {truth.address: truth.kind for truth in truths(source, standings.as_of)}
    base_rate = judge(standings, kinds).base_rate
    is_graded = bool(standings.grades)
    orders = ranked_by(lake, {**(RULES if is_graded else FIGURE_RULES), **own_rules})
    skilled = {wallet for wallet in standings.evaluated if ROLES.get(kinds.get(wallet, "")) == SKILLED}
    returns = copied_returns(source, {*standings.evaluated, *orders["trust"]}, standings.as_of)
    measured = {name: measure(order, skilled, kinds, returns) for name, order in orders.items()}
    lot, drawn_from = random.Random(seed), sorted(orders["score"])
    draws = [measure(lot.sample(drawn_from, len(drawn_from)), skilled, kinds, returns) for _ in range(DRAWS)]
    measured[RANDOM] = {name: mean(draw[name] for draw in draws) for name in draws[0]}
    tiers = by_name((entry.tier, entry.wallet) for entry in standings.listed)
    tiers = {tier: tiers[tier] for tier in standings.tiers if tier in tiers}
    tiers[GOOD] = [wallet for tier in GOOD_TIERS for wallet in tiers.get(tier, ())]
    grades = by_name((grade, wallet) for wallet, grade in sorted(standings.grades.items()))
    return Judged(
        measured,
        {tier: Group.of(wallets, kinds, returns) for tier, wallets in tiers.items()},
        {grade: Group.of(grades.get(grade, ()), kinds, returns) for grade in GRADES} if is_graded else {},
        base_rate,
        len(skilled),
        len(skilled.intersection(orders["score"])),
        newest_row(lake, "list_quality"),
        rows_of(lake.read("gold", "score_calibration").sort_by("scored_at"))
        if lake.has("gold", "score_calibration")
        else [],
        leak(lake, kinds, seed) if is_graded else None,
    )


def ranked_by(lake: Lake, rules: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the wallets of a lake in each rule's order."""
    database = duckdb.connect()
    database.execute("create schema gold")
    names = table_names(lake.location("gold", "").rstrip("/"))
    for name in names:
        database.register("arrived", lake.read("gold", name))
        database.execute(f'create table gold."{name}" as select * from arrived')
        database.unregister("arrived")
    if "wallet_standings" in names:
        figures = "gold.wallet_standings"
    else:
        figures = (
            "(select * from gold.trader_evaluations qualify row_number() over "
            "(partition by wallet_address order by calculation_date desc) = 1)"
        )
    database.execute(
        f"create view wallets as select figures.*, leaderboard.overall_rank from {figures} as figures "
        "left join gold.leaderboard using (wallet_address)"
    )
    found = {}
    for name, rule in rules.items():
        is_whole = rule.lstrip().lower().startswith(("select", "with"))
        query = rule if is_whole else f"{QUALIFIED} order by {rule}, wallet_address"
        try:
            found[name] = [row[0] for row in database.execute(query).fetchall()]
        except duckdb.Error as error:
            raise SystemExit(f"error: the rule {name!r} cannot be used: {error}") from None
    return found


def measure(
    order: Sequence[str], skilled: Iterable[str], kinds: Mapping[str, str], returns: Mapping[str, Returns]
) -> Metrics:
    """Return the metrics of one order."""
    found: Metrics = {f"p{cut}": precision_at(order, skilled, cut) for cut in CUTS}
    found["average_precision"] = average_precision(order, skilled)
    found["adversaries_top"] = adversary_share(order[:TOP], kinds)
    found |= {f"copied_{delay}": value for delay, value in mean_returns(returns, order[:TOP]).items()}
    found["ranked"] = float(len(order))
    return found


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Gather wallets by the name of their group."""
    found: dict[str, list[str]] = {}
    for name, wallet in pairs:
        found.setdefault(name, []).append(wallet)
    return found


def newest_row(lake: Lake, name: str) -> dict[str, Any] | None:
    """Return the newest row of a history of gold."""
    if not lake.has("gold", name):
        return None
    table = lake.read("gold", name)
    newest = rows_of(table.filter(pc.field("scored_at") == pc.max(table["scored_at"])))
    return newest[0] if newest else None


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def over_seeds(found: Sequence[Mapping[str, Metrics]]) -> dict[str, dict[str, object]]:
    """Return the mean of each metric over the seeds, and its lowest and highest value."""
    merged: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for one in found for name in one):
        present = [one[name] for one in found if name in one]
        merged[name] = {}
        for metric in present[0]:
            known = [value for one in present if (value := one[metric]) is not None]
            average = mean(known)
            merged[name][metric] = None if average is None else round(average, 4)
            merged[name][f"{metric}_range"] = [round(min(known), 4), round(max(known), 4)] if known else None
    return merged


def pooled(found: Sequence[Mapping[str, Group]]) -> dict[str, Group]:
    """Throw the groups of all seeds together, so that each wallet counts alike."""
    merged: dict[str, Group] = {}
    for one in found:
        for name, group in one.items():
            merged[name] = merged[name] + group if name in merged else group
    return merged
