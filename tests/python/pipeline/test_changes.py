"""Which edits of the project make which nodes old, from dbt's own reading of a copy of it; no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pipeline.project_copy import copy_project, edited

from smart_trader.fingerprints import ProjectCode
from smart_trader.paths import LakePaths
from smart_trader.pipeline.builds import Builds
from smart_trader.pipeline.changes import Changes
from smart_trader.pipeline.evidence import Evidence
from smart_trader.pipeline.reading import Lake
from smart_trader.pipeline.stamps import Nodes
from smart_trader.pipeline.steps import STEPS

STEP = {step.name: step for step in STEPS}
Read = Callable[..., Nodes]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakePaths:
    """A lake's folders; dbt's parsed project is kept there."""
    home = tmp_path_factory.mktemp("lake")
    return LakePaths(home, str(home))


@pytest.fixture
def builds(lake: LakePaths, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Builds]:
    """Makes a run's dbt on the copy."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("DBT_SPARKCONNECT_OFFLINE", "1")
    monkeypatch.delenv("DBT_TARGET", raising=False)
    return lambda **overrides: Builds(lake, "2026-01-01T00:00:00Z", "test", overrides, print)


@pytest.fixture
def read(builds: Callable[..., Builds]) -> Read:
    """Read the copy as a run with these vars does."""
    return lambda **overrides: Nodes(builds(**overrides).nodes(), ProjectCode.read(overrides))


@pytest.fixture(scope="module")
def first() -> dict[str, Nodes]:
    """The copy before any edit, read once."""
    return {}


@pytest.fixture
def before(read: Read, first: dict[str, Nodes]) -> Nodes:
    if not first:
        first["nodes"] = read()
    return first["nodes"]


def models(nodes: Nodes, keys: set[str]) -> set[str]:
    return set(nodes.names(key for key in keys if not nodes.is_kind(key, "test")))


def test_the_same_project_makes_nothing_old(read: Read, before: Nodes) -> None:
    again = read()
    assert again.stale(before.stamps) == set()
    assert again.remade(before.stamps) == set()


PNL = {"fifo_positions", "position_pnl", "wallet_totals"}
EDITS: list[Any] = [
    pytest.param("seeds/watchlist.csv", "wallet_address,note", "wallet_address,note\nW,", ["watchlist"],
                 {"whale_wallets", "tracked_whales", "transaction_fetch_queue"}, set(), id="watchlist"),
    pytest.param("seeds/untracked_tokens.csv", "token_address,reason", "token_address,reason\nT,", ["untracked_tokens"],
                 {"tracked_tokens", "whale_fetch_queue"}, set(), id="untracked-token"),
    pytest.param("seeds/quote_assets.csv", "mint,asset,kind\n", "mint,asset,kind\nM,M,usd_stable\n", ["quote_assets"],
                 {"wallet_trades", "trader_evaluations"}, {"wallet_trades", *PNL}, id="quote-asset"),
    pytest.param("seeds/qualification_minimums.csv", "roi,1", "roi,2", ["qualification_minimums", "trader_evaluations"],
                 {"leaderboard", "wallet_calculations"}, set(), id="minimum"),
    pytest.param("models/gold/leaderboard.sql", "count(*) as qualified_count", "count(1) as qualified_count",
                 ["leaderboard"], {"leaderboard"}, set(), id="model"),
    pytest.param("models/silver/wallet_swaps.sql", "select * from new_swaps\n", "select * from new_swaps where true\n",
                 ["wallet_swaps"], {"wallet_swaps", "leaderboard"}, {"wallet_swaps", "wallet_trades", *PNL}, id="swaps"),
    pytest.param("macros/numbers.sql", "bround({{ expression }}, 6)", "round({{ expression }}, 6)", ["position_pnl"],
                 {"position_pnl", "leaderboard"}, {"position_pnl"}, id="macro"),
    pytest.param("snapshots/tracked_tokens_history.yml", "strategy: timestamp", "strategy: check\n      check_cols: all",
                 ["tracked_tokens_history"], {"tracked_tokens_history"}, set(), id="snapshot"),
    pytest.param("models/gold/leaderboard.sql", "-- those who no longer qualify", "-- Those who do not qualify", [],
                 set(), set(), id="comment"),
    pytest.param("models/gold/leaderboard.yml", "description: The wallet.", "description: W.", [], set(), set(),
                 id="description"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "itself", "below", "remade"), EDITS)
