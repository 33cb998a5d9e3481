"""A server killed in the middle of a write, and one whose disk is full: what is reported, what is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from smart_trader.lakehouse import server
from tests.python.support.engine import PROJECT, Engine, clean_environment, own_engine, run_module, small_disk

pytestmark = pytest.mark.slow

SLOW_MODEL = "{{ config(materialized='table') }}\nselect count(*) as a from range(4000000000) as r where hash(id) = 1\n"


@pytest.fixture
def killed_engine(tmp_path: Path) -> Iterator[Engine]:
    """A server of its own, since this one gets killed."""
    with own_engine(tmp_path / "home", class_archive=True) as running:
        yield running


@pytest.fixture
def slow_project(tmp_path: Path) -> Path:
    """The dbt project with one gold table that takes a minute to build."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "macros", project / "macros")
    shutil.copy(PROJECT / "profiles.yml", project)
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    # they ask for bronze tables, which this lake has none of
    del settings["on-run-start"]
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    (project / "models" / "gold").mkdir(parents=True)
    (project / "models" / "silver").mkdir(parents=True)
    shutil.copy(PROJECT / "models" / "_groups.yml", project / "models")
    (project / "models" / "gold" / "slow.sql").write_text(SLOW_MODEL)
    return project


def test_a_jvm_killed_in_the_middle_of_a_query_damages_nothing(killed_engine: Engine, slow_project: Path) -> None:
    location = f"{killed_engine.paths.home}/gold"
    killed_engine.sql(f"create schema gold location 'file:{location}'")
    killed_engine.sql("create table gold.slow using delta as select cast(7 as bigint) as a")
    dbt = subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", "run"],
        cwd=slow_project,
        env=killed_engine.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert dbt.stdout is not None
    seen = ""
    for line in dbt.stdout:
        seen += line
        if "START sql table model" in line:
            break
    time.sleep(3)
    os.kill(killed_engine.record.pid, 9)
    killed_at = time.monotonic()
    seen += dbt.communicate(timeout=60)[0]
    assert dbt.returncode != 0
    assert time.monotonic() - killed_at < 30, "the loss is noticed at once"
    assert f"127.0.0.1:{killed_engine.record.endpoints.thrift_port}" in seen
    assert "lost" in seen
    assert "Traceback" not in seen

    status = run_module("smart_trader.lakehouse", "status", env=killed_engine.environment)
    assert status.returncode == 3
    again = run_module("smart_trader.lakehouse", "start", env=killed_engine.environment)
    assert again.returncode == 0, again.stderr
    revived = server.running(killed_engine.paths)
    assert revived is not None
    assert Engine(killed_engine.settings, revived).sql("select a from gold.slow") == [(7,)]
    assert run_module("smart_trader.lakehouse", "stop", env=killed_engine.environment).stdout == "stopped\n"


def test_a_disk_that_fills_while_the_server_starts_is_explained(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small disk", "2m") as disk:
        env = clean_environment(LAKEHOUSE_HOME=str(disk / "home"), LAKEHOUSE_MIN_FREE_MB="0")
        done = run_module("smart_trader.lakehouse", "start", env=env)
        assert done.returncode == 1
        assert f"no space left on the disk of {disk / 'home'}" in done.stderr
        assert "free some space" in done.stderr


def test_a_damaged_metastore_is_explained(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "metastore").mkdir(parents=True)
    (home / "metastore" / "service.properties").write_text("not a database")
    # one that is not known to be this lake's is made again, whole or not
    (home / "metastore.root").write_text(f"file:{home}\n")
    done = run_module("smart_trader.lakehouse", "start", env=clean_environment(LAKEHOUSE_HOME=str(home)))
    assert done.returncode == 1
    assert f"the metastore {home / 'metastore'} is damaged" in done.stderr
    assert "move " in done.stderr
