"""Lakes of the hard market, with and without skilled wallets, against the independent reference."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.python.reference import Trust, differences
from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import FIRST, MarketLake
from tests.python.support.trust import (
    fetched_verdict,
    flag_differences,
    judge_trust,
    skill_differences,
    standing_differences,
)

pytestmark = pytest.mark.slow

WALLETS = 200
MARKETS = ["hard", pytest.param("no_skill", marks=pytest.mark.full)]


@dataclass(frozen=True)
class Judged:
    """A market's lake after one run, and what the reference makes of what the lake has fetched."""

    lake: MarketLake
    trust: Trust


@pytest.fixture(scope="module", params=MARKETS)
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    lake = MarketLake(EmbeddedLake(tmp_path_factory.mktemp(request.param) / "lake"))
    size = ("--market-wallets", str(WALLETS))
    done = lake.smart_trader("run", "--demo", "--market", request.param, *size, "--as-of", str(FIRST), "--skip-tests")
    assert done.returncode == 0, done.stderr
    return Judged(lake, judge_trust(lake, FIRST, fetched_verdict(lake, FIRST)))


def test_the_reference_finds_the_figures_of_every_whole_history(judged: Judged) -> None:
    lake = judged.lake
    verdict = lake.verdict(FIRST)
    # of a history that is cut off by the pages of a fetch, the reference sees more than the lake
    cut = {
        row["item"] for row in lake.rows("bronze", "fetch_log") if row["kind"] == "swaps" and not row["reached_oldest"]
    }
    expected = [row for row in verdict.wallet_pnl if row["wallet_address"] not in cut]
    found = [row for row in lake.rows("silver", "wallet_pnl") if row["wallet_address"] not in cut]
    assert len({row["wallet_address"] for row in found}) > 10
    assert differences(expected, found) == []
    evaluations = {row["wallet_address"]: row for row in lake.rows("gold", "trader_evaluations")}
    assert set(evaluations) == set(verdict.evaluations)
    for wallet in set(evaluations) - cut:
        made, row = verdict.evaluations[wallet], evaluations[wallet]
        assert (row["is_qualified"], row["uncapped_tier"]) == (made.is_qualified, made.tier), (wallet, row)


def test_the_reference_finds_every_flag_and_no_other(judged: Judged) -> None:
    assert len({flag.flag for flags in judged.trust.flags.values() for flag in flags}) >= 4
    assert flag_differences(judged.lake, judged.trust) == []


def test_the_reference_finds_the_skill_of_every_wallet(judged: Judged) -> None:
    assert judged.trust.scale is not None
    assert skill_differences(judged.lake, judged.trust) == []


def test_the_reference_finds_who_is_listed_at_which_rank(judged: Judged) -> None:
    assert judged.trust.ranking
    assert standing_differences(judged.lake, judged.trust) == []
