"""The way out for a lake that a mistyped time has taken into the future."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from loaders.bronze import Bronze
from loaders.jobs import check_lake
from loaders.tables import (
    FETCH_LOG,
    PIPELINE_RUNS,
    TABLES,
    TOKEN_CREATIONS,
    TOKEN_METRICS,
    TOKEN_PRICES,
    TRANSACTION_HISTORY,
    WHALE_HOLDERS,
    Table,
)
from smart_trader.clock import now
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SettingsError
from smart_trader.lake.reader import Lake
from smart_trader.maintenance.future import BRONZE, HISTORIES, SNAPSHOTS, SWAP_LOADS
from tests.python.support.engine import PROJECT, EmbeddedLake, clean_environment, run_module
from tests.python.support.market_lake import FIRST, REFRESH, MarketLake

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)


def landed(bronze: Bronze, at: datetime, name: str) -> None:
    """Land a run's rows in every table, and one more of the tokens."""
    times = {"observed_at": at, "fetched_at": at, "as_of": at, "landed_at": now()}

    def rows(table: Table, *more: dict[str, Any]) -> pa.Table:
        common = {"data_source": "birdeye", "run_id": name, "fetch_id": name, **times}
        return pa.Table.from_pylist([common | one for one in more], table.schema)

    bronze.land(
        {
            TOKEN_METRICS: rows(TOKEN_METRICS, {"address": f"{name}-1"}, {"address": f"{name}-2"}),
            WHALE_HOLDERS: rows(WHALE_HOLDERS, {"owner": name}),
            TRANSACTION_HISTORY: rows(TRANSACTION_HISTORY, {"owner": name}),
            TOKEN_CREATIONS: rows(TOKEN_CREATIONS, {"token_address": name}),
            TOKEN_PRICES: rows(TOKEN_PRICES, {"token_address": name}),
            FETCH_LOG: rows(FETCH_LOG, {"kind": "tokens", "item": "token_list"}, {"kind": "swaps", "item": name}),
            PIPELINE_RUNS: rows(PIPELINE_RUNS, {"step": "load_tokens"}),
        }
    )


@pytest.fixture
def paths(tmp_path: Path) -> LakePaths:
    """A lake of real data with a run of yesterday and one whose time was mistyped."""
    paths = LakePaths(tmp_path / "a lake", str(tmp_path / "a lake"))
    bronze = Bronze(paths)
    bronze.prepare()
    landed(bronze, now() - DAY, "yesterday")
    landed(bronze, now() + 18 * DAY, "mistyped")
    return paths


def smart_trader(paths: LakePaths, *arguments: str) -> Any:
    return run_module("smart_trader.cli", *arguments, env=clean_environment(LAKEHOUSE_HOME=str(paths.home)))


def contents(paths: LakePaths) -> dict[str, list[dict[str, Any]]]:
    lake = Lake(paths)
    return {table.name: lake.read("bronze", table.name).to_pylist() for table in TABLES}


def test_a_lake_in_the_future_is_brought_back(paths: LakePaths) -> None:
    with pytest.raises(SettingsError, match="discard-future"):
        check_lake(Bronze(paths), "birdeye", now())
    scheduled = smart_trader(paths, "as-of", "")
    assert (scheduled.returncode, scheduled.stdout) == (2, "")
    assert "fix: it is" in scheduled.stderr
    assert "smart-trader discard-future" in scheduled.stderr

    before = contents(paths)
    unconfirmed = smart_trader(paths, "discard-future")
    assert unconfirmed.returncode == 2
    assert "needs to be confirmed\n  fix: run it with --yes" in unconfirmed.stderr
    assert "run mistyped, at " in unconfirmed.stderr
    assert contents(paths) == before

    done = smart_trader(paths, "discard-future", "--yes")
    assert done.returncode == 0, done.stderr
    assert "bronze.token_metrics: 2 rows removed" in done.stderr
    kept = {name: [row for row in rows if row["fetch_id" if name != "pipeline_runs" else "run_id"] == "yesterday"]
            for name, rows in before.items()}  # fmt: skip
    assert contents(paths) == kept
    assert {name: len(rows) for name, rows in kept.items()} == {
        "token_metrics": 2, "whale_holders": 1, "transaction_history": 1, "token_creations": 1, "token_prices": 1,
        "fetch_log": 2, "pipeline_runs": 1,
    }  # fmt: skip
    check_lake(Bronze(paths), "birdeye", now())
    chosen = datetime.fromisoformat(smart_trader(paths, "as-of", "").stdout.strip())
    assert abs((datetime.now(UTC) - chosen).total_seconds()) < 60

    # what was taken out lies aside, and the lake goes on
    (aside,) = (paths.local_root / "_set_aside").iterdir()
    assert pa.parquet.read_table(aside / "bronze.token_metrics.parquet")["address"].to_pylist() == [
        "mistyped-1", "mistyped-2",
    ]  # fmt: skip
    again = smart_trader(paths, "discard-future", "--yes")
    assert again.returncode == 0
    assert "nothing to do" in again.stderr
    landed(Bronze(paths), now(), "today")
    assert len(contents(paths)["fetch_log"]) == 4


