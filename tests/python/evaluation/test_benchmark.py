"""benchmarks/quality.py: rules over gold, and what becomes of several seeds."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.evaluation.copying import DELAYS_S
from smart_trader.lake.reader import Lake
from tests.python.support.engine import PROJECT

SCRIPTS = PROJECT / "benchmarks"
PARTS = ("lakes", "quality_leak", "quality_measures", "quality_bars", "quality_tables", "quality")


@pytest.fixture(scope="module")
def parts() -> Iterator[dict[str, ModuleType]]:
    """The script's modules; its neighbours must not stand in for packages of other tests."""
    path = list(sys.path)
    sys.path.insert(0, str(SCRIPTS))
    found = {name: importlib.import_module(name) for name in PARTS}
    sys.path[:] = path
    yield found
    for name in PARTS:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def quality(parts: dict[str, ModuleType]) -> ModuleType:
    return parts["quality"]


@pytest.fixture(scope="module")
def measures(parts: dict[str, ModuleType]) -> ModuleType:
    return parts["quality_measures"]


@pytest.fixture(scope="module")
def bars(parts: dict[str, ModuleType]) -> ModuleType:
    return parts["quality_bars"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    columns = ("wallet_address", "calculation_date", "is_qualified", "realized_pnl", "win_rate", "trade_count")
    columns += ("smart_trader_score", "total_pnl")
    # a calculated twice: first it earned most
    rows = [("a", 1, True, 90, 10, 5, 99, 9), ("a", 2, True, 10, 50, 5, 7, 8), ("b", 1, True, 30, 40, 9, 7, 7),
            ("c", 1, False, 99, 99, 9, 99, 9), ("d", 1, True, 20, 50, 7, 9, 1)]  # fmt: skip
    evaluations = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
    board = pa.Table.from_pylist(
        [{"wallet_address": wallet, "overall_rank": rank} for wallet, rank in (("d", 1), ("a", 2), ("b", 3))]
        + [{"wallet_address": "c", "overall_rank": None}]
    )
    write_deltalake(str(tmp_path / "gold" / "trader_evaluations"), evaluations)
    write_deltalake(str(tmp_path / "gold" / "leaderboard"), board)
    return Lake(LakePaths(tmp_path, str(tmp_path)))


def test_rules_order_the_newest_evaluations_of_a_lake_without_grades(measures: ModuleType, lake: Lake) -> None:
    rules = {
        **measures.FIGURE_RULES,
        "busy": "trade_count desc",
        "whole": "select wallet_address from gold.leaderboard limit 0",
    }
    assert measures.ranked_by(lake, rules) == {
        "trust": ["d", "a", "b"],
        # a tie goes to who made more
        "score": ["d", "a", "b"],
        "realized_pnl": ["b", "d", "a"],
        # a tie goes to who trades more
        "win_rate": ["d", "a", "b"],
        "busy": ["b", "d", "a"],
        "whole": [],
    }


def test_rules_order_todays_standings(measures: ModuleType, lake: Lake) -> None:
    columns = ("wallet_address", "is_qualified", "is_flagged", "skill_low", "smart_trader_score", "total_pnl")
    # the best score is flagged, and c does not qualify
    rows = [("a", True, False, -0.1, 8.0, 1), ("b", True, False, None, 7.0, 9), ("c", False, False, 0.9, 99.0, 9),
            ("d", True, True, 0.2, 9.0, 5), ("e", True, False, None, 6.0, 8)]  # fmt: skip
    standings = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
    write_deltalake(lake.location("gold", "wallet_standings"), standings)
    rules = {name: measures.RULES[name] for name in ("trust", "score", "skill_low", "flags")}
    assert measures.ranked_by(lake, rules) == {
        "trust": ["d", "a", "b"],
        "score": ["d", "a", "b", "e"],
        "skill_low": ["d", "a", "b", "e"],
        "flags": ["a", "b", "e"],
    }


def test_a_rule_that_is_no_sql_is_named(measures: ModuleType, lake: Lake) -> None:
    with pytest.raises(SystemExit, match="the rule 'mine' cannot be used"):
        measures.ranked_by(lake, {"mine": "no_such_column desc"})


@pytest.mark.parametrize("text", ["score=x", "trust=x", "random=x", "x", "x=", "a b=x"])
def test_a_rule_needs_a_name_of_its_own(quality: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        quality.rule_of(text)
    assert quality.rule_of("mine=total_pnl = 1 desc") == ("mine", "total_pnl = 1 desc")


def test_seeds_become_a_mean_and_a_range(parts: dict[str, ModuleType]) -> None:
    seeds = [{"score": {"p10": 0.2, "copied_10": None}}, {"score": {"p10": 0.5, "copied_10": None}}]
    merged = parts["quality_measures"].over_seeds(seeds)
    assert merged == {
        "score": {"p10": 0.35, "p10_range": [0.2, 0.5], "copied_10": None, "copied_10_range": None},
    }
    assert parts["quality_tables"].table(merged, {"p10": "P@10", "copied_10": "copied"}, "rule").splitlines()[-1] == (
        "| score | 0.35 [0.20, 0.50] | - |"
    )


def test_an_order_is_measured(measures: ModuleType) -> None:
    kinds = {"a": "skilled", "b": "insider", "c": "noise"}
    found = measures.measure(["b", "a"], {"a"}, kinds, {"a": dict.fromkeys(DELAYS_S, 0.5)})
    assert (found["p10"], found["average_precision"], found["adversaries_top"]) == (0.1, 0.5, 0.5)
    assert (found["copied_10"], found["ranked"]) == (0.5, 2.0)


KINDS = {"s": "skilled", "i": "insider", "n": "noise"}


def group(bars: ModuleType, wallets: str, copied: float | None = None) -> Any:
    """A group of wallets, named by their kinds, each of which returns the same to a copier."""
    names = [f"{kind}{number}" for number, kind in enumerate(wallets)]
    returns = {} if copied is None else {name: dict.fromkeys(DELAYS_S, copied) for name in names}
    return bars.Group.of(names, {name: KINDS[name[0]] for name in names}, returns)


def judged(bars: ModuleType, **given: Any) -> Any:
    """One seed that takes every bar, but for what is given."""
    rules = {"trust": dict.fromkeys(("p10", "p25", "p50"), 1.0)}
    tiers = {bars.GOOD: group(bars, "ss")}
    copied = zip("ABCD", (0.4, 0.3, 0.2, 0.1), strict=True)
    grades = {**{grade: group(bars, "s", value) for grade, value in copied}, "X": group(bars, "i", 0.9)}
    luck = {"expected_by_luck": 0.0, "luck_low": 0.0, "luck_high": 3.0}
    calibration = [{"score_name": "skill_low", "verdict": "no_evidence"}]
    usual = {"rules": rules, "tiers": tiers, "grades": grades, "luck": luck, "calibration": calibration}
    return bars.Judged(**{**usual, "base_rate": 0.02, "skilled": 20, "skilled_qualified": 10, "leak": None, **given})


def missed(bars: ModuleType, market: str, *seeds: Any) -> list[str]:
    """Return the bars that some seeds miss, each by the beginning of its name."""
    found = bars.bars_of(market, dict(enumerate(seeds)))
    return [bar.name.split(",")[0] for bar in found if bar.is_met is not True]


@pytest.mark.parametrize("market", ["hard", "easy", "no_skill"])
def test_a_good_list_takes_every_bar(bars: ModuleType, market: str) -> None:
    assert missed(bars, market, judged(bars), judged(bars)) == []


def test_the_bars_of_the_hard_market(bars: ModuleType) -> None:
    few = {"trust": {"p10": 1.0, "p25": 0.7, "p50": 0.5}}
    assert "at best (20 skilled evaluated, 10 qualify, mean)" in bars.bars_of("hard", {1: judged(bars)})[0].value
    # the mean of both seeds counts: 0.85 and 0.75
    assert missed(bars, "hard", judged(bars, rules=few), judged(bars)) == []
    assert missed(bars, "hard", judged(bars, rules=few)) == ["P@25", "P@50"]
    # 1 of 50 is 2 %, 1 of 49 is more
    for size, names in ((50, []), (49, ["adversaries in ELITE + STRONG"])):
        assert missed(bars, "hard", judged(bars, tiers={bars.GOOD: group(bars, "i" + "s" * (size - 1))})) == names
    copied = {grade: group(bars, "s", value) for grade, value in zip("ABCD", (0.2, 0.4, 0.1, -0.1), strict=True)}
    assert missed(bars, "hard", judged(bars, grades=copied)) == ["copied return falls by grade"]
    # a grade that nobody copied says nothing, and one alone has no order
    assert missed(bars, "hard", judged(bars, grades={**copied, "A": group(bars, "")})) == []
    alone = {grade: group(bars, "s", 0.1 if grade == "D" else None) for grade in "ABCD"}
    assert len(missed(bars, "hard", judged(bars, grades=alone))) == 2


def test_the_bars_of_the_easy_market(bars: ModuleType) -> None:
    # the worst seed counts
    few = {"trust": {"p10": 1.0, "p25": 0.96, "p50": 1.0}}
    assert missed(bars, "easy", judged(bars), judged(bars, rules=few)) == ["P@25"]
    for tier, names in (("QUALIFIED", []), ("PROMISING", ["insiders above QUALIFIED"])):
        tiers = {bars.GOOD: group(bars, "s"), tier: group(bars, "i")}
        assert missed(bars, "easy", judged(bars, tiers=tiers)) == names


def test_the_bars_of_a_market_without_skill(bars: ModuleType) -> None:
    many = {bars.GOOD: group(bars, "nnnn")}
    assert missed(bars, "no_skill", judged(bars), judged(bars, tiers=many)) == [
        "ELITE + STRONG within the 95 % range of expected_by_luck"
    ]
    seen = [{"score_name": "skill_low", "verdict": "predictive"}]
    assert missed(bars, "no_skill", judged(bars, calibration=seen)) == ["verdict on skill_low"]
    # what a rival comes to is shown, and no bar
    rival = [{"score_name": "skill_low", "verdict": "too_few"}, {**seen[0], "score_name": "realized_pnl"}]
    assert missed(bars, "no_skill", judged(bars, calibration=rival)) == []
    luck = {"expected_by_luck": 0.05, "luck_low": 0.0, "luck_high": 3.0}
    assert missed(bars, "no_skill", judged(bars, luck=luck)) == ["graded A or B with returns permuted"]


def test_a_bar_that_nothing_is_known_of_is_neither_met_nor_missed(bars: ModuleType) -> None:
    old = judged(bars, grades={}, luck=None, calibration=[])
    for market in ("hard", "no_skill"):
        assert {"not known"} == {
            bar.verdict for bar in bars.bars_of(market, {1: old}) if bar.name.split(",")[0] in missed(bars, market, old)
        }


def test_a_seed_that_fails_is_left_out(quality: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def judge(_: Path, world: Any, __: object) -> str:
        if world.seed == 2:
            raise quality.SeedFailedError("run 1 failed")
        return "judged"

    monkeypatch.setattr(quality, "judge_world", judge)
    found = quality.judge_all(tmp_path, [quality.World("hard", seed, 200) for seed in (1, 2, 3)], {})
    assert [world.seed for world in found] == [1, 3]


def test_seeds_are_told_from_their_engines(quality: ModuleType) -> None:
    worlds = quality.World("hard", 5, 200), quality.World("hard", 5, 200, "spark")
    assert [world.name for world in worlds] == ["hard-200-5", "hard-200-5-spark"]
    assert quality.World("hard", 5, 200, days=(0, 14)).name == "hard-200-5-days-0-14"
    assert [world.command(1)[6:8] for world in worlds] == [["embedded", "--market"], ["spark", "--market"]]


@pytest.mark.parametrize("text", ["", "7,0", "-1,3", "now"])
def test_days_that_are_none_are_refused(quality: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        quality.days_of(text)
