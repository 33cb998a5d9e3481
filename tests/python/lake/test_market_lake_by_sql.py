"""SQL over a lake that the pipeline really filled: every table and view, the documented queries, the notebook."""

from __future__ import annotations

import importlib.util
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

import smart_trader.lake
from smart_trader.lake.opened import OpenLake
from smart_trader.report_page.figures import wallet_figures
from tests.python.support.engine import PROJECT, run_module
from tests.python.support.market_lake import MarketLake

QUERIES = re.findall(r"^```sql\n(.*?)^```$", (PROJECT / "docs" / "sql.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def opened(calm: MarketLake) -> Iterator[OpenLake]:
    """The market's lake, whose schemas have a prefix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LAKEHOUSE_URI", raising=False)
        patch.setenv("DBT_TARGET", "ci")
        patch.setenv("SMART_TRADER_SCHEMA", calm.prefix.rstrip("_"))
        with smart_trader.lake.open(calm.engine.paths.home) as lake:
            yield lake


def test_every_table_has_the_rows_that_delta_reads(opened: OpenLake, calm: MarketLake) -> None:
    tables = [table for table in opened.tables() if not table.is_view]
    assert {(table.schema, table.name) for table in tables} >= set(calm.tables())
    assert "bronze" in {table.schema for table in tables}
    for table in tables:
        delta = DeltaTable(calm.engine.paths.table(f"{calm.prefix}{table.schema}", table.name))
        want = delta.to_pyarrow_table()
        found = opened.arrow(str(table))
        assert found.num_rows == want.num_rows, table
        assert found.column_names == want.column_names, table


def test_every_view_has_the_rows_that_the_engine_reads(opened: OpenLake, calm: MarketLake) -> None:
    views = [table for table in opened.tables() if table.is_view]
    assert {"gold.pipeline_runs", "silver.fetch_status"} <= {str(view) for view in views}
    for view in views:
        want = calm.engine.sql(f"select count(*) from {calm.prefix}{view}")
        assert opened.sql(f"select count(*) from {view}").fetchall() == want, view


def test_a_lake_opens_and_answers_within_a_second(opened: OpenLake, calm: MarketLake) -> None:
    spent = []
    for _ in range(3):
        started = time.perf_counter()
        with smart_trader.lake.open(calm.engine.paths.home):
            spent.append(time.perf_counter() - started)
    assert min(spent) < 1, spent
    assert len(opened.tables()) > 50


def test_money_is_decimal_in_every_table_of_gold(opened: OpenLake) -> None:
    for table in opened.tables():
        if table.schema == "gold":
            columns = opened.sql(f"describe {table}").fetchall()
            money = {name: kind for name, kind, *_ in columns if name.endswith(("_pnl", "_usd"))}
            assert all(kind.startswith("DECIMAL") for kind in money.values()), (table, money)
            assert not [name for name, kind, *_ in columns if kind == "TIMESTAMP"], table


@pytest.mark.parametrize("query", QUERIES, ids=[str(number) for number in range(1, len(QUERIES) + 1)])
def test_a_documented_query_answers(opened: OpenLake, query: str) -> None:
    answer = opened.sql(query)
    assert answer.columns
    # who agrees on a token depends on the market
    assert answer.fetchall() or "having count(*) > 1" in query


def test_the_best_token_has_the_share_that_the_report_page_shows(opened: OpenLake) -> None:
    shares = opened.sql(next(query for query in QUERIES if "best_token_percent" in query)).fetchall()
    newest = "select * from silver.position_pnl join silver.pnl_due_wallets using (wallet_address, calculation_date)"
    for _, wallet, *_, share in shares:
        positions = opened.polars(f"{newest} where wallet_address = $wallet", {"wallet": wallet}).to_dicts()
        # to one digit
        assert share == pytest.approx(wallet_figures(positions, None, 1.0).best_share, abs=0.06), wallet


def test_there_are_five_documented_queries() -> None:
    assert len(QUERIES) == 5


def test_the_notebook_runs(calm: MarketLake, opened: OpenLake, tmp_path: Path) -> None:
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("marimo is not installed: pip install '.[notebook]'")
    # marimo keeps the last outputs beside a notebook
    notebook, page = shutil.copy(PROJECT / "notebooks" / "lake.py", tmp_path), tmp_path / "lake.html"
    environment = {**calm.engine.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": calm.prefix.rstrip("_")}
    done = run_module("marimo", "export", "html", str(notebook), "-o", str(page), env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = page.read_text()
    assert "Made-up data" in shown
    best = opened.sql("select wallet_address from gold.leaderboard where overall_rank = 1").fetchall()
    assert best
    assert best[0][0] in shown
    assert "no window has closed" in shown
