"""Pages of lakes in other states: a window has closed, nobody is listed, gold and the trades disagree."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import MarketLake

from .conftest import open_page


@pytest.fixture
def copied(page_lake: MarketLake, tmp_path: Path) -> MarketLake:
    """A copy of the lake that a test may write to."""
    shutil.copytree(page_lake.engine.paths.home, tmp_path / "lake")
    return MarketLake(EmbeddedLake(tmp_path / "lake"), page_lake.prefix)


def change(lake: MarketLake, schema: str, table: str, changed: Callable[[pa.Table], pa.Table]) -> None:
    location = lake.engine.paths.table(f"{lake.prefix}{schema}", table)
    write_deltalake(location, changed(DeltaTable(location).to_pyarrow_table()), mode="overwrite")


def append(lake: MarketLake, schema: str, table: str, rows: list[dict[str, Any]]) -> None:
    location = lake.engine.paths.table(f"{lake.prefix}{schema}", table)
    # Delta keeps no string views
    schema_of = pa.schema(
        pa.field(one.name, pa.string() if pa.types.is_string_view(one.type) else one.type)
        for one in DeltaTable(location).to_pyarrow_table().schema
    )
    write_deltalake(location, pa.Table.from_pylist(rows, schema_of), mode="append")


def written(lake: MarketLake, path: Path) -> Path:
    done = lake.smart_trader("report", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_before_a_window_has_closed_the_page_says_when_one_does(browser: Any, page_file: Path) -> None:
    visit = open_page(browser, page_file)
    assert "not known yet: the first window closes on 2026-10-05" in visit.text("#calibration")
    assert visit.page.locator("#calibration svg").count() == 0
    visit.page.context.close()


def test_former_traders_that_the_page_leaves_out_are_counted(copied: MarketLake, tmp_path: Path) -> None:
    def retire_two(board: pa.Table) -> pa.Table:
        rows = board.sort_by("overall_rank").to_pylist()
        assert len(rows) > 3
        for row in rows[-2:]:
            row |= {"former": True, "former_reason": "dormant", "overall_rank": None}
        return pa.Table.from_pylist(rows, board.schema)

    change(copied, "gold", "leaderboard", retire_two)
    count = len(copied.rows("gold", "leaderboard"))
    for top, words in {1: "Left out: 2 former traders;", count - 1: "Left out: 1 former trader;", count: None}.items():
        done = copied.smart_trader("report", "-o", str(tmp_path / "page.html"), "--top", str(top))
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "page.html").read_text()
        assert (words in text) if words else ("Left out:" not in text), f"--top {top}"


def test_a_closed_window_is_drawn_and_told(browser: Any, copied: MarketLake, tmp_path: Path) -> None:
    scored = copied.rows("gold", "standing_history")
    known = [row for row in scored if row["skill_low"] is not None]
    ends = scored[0]["scored_at"] + timedelta(days=14)
    own = {"measured_at": ends, "processed_at": ends, "batch_id": "run"}
    returns = [
        {"scored_at": row["scored_at"], "wallet_address": row["wallet_address"], "window_end": ends,
         "forward_return": None if number == 0 else 0.1 * number - 0.3, **own}
        for number, row in enumerate(known)
    ]  # fmt: skip
    append(copied, "gold", "forward_returns", returns)
    fifths = {f"fifth_{number}_return": 0.2 - 0.1 * number for number in range(1, 6)}
    figures = {"wallet_count": 60, "rank_correlation": 0.1, "rank_correlation_low": -0.1, "rank_correlation_high": 0.3}
    graded = {"graded_count": 12, "graded_return": 0.25, "graded_return_low": 0.1, "mean_return": 0.02}
    verdict = {
        "verdict": "no_evidence",
        "list_verdict": "profitable",
        "scored_at": scored[0]["scored_at"],
        "window_end": ends,
    }
    append(
        copied,
        "gold",
        "score_calibration",
        [
            {"score_name": name, **figures, **fifths, **graded, **verdict, **own}
            for name in ("skill_low", "smart_trader_score", "realized_pnl")
        ],
    )
    visit = open_page(browser, written(copied, tmp_path / "page.html"))
    text = visit.text("#calibration")
    assert "No evidence that wallets that score higher earn more (60 wallets" in text
    assert "Grades A and B: profitable. 12 of these wallets returned +25.0 %, all of them +2.0 %." in text
    points = visit.page.locator("#chart-calibration path[aria-roledescription=point]")
    # a wallet without a result is in no plot
    assert points.count() == len(known) - 1
    bars = visit.page.locator("#chart-fifths path[aria-roledescription=bar]")
    colours = [bars.nth(number).get_attribute("fill") for number in range(bars.count())]
    gain, loss = (
        visit.page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{kind}')")
        for kind in ("gain", "loss")
    )
    assert colours == [gain, gain, loss, loss, loss]
    assert visit.complaints == []
    visit.page.context.close()


def test_where_nobody_is_listed_the_page_says_so(browser: Any, copied: MarketLake, tmp_path: Path) -> None:
    change(copied, "gold", "leaderboard", lambda table: table.slice(0, 0))
    visit = open_page(browser, written(copied, tmp_path / "page.html"))
    assert "Nobody is listed, so there is nobody to follow." in visit.text("header")
    assert "Nobody is listed." in visit.text("#wallet-body")
    assert visit.complaints == []
    visit.page.context.close()


def test_a_wallet_whose_trades_and_profit_disagree_has_no_curve(
    browser: Any, copied: MarketLake, tmp_path: Path
) -> None:
    wallet = min(copied.rows("gold", "leaderboard"), key=lambda row: row["overall_rank"] or 99)["wallet_address"]
    change(
        copied,
        "silver",
        "wallet_trades",
        lambda table: table.filter(pc.not_equal(table["wallet_address"].cast(pa.string()), wallet)),
    )
    visit = open_page(browser, written(copied, tmp_path / "page.html"))
    assert "so no curve is drawn" in visit.text("#wallet-body [role=alert]")
    assert visit.text("#wallet-body dd[data-key=drawdown]") == "–"  # noqa: RUF001
    assert "Nothing to draw." in visit.text("#wallet-body .chart")
    assert visit.complaints == []
    visit.page.context.close()


def test_trades_that_came_after_the_calculation_are_in_no_figure(copied: MarketLake, tmp_path: Path) -> None:
    before = (tmp_path / "before.html", tmp_path / "after.html")
    written(copied, before[0])
    location = copied.engine.paths.table(f"{copied.prefix}silver", "wallet_trades")
    table = DeltaTable(location).to_pyarrow_table()
    late = max(table["load_batch"].to_pylist()) + 1
    rows = [
        {**row, "tx_hash": f"late{number}", "load_batch": late}
        for number, row in enumerate(table.slice(0, 50).to_pylist())
    ]
    append(copied, "silver", "wallet_trades", rows)
    written(copied, before[1])
    curves = [path.read_text().partition('id="data">')[2].partition("</script>")[0] for path in before]
    assert curves[0] == curves[1]


def test_a_lake_without_standings_is_refused(copied: MarketLake, tmp_path: Path) -> None:
    shutil.rmtree(copied.engine.paths.table(f"{copied.prefix}gold", "wallet_flags"))
    done = copied.smart_trader("report", "-o", str(tmp_path / "page.html"))
    assert done.returncode == 1
    assert "has no table gold.wallet_flags yet" in done.stderr
    assert "fix: " in done.stderr
    assert not (tmp_path / "page.html").exists()
