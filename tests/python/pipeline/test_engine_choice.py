"""Which engine a command uses, what it says of it, and what a switch from one to the other needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import LakehouseSettings
from smart_trader.errors import SettingsError
from smart_trader.lakehouse import server
from smart_trader.lakehouse.registration import synchronize
from smart_trader.lakehouse.session import choose_engine
from smart_trader.pipeline.dbt import _find_fix
from smart_trader.pipeline.views import views_below
from tests.python.support.engine import EmbeddedLake, run_module
from tests.python.support.market_lake import FIRST, MarketLake

S3 = "s3://bucket/lake"


@pytest.mark.parametrize(
    ("chosen", "target", "uri", "is_up", "expected"),
    [
        pytest.param("auto", "local", None, False, ("embedded", "no server of the lake is up"), id="auto"),
        pytest.param("auto", "local", None, True, ("spark", "the lake's server is up"), id="auto-beside-a-server"),
        pytest.param("embedded", "local", None, True, ("embedded", "requested"), id="embedded-beside-a-server"),
        pytest.param("spark", "ci", None, False, ("spark", "requested"), id="spark"),
        pytest.param("auto", "embedded", None, True, ("embedded", "target embedded"), id="by-target"),
        pytest.param("auto", "spark", None, False, ("spark", "target spark"), id="spark-by-target"),
        pytest.param("auto", "cluster", S3, False, ("spark", "target cluster"), id="cluster"),
        pytest.param("auto", "local", S3, False, ("embedded", "no server of the lake is up"), id="on-s3"),
    ],
)
def test_an_engine_is_chosen_once_with_a_reason(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: Any,
    target: str,
    uri: str | None,
    is_up: bool,
    expected: tuple[str, str],
) -> None:
    monkeypatch.setenv("DBT_TARGET", target)
    monkeypatch.setattr(server, "running", lambda _: "a server" if is_up else None)
    if is_up:
        (tmp_path / "server.json").touch()
    choice = choose_engine(LakehouseSettings(home=tmp_path, uri=uri, engine=chosen))
    assert (choice.name, choice.reason) == expected


@pytest.mark.parametrize(
    ("chosen", "target", "uri", "words"),
    [
        ("embedded", "spark", None, "target spark always uses spark"),
        ("spark", "embedded", None, "target embedded always uses embedded"),
        ("embedded", "cluster", S3, "target cluster always uses spark"),
    ],
)
def test_an_engine_that_cannot_be_had_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: Any, target: str, uri: str | None, words: str
) -> None:
    monkeypatch.setenv("DBT_TARGET", target)
    with pytest.raises(SettingsError, match=words):
        choose_engine(LakehouseSettings(home=tmp_path, uri=uri, engine=chosen))


def test_a_run_reports_its_engine_and_needs_no_java(lake: MarketLake, shown: str) -> None:
    # the lake's environment names a Java that does not exist
    assert "engine: embedded (requested)" in shown
    assert not lake.engine.paths.server_file.exists()
    assert not lake.engine.paths.metastore.exists()


@pytest.fixture
def copied(calm: MarketLake, tmp_path: Path) -> MarketLake:
    """A copy of the lake after its first run."""
    shutil.copytree(calm.engine.paths.home, tmp_path / "lake")
    return MarketLake(EmbeddedLake(tmp_path / "lake"), calm.prefix)


@pytest.mark.slow
def test_a_large_lake_is_advised_of_spark_and_built_all_the_same(copied: MarketLake) -> None:
    output = copied.demo(FIRST, "--step", "build_traders", "--var", "embedded_max_swaps=10")
    assert "more than embedded_max_swaps = 10" in output


@pytest.mark.slow
def test_dbt_test_alone_makes_the_views_of_the_other_engine(copied: MarketLake) -> None:
    lake = copied
    views = lake.engine.paths.local_root / "_views.json"
    known = json.loads(views.read_text())
    views.unlink()
    env = {**lake.engine.environment, "DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": "market"}
    env |= {"SMART_TRADER_AS_OF": str(FIRST + 30 * 86_400)}
    target = str(lake.engine.paths.home / "dbt-views")
    arguments = ["--exclude-resource-type", "unit_test", "--target-path", target, "--log-path", target]
    done = run_module("dbt.cli.main", "test", "--select", "fifo_disagreements", "pipeline_runs", *arguments, env=env)
    assert done.returncode == 0, done.stdout
    restored = json.loads(views.read_text())
    assert {"market_silver.fifo_disagreements", "market_gold.pipeline_runs"} <= restored.keys() <= known.keys()


def node(*parents: str, view: bool = False) -> dict[str, Any]:
    return {"config": {"materialized": "view" if view else "table"}, "depends_on": {"nodes": list(parents)}}


def test_views_are_restored_after_those_they_stand_on() -> None:
    nodes = {
        "top": node("middle", "table"),
        "middle": node("bottom", view=True),
        "bottom": node("source", view=True),
        "table": node("other"),
        "other": node(view=True),
        "elsewhere": node("bottom", view=True),
    }
    assert views_below(nodes, ["top"]) == ["bottom", "middle", "other"]
    assert views_below(nodes, ["top", "middle"]) == ["bottom", "other"]
    assert views_below(nodes, ["bottom"]) == []


class Catalog:
    """Answers as Spark's catalog does, and notes the statements it gets."""

    def __init__(self, root: Path, tables: list[str]) -> None:
        self.statements: list[str] = []
        self._root = root
        self._tables = tables

    def __call__(self, statement: str) -> list[tuple[object, ...]]:
        if statement == "show schemas":
            return [("silver",)]
        if statement.startswith("describe schema"):
            return [("Location", f"file:{self._root}/silver")]
        if statement.startswith("show table extended"):
            facts = f"Type: EXTERNAL\nLocation: file:{self._root}/silver/"
            return [("silver", name, False, facts + name) for name in self._tables]
        self.statements.append(statement)
        return []


