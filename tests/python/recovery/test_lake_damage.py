"""A lake that lost its catalog, some files or its room: what is reported, what comes back, and that nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from deltalake import DeltaTable

from smart_trader.lakehouse import server
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.dbt_lake import run_dbt
from tests.python.support.engine import (
    EmbeddedLake,
    Engine,
    clean_environment,
    deny,
    own_engine,
    run_module,
    small_disk,
)
from tests.python.support.kill_targets import KilledLake, Reference, lake_at
from tests.python.support.market_lake import DAY, FIRST, REFRESH, MarketLake

pytestmark = pytest.mark.slow

GENESIS = (FIRST // DAY - 30) * DAY


def made_schema(engine: Engine | EmbeddedLake, schema: str) -> Path:
    """Make a schema with a table of two versions, and return its folder."""
    folder = engine.paths.local_root / schema
    engine.sql(f"create schema if not exists {schema} location 'file:{folder}'")
    engine.sql(f"create or replace table {schema}.kept using delta as select 1 as a")
    engine.sql(f"insert into {schema}.kept values (2)")
    return folder


def repair(engine: Engine | EmbeddedLake, prefix: str) -> subprocess.CompletedProcess[str]:
    """Run `smart-trader repair` on the schemas of a prefix."""
    env = {**engine.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": prefix}
    return run_module("smart_trader.cli", "repair", env=env, timeout=580)


def first_file(table: Path) -> Path:
    """Return a data file that the newest version needs."""
    return table / str(DeltaTable(str(table)).get_add_actions(flatten=True)["path"][0].as_py())


def test_what_the_catalog_forgot_is_registered_again(engine: Engine) -> None:
    env = {**engine.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "lost"}
    assert run_module("loaders", "init", env=env).returncode == 0
    folder = made_schema(engine, "lost_test_failures")
    aside = folder.with_name("aside")
    shutil.copytree(folder / "kept", aside)
    engine.sql("drop table lost_test_failures.kept")
    aside.rename(folder / "kept")
    done = repair(engine, "lost")
    assert done.returncode == 0, done.stderr
    assert "lost_test_failures.kept: registered" in done.stderr
    assert sorted(engine.sql("select a from lost_test_failures.kept")) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("schema", "name"), [("silver", "pnl_history"), ("snapshots", "tracked_tokens_history")], ids=["silver", "snapshot"]
)
def test_a_broken_history_is_named_and_nothing_is_changed(embedded: EmbeddedLake, schema: str, name: str) -> None:
    folder = made_schema(embedded, f"hurt_{schema}")
    (folder / "kept").rename(folder / name)
    first_file(folder / name).unlink()
    before = sorted(folder.rglob("*"))
    done = repair(embedded, "hurt")
    assert done.returncode == 1
    assert f"hurt_{schema}.{name}: 1 of its 2 files are gone, the first: part-" in done.stderr
    assert "from a backup" in done.stderr
    assert sorted(folder.rglob("*")) == before
    shutil.rmtree(folder)


def test_a_disk_that_fills_while_rows_land_loses_nothing(tmp_path: Path) -> None:
    source = market(WorldSpec("easy", 3, 40, GENESIS), FIRST)
    wallets = ",".join(source.wallets[:30])
    with small_disk(tmp_path / "small disk", "900k") as disk, serving(sandbox_app(source, clock=FIRST)) as url:
        env = clean_environment(LAKEHOUSE_HOME=str(disk / "lake"))
        load = ["loaders", "transactions", "--wallets", wallets, "--sandbox", url, "--as-of", str(FIRST)]
        full = run_module(*load, env=env)
        assert full.returncode == 1
        assert "No space left on device" in full.stderr
        assert "Traceback" not in full.stderr
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        assert run_module(*load, env=env).returncode == 0
        log = DeltaTable(str(disk / "lake" / "bronze" / "fetch_log")).to_pyarrow_table().to_pylist()
        assert {row["item"] for row in log if row["outcome"] == "complete"} == set(wallets.split(","))


def test_a_disk_that_fills_during_a_build_loses_nothing(calm: MarketLake, tmp_path: Path) -> None:
    bronze = calm.engine.paths.local_root / f"{calm.prefix}bronze"
    size = sum(path.stat().st_size for path in bronze.rglob("*") if path.is_file())
    with small_disk(tmp_path / "small disk", f"{size // 1024 + 700}k") as disk:
        killed = KilledLake(MarketLake(EmbeddedLake(disk / "lake"), calm.prefix), FIRST)
        shutil.copytree(bronze, disk / "lake" / bronze.name)
        shutil.copy(calm.engine.paths.local_root / "_lake.market.json", disk / "lake")
        env = {"SMART_TRADER_AS_OF": str(FIRST), "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "market"}
        places = ("--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"))
        command = ("build", "--exclude-resource-type", "unit_test", "test", *places)
        full = run_dbt(killed.engine, *command, **env)
        assert not full.success
        assert any("No space left on device" in failure for failure in full.failures), full.failures
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        whole = run_dbt(killed.engine, *command, **env)
        assert whole.success, whole.failures
        assert killed.tables() == KilledLake(calm, FIRST).tables()


@pytest.mark.full
def test_a_disk_that_fills_during_a_build_on_spark_loses_nothing(calm: MarketLake, tmp_path: Path) -> None:
    bronze = calm.engine.paths.local_root / f"{calm.prefix}bronze"
    with small_disk(tmp_path / "small disk", "900m") as disk, own_engine(disk / "lake") as engine:
        killed = KilledLake(MarketLake(engine, calm.prefix), FIRST)
        shutil.copytree(bronze, disk / "lake" / bronze.name)
        shutil.copy(calm.engine.paths.local_root / "_lake.market.json", disk / "lake")
        filler = disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(disk).free - 1_500_000))
        env = {
            **engine.environment, "SMART_TRADER_AS_OF": str(FIRST), "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "market"
        }  # fmt: skip
        places = ("--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"))
        command = ("dbt.cli.main", "build", "--exclude-resource-type", "unit_test", "test", *places)
        full = run_module(*command, env=env, timeout=580)
        assert full.returncode != 0
        assert "No space left on device" in full.stdout
        assert "Traceback" not in full.stdout
        filler.unlink()
        killed.run()
        assert killed.tables() == KilledLake(calm, FIRST).tables()


def test_a_lake_that_may_not_be_written_is_explained(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    deny(lake)
    with serving(sandbox_app(market(WorldSpec("easy", 3, 20, GENESIS), FIRST), clock=FIRST)) as url:
        done = run_module(
            "loaders", "tokens", "--sandbox", url, env=clean_environment(LAKEHOUSE_HOME=str(lake)), unprivileged=True
        )
    assert done.returncode == 1
    assert str(lake) in done.stderr
    assert "LAKEHOUSE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def damaged(target: Engine | EmbeddedLake, references: dict[int, Reference]) -> KilledLake:
    """A lake of the whole project, as the undisturbed runs left it."""
    assert references
    return lake_at(target, "calm_", REFRESH)


@pytest.mark.full
def test_a_lost_metastore_is_refused_by_dbt_and_mended_by_a_run(
    damaged: KilledLake, references: dict[int, Reference]
) -> None:
    engine = damaged.engine
    if not isinstance(engine, Engine):
        pytest.skip("the embedded engine has no metastore")
    server.stop(engine.paths, print)
    shutil.rmtree(engine.paths.metastore)
    server.start(engine.settings, print)
    env = {**engine.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "calm", "SMART_TRADER_AS_OF": str(REFRESH)}
    target_path = str(engine.paths.home / "dbt-lost")
    dbt = run_module("dbt.cli.main", "build", "--target-path", target_path, env=env)
    assert dbt.returncode != 0
    assert "smart-trader repair" in dbt.stdout
    done = repair(engine, "calm")
    assert done.returncode == 0, done.stderr
    assert "calm_gold.leaderboard: registered" in done.stderr
    damaged.run()
    damaged.check(references[REFRESH].tables, "after the loss of the metastore")


@pytest.mark.full
def test_lost_files_and_a_corrupt_log_are_named_and_made_again(
    damaged: KilledLake, references: dict[int, Reference]
) -> None:
    engine = damaged.engine
    silver = engine.paths.local_root / "calm_silver"
    first_file(silver / "wallet_trades").unlink()
    newest = max((silver / "whale_wallets" / "_delta_log").glob("*.json"))
    newest.write_text("{ this is no commit")
    if isinstance(engine, Engine):
        # a server that has the old log in memory does not see what happened to it on disk
        server.stop(engine.paths, print)
        server.start(engine.settings, print)
    later = lake_at(engine, "calm_", REFRESH + 20 * DAY)
    arguments = [
        "--demo",
        "--market",
        "easy",
        "--seed",
        "11",
        "--market-wallets",
        "30",
        "--as-of",
        str(later.at),
        "--skip-tests",
    ]
    failed = later.lake.smart_trader("run", *arguments)
    assert failed.returncode == 1
    assert "smart-trader repair" in failed.stderr
    assert "Traceback" not in failed.stderr
    done = repair(engine, "calm")
    assert done.returncode == 0, done.stderr
    for name in ("wallet_trades", "whale_wallets"):
        assert f"calm_silver.{name}: broken, moved to" in done.stderr
    later.run()
    undisturbed = lake_at(engine, "whole_", FIRST)
    for at in (FIRST, REFRESH, later.at):
        lake_at(engine, undisturbed.lake.prefix, at).run()
    # the trades of an older calculation are not known any more, so it is not made again
    later.check(undisturbed.tables(newest=True), "after the repair", newest=True)
