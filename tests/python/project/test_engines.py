"""Both engines make the same tables of the same bronze, bit for bit."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from engine import Engine, clean_environment, run_module
from market_lake import DAY, FIRST, HOUR, OWN_FIELDS, MarketLake

# the clock of the build, which spreads the numbers of loads
BUILD_FIELDS = OWN_FIELDS | {"covered_batch", "processed_at", "gold_processed_at_"}


def embedded_build(home: Path, at: int) -> None:
    """Build the whole project, with its data tests, in one process."""
    done = run_module(
        "dbt.cli.main",
        "--no-use-colors",
        *("build", "--target", "embedded", "--exclude-resource-type", "unit_test"),
        *("--target-path", str(home / "dbt-target"), "--log-path", str(home / "logs")),
        env=clean_environment(LAKEHOUSE_HOME=str(home), SMART_TRADER_AS_OF=str(at)),
        timeout=480,
    )
    assert "ERROR=0 SKIP=0" in done.stdout, done.stdout + done.stderr


def take_bronze(lake: MarketLake, home: Path) -> None:
    """Give the embedded lake the bronze that Spark's lake has now."""
    shutil.rmtree(home / "bronze", ignore_errors=True)
    shutil.copytree(lake.engine.paths.local_root / f"{lake.prefix}bronze", home / "bronze")


def differences(lake: MarketLake, home: Path) -> dict[str, str]:
    """Return what differs, by table; a lake of nothing differs in everything."""
    found = {}
    for schema, name in lake.tables():
        spark = DeltaTable(lake.engine.paths.table(f"{lake.prefix}{schema}", name))
        try:
            ours = DeltaTable(str(home / schema / name))
        except Exception as exc:
            found[f"{schema}.{name}"] = str(exc)
            continue
        kinds = [[(field.name, str(field.type)) for field in table.schema().fields] for table in (spark, ours)]
        if kinds[0] != kinds[1]:
            found[f"{schema}.{name}"] = f"columns {kinds}"
            continue
        columns = ", ".join(f'"{column}"' for column, _ in kinds[0] if column not in BUILD_FIELDS)
        theirs, mine = spark.to_pyarrow_table(), ours.to_pyarrow_table()
        database = duckdb.connect()
        database.register("theirs", theirs)
        database.register("mine", mine)
        # the run's own record lands after Spark's last build, and is a load more
        known = " where load_id in (select load_id from theirs)" if name == "swap_loads" else ""
        for one, other in (("theirs", "mine"), ("mine", "theirs")):
            restricted = known if one == "mine" else ""
            rows = database.sql(
                f"select {columns} from {one}{restricted} except all select {columns} from {other}"
            ).fetchall()
            if rows:
                found[f"{schema}.{name}"] = f"{len(rows)} of {one} alone, e.g. {rows[0]}"
    return found


def test_the_market_built_by_each_engine_is_equal(spark_lake: MarketLake, tmp_path: Path) -> None:
    take_bronze(spark_lake, tmp_path)
    embedded_build(tmp_path, FIRST)
    assert differences(spark_lake, tmp_path) == {}


def test_a_second_embedded_build_commits_to_no_history(lake: MarketLake, shown: str, tmp_path: Path) -> None:
    take_bronze(lake, tmp_path)
    at = int(lake.newest().timestamp())
    embedded_build(tmp_path, at)
    kept = (
        "silver/wallet_swaps",
        "silver/wallet_trades",
        "silver/fifo_positions",
        "silver/pnl_calculations",
        "snapshots/tracked_whales_history",
    )
    before = {name: DeltaTable(str(tmp_path / name)).version() for name in kept}
    assert set(before.values()) == {0}
    embedded_build(tmp_path, at)
    assert {name: DeltaTable(str(tmp_path / name)).version() for name in kept} == before


@pytest.mark.full
def test_later_runs_are_equal_and_each_engine_goes_on_where_the_other_stopped(engine: Engine, tmp_path: Path) -> None:
    lake = MarketLake(engine, "engines_")
    lake.demo(FIRST)
    ours, mixed = tmp_path / "ours", tmp_path / "mixed"
    take_bronze(lake, ours)
    embedded_build(ours, FIRST)
    assert differences(lake, ours) == {}
    # the other lake begins as Spark left it, without the views, which are in Spark's catalog
    for schema in ("bronze", "silver", "gold", "snapshots"):
        shutil.copytree(engine.paths.local_root / f"{lake.prefix}{schema}", mixed / schema)
    for later in (timedelta(seconds=12 * HOUR), timedelta(seconds=15 * DAY)):
        at = FIRST + int(later.total_seconds())
        lake.demo(at)
        for home in (ours, mixed):
            take_bronze(lake, home)
            embedded_build(home, at)
        assert differences(lake, mixed) == {}
        assert differences(lake, ours) == {}