def test_the_catalog_gets_what_the_lake_holds(tmp_path: Path) -> None:
    for name in ("known", "new", "without_commit"):
        (tmp_path / "silver" / name / "_delta_log").mkdir(parents=True)
    for name in ("known", "new"):
        (tmp_path / "silver" / name / "_delta_log" / f"{0:020}.json").touch()
    # a table whose log alone is lost keeps its files, which dropping it would delete
    (tmp_path / "silver" / "without_log").mkdir()
    catalog = Catalog(tmp_path, ["known", "gone", "without_log"])
    assert synchronize(LakePaths(tmp_path, str(tmp_path)), catalog, print) == [("silver", "new")]
    assert [" ".join(statement.split()[:6]) for statement in catalog.statements] == [
        "drop table if exists silver.gone",
        "create schema if not exists silver",
        "create table if not exists silver.new",
    ]


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        pytest.param("[UNREADABLE_TABLE] The table silver.t cannot be read, by its log x: y", "repair", id="log"),
        pytest.param("[UNREADABLE_TABLE] The table ci_bronze.t cannot be read", "smart-trader restore", id="bronze"),
        pytest.param("DELTA_FILE_NOT_FOUND /lake/bronze/fetch_log/x", "smart-trader restore", id="bronze-on-spark"),
        pytest.param("IO Error: No magic bytes found at '/lake/snapshots/t/x'", "smart-trader restore", id="history"),
        pytest.param("IO Error: No files found that match the pattern 'x.parquet'", "repair", id="no-file"),
        pytest.param("IO Error: Cannot open file 'x.parquet': No such file or directory", "repair", id="file-gone"),
        pytest.param("Invalid Input Error: No magic bytes found at end of file 'x'", "repair", id="cut-short"),
        pytest.param("Generic LocalFileSystem error: (os error 28)", "free space", id="full-disk-delta"),
        pytest.param("IO Error: Could not write file 'x': No space left on device", "free space", id="full-disk"),
        pytest.param("Generic LocalFileSystem error: (os error 13)", "writable", id="not-permitted"),
        pytest.param("Out of Memory Error: failed to allocate", "more memory", id="memory"),
    ],
)
def test_errors_of_the_embedded_engine_have_the_fix_of_sparks(message: str, fix: str) -> None:
    assert fix in str(_find_fix(message))


@pytest.mark.slow
def test_a_damaged_table_is_named_with_its_file_and_repaired(embedded: EmbeddedLake) -> None:
    lake = MarketLake(embedded, "damaged_")
    lake.demo(FIRST, "--skip-tests", "--step", "load_tokens", "--run-id", "one")
    step = ("--skip-tests", "--step", "build_tokens", "--run-id", "one")
    lake.demo(FIRST, *step)
    before = lake.business("silver", "token_observations")
    files = sorted((embedded.home / "damaged_silver" / "token_observations").glob("*.parquet"))
    for file in files:
        file.write_bytes(b"no parquet")
    arguments = ("--demo", "--market", "easy", "--seed", "11", "--market-wallets", "30", "--as-of", str(FIRST + 86_400))
    for name in ("load_tokens", "build_tokens"):
        failed = lake.smart_trader("run", *arguments, "--step", name, "--run-id", "two", "--skip-tests")
    assert failed.returncode == 1
    assert "damaged_silver.token_observations" in failed.stderr
    assert files[0].name in failed.stderr
    assert "run: smart-trader repair" in failed.stderr
    done = lake.smart_trader("repair", DBT_TARGET="ci", SMART_TRADER_SCHEMA="damaged")
    assert done.returncode == 0, done.stderr
    assert "damaged_silver.token_observations: broken, moved to" in done.stderr
    kept = [row for row in lake.business("silver", "token_observations") if row in before]
    assert kept == before
