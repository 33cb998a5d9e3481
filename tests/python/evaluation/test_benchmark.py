"""benchmarks/quality.py: rules over gold, and what becomes of several seeds."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.reader import Lake
from tests.python.support.engine import PROJECT

SCRIPT = PROJECT / "benchmarks" / "quality.py"


@pytest.fixture(scope="module")
def quality() -> Iterator[ModuleType]:
    """The script as a module; its neighbours must not stand in for packages of other tests."""
    path = list(sys.path)
    sys.path.insert(0, str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("benchmark_of_quality", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = path
    yield module
    del sys.modules[spec.name]
    sys.modules.pop("lakes", None)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    columns = ("wallet_address", "calculation_date", "is_qualified", "realized_pnl", "win_rate", "trade_count")
    # a calculated twice: first it earned most
    rows = [("a", 1, True, 90, 10, 5), ("a", 2, True, 10, 50, 5), ("b", 1, True, 30, 40, 9), ("c", 1, False, 99, 99, 9),
            ("d", 1, True, 20, 50, 7)]  # fmt: skip
    evaluations = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
    board = pa.Table.from_pylist(
        [{"wallet_address": wallet, "overall_rank": rank} for wallet, rank in (("d", 1), ("a", 2), ("b", 3))]
        + [{"wallet_address": "c", "overall_rank": None}]
    )
    write_deltalake(str(tmp_path / "gold" / "trader_evaluations"), evaluations)
    write_deltalake(str(tmp_path / "gold" / "leaderboard"), board)
    return Lake(LakePaths(tmp_path, str(tmp_path)))


def test_rules_order_the_newest_evaluations(quality: ModuleType, lake: Lake) -> None:
    rules = {
        **quality.RULES,
        "busy": "trade_count desc",
        "whole": "select wallet_address from gold.leaderboard limit 0",
    }
    assert quality.ranked_by(lake, rules) == {
        "score": ["d", "a", "b"],
        "realized_pnl": ["b", "d", "a"],
        # a tie goes to who trades more
        "win_rate": ["d", "a", "b"],
        "busy": ["b", "d", "a"],
        "whole": [],
    }


def test_a_rule_that_is_no_sql_is_named(quality: ModuleType, lake: Lake) -> None:
    with pytest.raises(SystemExit, match="the rule 'mine' cannot be used"):
        quality.ranked_by(lake, {"mine": "no_such_column desc"})


@pytest.mark.parametrize("text", ["score=x", "random=x", "x", "x=", "a b=x"])
def test_a_rule_needs_a_name_of_its_own(quality: ModuleType, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        quality.rule_of(text)
    assert quality.rule_of("mine=total_pnl = 1 desc") == ("mine", "total_pnl = 1 desc")


def test_seeds_become_a_mean_and_a_range(quality: ModuleType) -> None:
    seeds = [{"score": {"p10": 0.2, "copied_10": None}}, {"score": {"p10": 0.5, "copied_10": None}}]
    merged = quality.over_seeds(seeds)
    assert merged == {
        "score": {"p10": 0.35, "p10_range": [0.2, 0.5], "copied_10": None, "copied_10_range": None},
    }
    assert quality.table(merged, {"p10": "P@10", "copied_10": "copied"}, "rule").splitlines()[-1] == (
        "| score | 0.35 [0.20, 0.50] | - |"
    )


def test_an_order_is_measured(quality: ModuleType) -> None:
    kinds = {"a": "skilled", "b": "insider", "c": "noise"}
    found = quality.measure(["b", "a"], {"a"}, kinds, {"a": dict.fromkeys(quality.DELAYS_S, 0.5)})
    assert (found["p10"], found["average_precision"], found["adversaries_top"]) == (0.1, 0.5, 0.5)
    assert (found["copied_10"], found["ranked"]) == (0.5, 2.0)
