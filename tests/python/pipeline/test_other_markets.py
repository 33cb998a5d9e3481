"""Lakes of the hard market, with and without skilled wallets, against the independent reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.reference import differences
from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import FIRST, MarketLake

WALLETS = 200


@pytest.mark.parametrize("name", ["hard", pytest.param("no_skill", marks=pytest.mark.full)])
def test_the_reference_finds_the_figures_of_every_whole_history(tmp_path: Path, name: str) -> None:
    lake = MarketLake(EmbeddedLake(tmp_path / "lake"))
    done = lake.smart_trader(
        *("run", "--demo", "--market", name, "--market-wallets", str(WALLETS), "--as-of", str(FIRST), "--skip-tests")
    )
    assert done.returncode == 0, done.stderr
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
