"""Which edits of the project make another formula, without dbt and without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from smart_trader.errors import SettingsError
from smart_trader.pipeline import fingerprints
from smart_trader.pipeline.fingerprints import ProjectCode, formula_version, normalized_python, normalized_sql
from tests.python.support.project_copy import copy_project, edited


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy as the project that commands take."""
    monkeypatch.chdir(copied)
    return copied


FORMULA = [
    pytest.param("seeds/qualification_minimums.csv", "roi,1", "roi,2", id="minimum"),
    pytest.param("seeds/trader_tiers.csv", "ELITE,10000", "ELITE,20000", id="tier"),
    pytest.param("seeds/quote_assets.csv", "mint,asset,kind\n", "mint,asset,kind\nM,M,usd_stable\n", id="quote-asset"),
    pytest.param("models/gold/trader_evaluations.sql", "'0.4d * least", "'0.5d * least", id="score"),
    pytest.param("models/silver/swaps/wallet_trades.sql", "1e-9d * (bought", "1e-8d * (bought", id="netting"),
    pytest.param(
        "models/silver/pnl/fifo_positions.py",
        'incremental_strategy="append"',
        'incremental_strategy="merge"',
        id="python-model",
    ),
    pytest.param(
        "macros/columns/round_decimal.sql", "bround({{ expression }}, 6)", "round({{ expression }}, 6)", id="macro"
    ),
    pytest.param("macros/columns/parse_number.sql", "< 1e30d,", "< 1e29d,", id="macro-of-a-macro"),
    pytest.param("dbt_project.yml", "win_threshold_usd: 1\n", "win_threshold_usd: 2\n", id="var-of-the-yml-beside"),
    pytest.param("dbt_project.yml", "min_basis_coverage: 0.9", "min_basis_coverage: 0.8", id="var"),
    pytest.param("dbt_project.yml", "max_leg_disagreement: 1.5", "max_leg_disagreement: 1.6", id="var-of-trades"),
    pytest.param("dbt_project.yml", "max_swaps_per_wallet: 20000", "max_swaps_per_wallet: 2", id="too-active"),
]
NO_FORMULA = [
    pytest.param("seeds/watchlist.csv", "wallet_address,note", "wallet_address,note\nW,", id="watchlist"),
    pytest.param(
        "models/gold/leaderboard.sql",
        "skill_low desc nulls last, total_pnl desc, wallet_address asc\n        )) as tier",
        "total_pnl desc\n        )) as tier",
        id="order-of-the-list",
    ),
    pytest.param("models/gold/trader_evaluations.sql", "-- one row; a metric that", "-- A metric that", id="comment"),
    pytest.param("models/silver/pnl/fifo_positions.py", '"""Hand the due', '"""Give the due', id="docstring"),
    pytest.param(
        "models/gold/trader_evaluations.yml", "description: The calculation.", "description: C.", id="description"
    ),
    pytest.param("macros/run/as_of.sql", "1970-01-01T00:00:00Z", "1971-01-01T00:00:00Z", id="the-run's-clock"),
    pytest.param("dbt_project.yml", "pnl_refresh_hours: 336", "pnl_refresh_hours: 48", id="when-it-is-due"),
    pytest.param("dbt_project.yml", "token_limit: 50", "token_limit: 60", id="what-is-fetched"),
    pytest.param("dbt_project.yml", "min_liquidity: 1000000", "min_liquidity: 1", id="which-tokens-are-tracked"),
]


@pytest.mark.parametrize(("file", "old", "new"), FORMULA)
def test_what_makes_other_figures_is_another_formula(project: Path, file: str, old: str, new: str) -> None:
    before = formula_version()
    with edited(project / file, old, new):
        assert formula_version() != before


@pytest.mark.parametrize(("file", "old", "new"), NO_FORMULA)
def test_what_makes_no_other_figures_is_the_same_formula(project: Path, file: str, old: str, new: str) -> None:
    before, whole = formula_version(), ProjectCode.read().whole()
    with edited(project / file, old, new):
        # dbt is called for what the edit makes old
        assert ProjectCode.read().whole() != whole
        assert formula_version() == before


def test_the_fifo_engine_is_part_of_the_formula(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = formula_version()
    kernel = fingerprints._find_module_file("smart_trader.fifo.kernel")
    assert kernel is not None
    other = tmp_path / "kernel.py"
    other.write_text(kernel.read_text() + "\nDUST = 1\n")
    find = fingerprints._find_module_file
    monkeypatch.setattr(
        fingerprints, "_find_module_file", lambda name: other if name.endswith(".kernel") else find(name)
    )
    assert formula_version() != before


@pytest.mark.parametrize(
    ("overrides", "is_other"),
    [
        pytest.param({"win_threshold_usd": 5}, True, id="other-value"),
        pytest.param({"win_threshold_usd": 1.0}, False, id="the-same-value"),
        pytest.param({"pnl_refresh_hours": 5}, False, id="when-it-is-due"),
    ],
)
def test_a_var_of_one_run_counts(project: Path, overrides: dict[str, object], is_other: bool) -> None:
    assert (formula_version(overrides) != formula_version()) is is_other


def test_a_new_model_between_the_swaps_and_the_verdict_is_taken_in(project: Path) -> None:
    model = project / "models/silver/pnl/checked_pnl.sql"
    with edited(project / "models/silver/pnl/pnl_history.sql", "ref('position_pnl')", "ref('checked_pnl')"):
        with pytest.raises(SettingsError, match="no model and no seed checked_pnl"):
            formula_version()
        try:
            model.write_text("select * from {{ ref('position_pnl') }}")
            before = formula_version()
            model.write_text("select * from {{ ref('position_pnl') }} where trade_count > 1")
            assert formula_version() != before
        finally:
            model.unlink()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("select a -- the wallet's\nfrom t", "select a from t", id="line"),
        pytest.param("select a\n/* x\n y */ from   t {#- z -#}", "select a from t", id="block-and-jinja"),
        pytest.param("select '--no comment', b", "select '--no comment' , b", id="string"),
        pytest.param("select 'it''s -- one', b", "select 'it''s -- one' , b", id="doubled-quote"),
        pytest.param("""x("it's -- one") -- c""", """x( "it's -- one" )""", id="double-quotes"),
    ],
)
def test_comments_and_layout_of_sql_do_not_count(text: str, expected: str) -> None:
    assert normalized_sql(text) == expected


def test_comments_and_docstrings_of_python_do_not_count() -> None:
    text = '"""Doc."""\n\nx = "# kept"  # why\n\n\ndef f():\n    """Doc\n    of two lines."""\n    return x\n'
    assert normalized_python(text) == 'x = "# kept"\ndef f():\n    return x'
