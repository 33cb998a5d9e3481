"""`evaluate` on a lake that the pipeline really filled, each figure worked out again from the lake and its market."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.truth import as_text, truths
from tests.python.support.market_lake import FIRST, MarketLake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def truth(calm: MarketLake) -> str:
    return as_text(truths(calm.source(FIRST), FIRST), "csv")


@pytest.fixture(scope="module")
def found(calm: MarketLake) -> dict[str, Any]:
    done = calm.smart_trader("evaluate", "--demo", "--format", "json", LAKEHOUSE_JAVA="/nowhere")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_figures_are_those_of_the_lake_and_the_truth(calm: MarketLake, truth: str, found: dict[str, Any]) -> None:
    kinds = {row["address"]: row["kind"] for row in csv.DictReader(io.StringIO(truth))}
    board = sorted(
        (row["overall_rank"], row["wallet_address"], row["tier"])
        for row in calm.rows("gold", "leaderboard")
        if not row["former"]
    )
    assert board
    hits = [kinds[wallet] == "skilled" for _, wallet, _ in board]
    assert found["precision"] == {str(k): sum(hits[:k]) / k for k in (10, 25, 50, 100)}
    evaluated = {row["wallet_address"] for row in calm.rows("gold", "trader_evaluations")}
    skilled = sum(kinds[wallet] == "skilled" for wallet in evaluated)
    assert found["base_rate"] == pytest.approx(skilled / len(evaluated), abs=1e-6)
    at_hits = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
    assert found["average_precision"] == pytest.approx(sum(at_hits) / skilled, abs=1e-6)
    tiers = Counter((tier, kinds[wallet]) for _, wallet, tier in board)
    assert {(tier, kind): n for tier, counts in found["tiers"].items() for kind, n in counts.items()} == tiers
    tracked = {row["wallet_address"] for row in calm.rows("silver", "tracked_whales")}
    listed = {wallet for _, wallet, _ in board}
    for stage, wallets in (("exists", kinds), ("tracked", tracked), ("evaluated", evaluated), ("listed", listed)):
        counts = Counter(kinds.get(wallet, "unknown") for wallet in wallets)
        assert {kind: stages[stage] for kind, stages in found["recall"].items() if stages[stage]} == counts
    assert set(found["copied"]) == {tier for _, _, tier in board}
    assert all(set(returns) == {"0", "10", "60", "300"} for returns in found["copied"].values())


def test_a_file_says_what_the_demo_says_but_for_copying(
    calm: MarketLake, truth: str, found: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "truth.csv").write_text(truth)
    done = calm.smart_trader("evaluate", "--truth", str(tmp_path / "truth.csv"), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {**found, "copied": {}}
    assert "copied returns: not known" in done.stderr


def test_a_truth_of_another_market_of_the_same_seed_is_refused(calm: MarketLake, tmp_path: Path) -> None:
    spec = replace(calm.source(FIRST).world.spec, market="hard")
    file = tmp_path / "truth.csv"
    file.write_text(as_text(truths(market(spec, spec.genesis), spec.genesis), "csv"))
    done = calm.smart_trader("evaluate", "--truth", str(file))
    assert done.returncode == 1
    assert "the truth is of another market than the easy market of seed" in done.stderr
    assert "smart-trader sandbox truth --market easy --seed" in done.stderr
