"""What a person edits takes effect in the next run, though nothing landed; on a copy of the project built for real."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import FIRST, HOUR, MarketLake
from tests.python.support.project_copy import copy_project, edited

# a first run and eight builds alone
pytestmark = pytest.mark.full

WATCHED = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
NOTHING = "nothing landed or changed, nothing to build"
ALONE = ("--run-id", "edits")


@pytest.fixture(scope="module")
def edits(embedded: EmbeddedLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketLake]:
    """A lake filled by a copy of the project."""
    # other lakes of the session keep their own marks: what is noted is by schema
    project = copy_project(tmp_path_factory.mktemp("edits") / "project")
    lake = MarketLake(embedded, "edits_", project)
    lake.demo(FIRST, "--skip-tests")
    yield lake
    shutil.rmtree(project)


def step(lake: MarketLake, name: str, hours: int, *arguments: str) -> str:
    """Run a build alone, so that nothing can have landed; returns what it showed."""
    return lake.demo(FIRST + hours * HOUR, "--step", name, *ALONE, *arguments)


def versions(lake: MarketLake) -> Counter[str]:
    return Counter(row["code_version"] for row in lake.rows("gold", "trader_evaluations"))


def test_what_is_edited_takes_effect_in_the_next_run(edits: MarketLake) -> None:
    lake = edits
    landed = {table: len(lake.rows("bronze", table)) for table in ("fetch_log", "transaction_history")}
    (version,) = versions(lake)
    evaluated = lake.business("gold", "trader_evaluations")
    wallets = len(evaluated)
    assert NOTHING in step(lake, "build_traders", 1, "--skip-tests")

    watchlist = lake.project / "seeds/watchlist.csv"
    with edited(watchlist, "wallet_address,note", f"wallet_address,note\n{WATCHED},"):
        shown = step(lake, "build_whales", 1, "--skip-tests")
        assert "changed since the last build: watchlist" in shown
        assert "built again from all rows" not in shown
        assert WATCHED in {row["item"] for row in lake.rows("silver", "transaction_fetch_queue")}
        step(lake, "build_traders", 1, "--skip-tests")
        assert WATCHED in {row["wallet_address"] for row in lake.rows("silver", "tracked_whales")}
        assert NOTHING in step(lake, "build_whales", 1, "--skip-tests")
        # who is watched changes nobody's figures
        assert lake.business("gold", "trader_evaluations") == evaluated

    minimums = lake.project / "seeds/qualification_minimums.csv"
    with edited(minimums, "total_pnl,10\n", "total_pnl,1000000000\n"):
        # the wallet that is watched no more goes with it
        assert "qualification_minimums" in step(lake, "build_traders", 2, "--skip-tests")
        new = [row for row in lake.rows("gold", "trader_evaluations") if row["code_version"] != version]
        assert len(new) == wallets
        assert {row["evaluated_at"].timestamp() for row in new} == {FIRST + 2 * HOUR}
        assert not any(row["is_qualified"] for row in new)
        assert all("total_pnl" in row["failed_rules"] for row in new)
        assert {row["former"] for row in lake.rows("gold", "leaderboard")} == {True}
        # what was found then stays
        assert not Counter(evaluated) - Counter(lake.business("gold", "trader_evaluations"))
        reasons = Counter(row["due_reason"] for row in lake.rows("silver", "pnl_due_wallets"))
        assert reasons == {"code": wallets}

    # back, with the tests; and a var of one run alone, which the next run without it takes back
    step(lake, "build_traders", 3)
    assert {row["former"] for row in lake.rows("gold", "leaderboard")} == {False}
    assert versions(lake)[version] == 2 * wallets
    shown = step(lake, "build_traders", 4, "--skip-tests", "--var", "win_threshold_usd=1e9")
    assert "built again from all rows: fifo_positions, position_pnl" in shown
    assert {row["win_count"] for row in lake.rows("silver", "fifo_positions")} == {0}
    step(lake, "build_traders", 5, "--skip-tests")
    assert sum(row["win_count"] for row in lake.rows("silver", "fifo_positions")) > 0
    assert versions(lake)[version] == 3 * wallets
    assert NOTHING in step(lake, "build_traders", 6)
    assert {table: len(lake.rows("bronze", table)) for table in landed} == landed