def test_a_mistyped_time_never_gets_into_a_lake(tmp_path: Path) -> None:
    paths = LakePaths(tmp_path / "lake", str(tmp_path / "lake"))
    late = (now() + 18 * DAY).isoformat()
    for arguments in (
        ("load", "tokens", "--as-of", late, "--dry-run"),
        ("run", "--demo", "--step", "load_tokens", "--as-of", "2072-11-27"),
        ("as-of", late),
    ):
        done = smart_trader(paths, *arguments)
        assert done.returncode == 2, done.stderr
        assert "is in the future: it is" in done.stderr
    assert not Bronze(paths).has(FETCH_LOG)


def test_every_history_of_the_project_is_rewound() -> None:
    root = Path(__file__).parents[3]
    kept = {path.stem for path in (root / "models").rglob("*.sql") if "full_refresh=false" in path.read_text()}
    assert kept == {table for _, table, _ in HISTORIES} | {SWAP_LOADS[1]}
    assert {path.stem for path in (root / "snapshots").glob("*.yml")} == {table for _, table, _ in SNAPSHOTS}
    assert {table.name for table in TABLES} == {table for _, table, _ in BRONZE}


# What `smart-trader discard-future` does, from another time on: a made-up lake may be far ahead
DISCARD = """
import sys
from datetime import datetime
from smart_trader.console import report_line
from smart_trader.lake.lock import lock_lake
from smart_trader.pipeline.dbt import Builds
from smart_trader.lakehouse.session import lake_engine
from smart_trader.maintenance.future import discard_future, find_future
from smart_trader.pipeline.upgrade import NO_REFRESH_HOURS
from smart_trader.lake.reader import Lake
from smart_trader.config.settings import lakehouse_settings

machine = lakehouse_settings()
lake, variables = Lake(machine.paths), {"pnl_refresh_hours": NO_REFRESH_HOURS}
with lock_lake(machine.paths, "discard-future"), lake_engine(machine, report_line) as engine:
    discard_future(
        lake,
        find_future(lake, datetime.fromisoformat(sys.argv[1])),
        lambda time: Builds(machine.paths, engine, time.isoformat(), "discard", variables, report_line),
        engine,
        report_line,
    )
"""


@pytest.mark.full
def test_a_built_lake_is_as_it_was_before_the_future(embedded: EmbeddedLake) -> None:
    lake = MarketLake(embedded, "future_")
    options = ("run", "--demo", "--market", "easy", "--seed", "3", "--market-wallets", "20", "--skip-tests", "--as-of")
    tables = {}
    for at in (FIRST, REFRESH):
        done = lake.smart_trader(*options, str(at))
        assert done.returncode == 0, done.stderr
        # a load that is gone stays listed, without rows
        tables[at] = {name: lake.business(*name) for name in lake.tables() if name != ("silver", SWAP_LOADS[1])}
    assert tables[FIRST][HISTORIES[1][:2]] != tables[REFRESH][HISTORIES[1][:2]]
    environment = {**embedded.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "future"}
    after = datetime.fromtimestamp(FIRST + 3600, UTC).isoformat()
    done = subprocess.run(
        [sys.executable, "-c", DISCARD, after],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {name: lake.business(*name) for name in tables[FIRST]} == tables[FIRST]
    # and it goes on from there, at a time that was refused before
    done = lake.smart_trader(*options, str(FIRST + 3600))
    assert done.returncode == 0, done.stderr