def test_an_edit_makes_old_what_stands_on_it(
    project: Path, read: Read, before: Nodes, file: str, old: str, new: str, itself: list[str], below: set[str],
    remade: set[str],
) -> None:  # fmt: skip
    with edited(project / file, old, new):
        nodes = read()
    assert set(itself) <= set(nodes.edited(before.stamps))
    stale = models(nodes, nodes.stale(before.stamps))
    assert stale >= below
    assert bool(stale) is bool(below)
    assert {"token_observations", "holder_observations", "swap_loads"} & stale == set()
    assert remade <= models(nodes, nodes.remade(before.stamps)) <= stale
    histories = {
        "pnl_calculations",
        "trader_evaluations",
        "smart_traders",
        "wallet_calculations",
        "tracked_tokens_history",
    }
    assert not histories & models(nodes, nodes.remade(before.stamps))


@pytest.mark.parametrize(
    ("overrides", "below", "remade"),
    [
        pytest.param({"win_threshold_usd": 5}, {"fifo_positions", "leaderboard"}, PNL, id="wins"),
        pytest.param({"require_history_complete": False}, {"trader_evaluations", "leaderboard"}, set(), id="verdict"),
        pytest.param({"min_liquidity": 5}, {"token_observations", "tracked_tokens"}, set(), id="token-filter"),
        pytest.param({"token_limit": 5}, set(), set(), id="of-the-loaders"),
    ],
)
def test_a_var_of_one_run_makes_old_what_reads_it(
    read: Read, before: Nodes, overrides: Mapping[str, Any], below: set[str], remade: set[str]
) -> None:
    nodes = read(**overrides)
    assert below <= models(nodes, nodes.stale(before.stamps))
    again = models(nodes, nodes.remade(before.stamps))
    assert remade <= again
    # an observation stays as it was judged
    assert not {"token_observations", "wallet_trades"} & again
    if not below:
        assert nodes.stale(before.stamps) == set()


def test_an_edited_data_test_is_run_again(project: Path, read: Read, before: Nodes) -> None:
    with edited(project / "models/gold/leaderboard.yml", "- former = (failed_rules is not null)", "- former = former"):
        nodes = read()
    stale = nodes.stale(before.stamps)
    assert nodes.names(stale) == ["leaderboard_holds"]
    assert nodes.edited(before.stamps) == []


def test_a_run_takes_what_is_old_step_by_step_until_nothing_is(
    project: Path, lake: LakePaths, builds: Callable[..., Builds]
) -> None:
    """The whole of it, with the builds left out: what dbt would have made is noted as made."""
    evidence = Evidence(Lake(lake))

    def changes(with_tests: bool = True) -> tuple[Changes, Builds]:
        dbt = builds()
        return Changes(dbt, evidence, {}, with_tests), dbt

    def build(edit: Changes, dbt: Builds, names: list[str]) -> None:
        dbt.made = {key for key in dbt.nodes() if key.rpartition(".")[2] in names or dbt.nodes()[key].name in names}
        edit.note_built()

    all_of_it, dbt = changes()
    assert "whole project" in all_of_it.told()
    build(all_of_it, dbt, [node.name for node in dbt.nodes().values()])
    all_of_it.note_end()
    assert evidence.project() is not None

    with edited(project / "seeds/watchlist.csv", "wallet_address,note", "wallet_address,note\nW,"):
        edit, dbt = changes()
        assert edit.told() == "changed since the last build: watchlist"
        assert edit.stale(STEP["build_tokens"]) == []
        assert edit.stale_seeds() == ["watchlist"]
        assert edit.stale(STEP["build_whales"]) == ["transaction_fetch_queue", "whale_wallets"]
        build(edit, dbt, ["watchlist", *edit.stale(STEP["build_whales"])])
        edit.note_end()
        # a kill in between: the next run knows what is left
        edit, dbt = changes()
        assert edit.stale(STEP["build_whales"]) == edit.stale_seeds() == []
        left = edit.stale(STEP["build_traders"])
        assert "tracked_whales" in left
        assert "watchlist_hold" in left
        assert "whale_wallets" not in left
        assert "watchlist_hold" not in changes(with_tests=False)[0].stale(STEP["build_traders"])
        build(edit, dbt, left)
        edit.note_end()
        edit, dbt = changes()
        # dbt is not even asked
        assert edit.stale(STEP["build_traders"]) == []
        assert dbt._manifest is None
    edit, _ = changes()
    assert edit.told() == "changed since the last build: watchlist"
    evidence.forget()
    assert evidence.stamps()
    assert evidence.project() is None
