"""Which edits of the project make which nodes old, from dbt's own reading of a copy of it; no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.reader import Lake
from smart_trader.lakehouse.session import Choice, EmbeddedEngine
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.changes import Changes
from smart_trader.pipeline.dbt import Builds
from smart_trader.pipeline.fingerprints import ProjectCode
from smart_trader.pipeline.stamps import Nodes
from smart_trader.pipeline.steps import BY_CALCULATION, READERS, STEPS, stops
from tests.python.support.project_copy import copy_project, edited

EMBEDDED = EmbeddedEngine(Choice("embedded", "a test"))
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
    return lambda **overrides: Builds(lake, EMBEDDED, "2026-01-01T00:00:00Z", "test", overrides, print)


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


PNL = {"fifo_positions", "position_pnl"}
EDITS: list[Any] = [
    pytest.param("seeds/watchlist.csv", "wallet_address,note", "wallet_address,note\nW,", ["watchlist"],
                 {"whale_wallets", "tracked_whales", "transaction_fetch_queue"}, set(), id="watchlist"),
    pytest.param("seeds/untracked_tokens.csv", "token_address,reason", "token_address,reason\nT,", ["untracked_tokens"],
                 {"tracked_tokens", "whale_fetch_queue"}, set(), id="untracked-token"),
    pytest.param("seeds/quote_assets.csv", "mint,asset,kind\n", "mint,asset,kind\nM,M,usd_stable\n", ["quote_assets"],
                 {"wallet_trades", "trader_evaluations"}, {"wallet_trades", *PNL}, id="quote-asset"),
    pytest.param("seeds/qualification_minimums.csv", "roi,1", "roi,2", ["qualification_minimums", "trader_evaluations"],
                 {"leaderboard", "pnl_due_wallets"}, set(), id="minimum"),
    pytest.param("models/gold/leaderboard.sql", "count(*) as qualified_count", "count(1) as qualified_count",
                 ["leaderboard"], {"leaderboard"}, set(), id="model"),
    pytest.param("models/silver/swaps/wallet_swaps.sql", "select * from new_swaps\n", "select * from new_swaps where true\n",
                 ["wallet_swaps"], {"wallet_swaps", "leaderboard"}, {"wallet_swaps", "wallet_trades", *PNL}, id="swaps"),
    pytest.param("macros/columns/round_decimal.sql", "bround({{ expression }}, 6)", "round({{ expression }}, 6)", ["position_pnl"],
                 {"position_pnl", "leaderboard"}, {"position_pnl"}, id="macro"),
    pytest.param("snapshots/tracked_tokens_history.yml", "strategy: timestamp", "strategy: check\n      check_cols: all",
                 ["tracked_tokens_history"], {"tracked_tokens_history"}, set(), id="snapshot"),
    pytest.param("models/gold/leaderboard.sql", "-- Former traders have", "-- former traders have", [],
                 set(), set(), id="comment"),
    pytest.param("models/gold/leaderboard.yml", "description: How many did.", "description: Many.", [], set(), set(),
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
    assert {"token_observations", "holder_observations", "swap_load_batches"} & stale == set()
    assert remade <= models(nodes, nodes.remade(before.stamps)) <= stale
    histories = {
        "pnl_history",
        "trader_evaluations",
        "smart_traders",
        "standing_history",
        "list_quality",
        "forward_returns",
        "score_calibration",
        "pnl_due_wallets",
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
    # an observation stays as it was rated
    assert not {"token_observations", "wallet_trades"} & again
    if not below:
        assert nodes.stale(before.stamps) == set()


def test_an_edited_data_test_is_run_again(project: Path, read: Read, before: Nodes) -> None:
    with edited(project / "models/gold/leaderboard.yml", "- former = (former_reason is not null)", "- former = former"):
        nodes = read()
    stale = nodes.stale(before.stamps)
    assert nodes.names(stale) == ["leaderboard_holds"]
    assert nodes.edited(before.stamps) == []


def test_a_run_takes_what_is_old_step_by_step_until_nothing_is(
    project: Path, lake: LakePaths, builds: Callable[..., Builds]
) -> None:
    """The whole of it, with the builds left out: what dbt would have made is noted as made."""
    state = BuildState(Lake(lake))

    def changes(with_tests: bool = True) -> tuple[Changes, Builds]:
        dbt = builds()
        return Changes(dbt, state, {}, with_tests), dbt

    def build(edit: Changes, dbt: Builds, names: list[str]) -> None:
        dbt.made = {key for key in dbt.nodes() if key.rpartition(".")[2] in names or dbt.nodes()[key].name in names}
        edit.note_built()

    # a lake of the project, so that its seeds count as loaded
    write_deltalake(lake.table("silver", "quote_assets"), pa.table({"mint": ["m"]}))
    all_of_it, dbt = changes()
    assert "whole project" in all_of_it.describe()
    build(all_of_it, dbt, [node.name for node in dbt.nodes().values()])
    all_of_it.note_end()
    assert state.project() is not None

    with edited(project / "seeds/watchlist.csv", "wallet_address,note", "wallet_address,note\nW,"):
        edit, dbt = changes()
        assert edit.describe() == "changed since the last build: watchlist"
        assert edit.stale(STEP["build_tokens"]) == set()
        assert edit.nodes.names(edit.stale_seeds()) == ["watchlist"]
        stale = edit.nodes.names(edit.stale(STEP["build_whales"]))
        assert stale == ["transaction_fetch_queue", "whale_wallets"]
        build(edit, dbt, ["watchlist", *stale])
        edit.note_end()
        # a kill in between: the next run knows what is left
        edit, dbt = changes()
        assert edit.stale(STEP["build_whales"]) == edit.stale_seeds() == set()
        left = edit.nodes.names(edit.stale(STEP["build_traders"]))
        assert "tracked_whales" in left
        assert "watchlist_hold" in left
        assert "whale_wallets" not in left
        untested, _ = changes(with_tests=False)
        assert "watchlist_hold" not in untested.nodes.names(untested.stale(STEP["build_traders"]))
        build(edit, dbt, left)
        edit.note_end()
        edit, dbt = changes()
        # dbt is not even called
        assert edit.stale(STEP["build_traders"]) == set()
        assert dbt._manifest is None
    edit, _ = changes()
    assert edit.describe() == "changed since the last build: watchlist"
    state.forget()
    assert state.stamps()
    assert state.project() is None


def test_what_was_built_without_tests_needs_no_parse_until_a_run_tests(
    builds: Callable[..., Builds], tmp_path: Path
) -> None:
    lake = LakePaths(tmp_path, str(tmp_path))
    write_deltalake(lake.table("silver", "quote_assets"), pa.table({"mint": ["m"]}))
    state, dbt = BuildState(Lake(lake)), builds()
    untested = Changes(dbt, state, {}, False)
    dbt.made = {key for key, node in dbt.nodes().items() if node.resource_type != "test"}
    untested.note_built()
    untested.note_end()
    again = builds()
    assert Changes(again, state, {}, False).stale(STEP["build_traders"]) == set()
    assert again._manifest is None
    tested = Changes(builds(), state, {}, True)
    stale = tested.stale(STEP["build_traders"])
    assert "watchlist_hold" in tested.nodes.names(stale)
    assert all(tested.nodes.is_kind(key, "test") for key in stale)


# By kind of load, what it changes and what it leaves alone. Flags and skill stand on launches and on why a wallet is
# tracked, so lists of tokens and of holders reach the leaderboard, without a calculation.
REACH: dict[str, tuple[set[str], set[str]]] = {
    "tokens": (
        {
            "token_observations", "tracked_tokens", "whale_fetch_queue", "whale_wallets", "tracked_tokens_history",
            "token_prices", "token_launches", "price_fetch_queue", "launch_fetch_queue", "tokens",
        },
        {"holder_observations", "swap_load_batches", "pnl_due_wallets", "position_pnl", "pnl_history"},
    ),
    "holders": (
        {"holder_observations", "tracked_tokens", "whale_wallets", "transaction_fetch_queue", "tracked_whales_history"},
        {"token_observations", "swap_load_batches", "wallet_trades", "pnl_due_wallets", "position_pnl", "pnl_history"},
    ),
    "swaps": (
        {
            "swap_load_batches", "wallet_trades", "pnl_due_wallets", "fifo_positions", "whale_wallets", "leaderboard",
            "price_fetch_queue", "launch_fetch_queue", "tokens",
        },
        {"token_observations", "holder_observations", "tracked_tokens", "whale_fetch_queue"},
    ),
    "prices": (
        {"token_prices", "price_fetch_queue"},
        {"token_observations", "token_launches", "launch_fetch_queue", "tokens", "position_pnl", "leaderboard"},
    ),
    "launches": (
        {"token_launches", "launch_fetch_queue", "tokens"},
        {"token_observations", "token_prices", "price_fetch_queue", "position_pnl"},
    ),
    "calculations": (
        {"pnl_due_wallets", "fifo_positions", "position_pnl", "tracked_whales", "leaderboard"},
        {"wallet_trades", "whale_wallets", "transaction_fetch_queue", "token_observations"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REACH)
def test_a_load_changes_what_reads_it_and_nothing_else(before: Nodes, kind: str) -> None:
    changed = models(before, before.below(READERS[kind], stops(kind)))
    wanted, left_alone = REACH[kind]
    assert wanted <= changed
    assert not left_alone & changed
    # a view changes without a build
    assert not changed & set(before.names(before.views()))


def test_every_reader_of_what_landed_is_named_by_kind(before: Nodes) -> None:
    """A new model that reads bronze or its views must be listed, or no load would ever build it."""
    nodes, views = before._nodes, before.views()
    landed = {key for key in nodes if any(parent.startswith("source.") for parent in nodes[key].depends_on_nodes)}
    for _ in views:
        landed |= {key for key in views if landed.intersection(nodes[key].depends_on_nodes)}
    bronze = landed & views
    readers = {
        key
        for key in before.keys("model") - views
        if bronze.intersection(nodes[key].depends_on_nodes)
        or any(parent.startswith("source.") for parent in nodes[key].depends_on_nodes)
    }
    reached = {key for kind in READERS for key in before.below(READERS[kind], stops(kind))}
    assert models(before, readers) <= models(before, reached)
    listed = {name for names in READERS.values() for name in names}
    assert listed | BY_CALCULATION <= models(before, set(before.keys("model")))
    # below a reader of the same kind, or a reader itself
    assert models(before, before.keys("model", "snapshot") - views) == models(before, reached)


def test_no_figure_is_made_before_the_details_are_loaded(before: Nodes) -> None:
    """Positions are built for the work lists; what is marked by the prices comes after."""
    built = models(before, before.above(*STEP["build_positions"].queues))
    assert {"pnl_due_wallets", "fifo_positions", "token_prices", "token_launches"} <= built
    assert not {"position_pnl", "pnl_history", "trader_evaluations", "wallet_pnl"} & built


def test_settings_that_parsing_does_not_read_parse_nothing_again(builds: Callable[..., Builds]) -> None:
    assert builds(token_limit=3, dust_share=0.5)._parsed_variables() == {"dust_share": 0.5}
