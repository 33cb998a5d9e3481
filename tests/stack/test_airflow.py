"""Airflow, in an environment of its own, runs the same command lines: both DAGs to their end, on a demo lake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smart_trader.lake.delta import read_table
from smart_trader.pipeline.steps import STEP_NAMES
from tests.python.support.market_lake import FIRST

from .compose import PROJECT, Stack
from .lakes import MARKET, Tables, assert_equal, business_rows, local_lake

RUN = "optimized_delta_smart_trader_identification"
MAINTENANCE = "lake_maintenance"


@dataclass(frozen=True)
class Airflow:
    """An Airflow with its own database, and the lake that its tasks work on."""

    home: Path
    lake: Path
    env: dict[str, str]

    def __call__(self, *arguments: str, timeout: int = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["airflow", *arguments], env=self.env, cwd=self.home, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("airflow with space")
    service = Stack(folder, tools)
    service.variables |= {"DAGS_FOLDER": str(PROJECT / "dags"), "AIRFLOW_PASSWORDS": str(folder / "passwords.json")}
    env = service.environment("airflow") | {
        "AIRFLOW_HOME": str(folder),
        # the image puts the program on the path; the project's own programs are found by their folder
        "PATH": f"{tools / 'airflow' / 'bin'}:/usr/bin:/bin",
        "SMART_TRADER_BIN": str(Path(sys.executable).parent),
        "SMART_TRADER_SOURCE": " ".join(MARKET),
        "LAKEHOUSE_HOME": str(folder / "lake"),
        "LAKEHOUSE_URI": "",
        "DBT_TARGET": "local",
        # tasks talk to a server that `dags test` has no use for
        "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    }
    made = Airflow(folder, folder / "lake", env)
    done = made("db", "migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert made("dags", "reserialize").returncode == 0
    smart_trader(made, "lakehouse", "start")
    yield made
    smart_trader(made, "lakehouse", "stop")


def smart_trader(airflow: Airflow, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "smart-trader"), *arguments], env=airflow.env, cwd=PROJECT,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_both_dags_are_read_without_an_error(airflow: Airflow) -> None:
    assert airflow.json("dags", "list-import-errors") == []
    assert {dag["dag_id"] for dag in airflow.json("dags", "list")} == {RUN, MAINTENANCE}


@pytest.mark.parametrize(("dag", "schedule"), [(RUN, "0 9,21 * * *"), (MAINTENANCE, "0 */6 * * *")])
def test_dags_are_scheduled_one_at_a_time_without_catching_up_and_begin_paused(
    airflow: Airflow, dag: str, schedule: str
) -> None:
    (found,) = airflow.json("dags", "details", dag)
    assert (found["timetable_summary"], found["max_active_runs"], found["is_paused"]) == (schedule, "1", "True")
    code = (
        f"from {Path(found['relative_fileloc']).stem} import dag; "
        "print(dag.catchup, {(task.retries, task.retry_delay.total_seconds()) for task in dag.tasks}, dag.timezone)"
    )
    done = subprocess.run(
        ["python", "-c", code], env=airflow.env, cwd=PROJECT / "dags", capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["False {(2, 600.0)} UTC"], done.stderr


def test_the_run_has_a_task_for_each_step_of_the_pipeline(airflow: Airflow) -> None:
    tasks = airflow("tasks", "list", RUN).stdout.split()
    assert set(STEP_NAMES) | {"choose_as_of"} <= set(tasks)
    assert not {name for name in tasks if name.startswith(("load_", "build_"))} - set(STEP_NAMES)


def test_the_run_to_its_end(airflow: Airflow, embedded: dict[int, Tables]) -> None:
    as_of = datetime.fromtimestamp(FIRST, UTC)
    done = airflow("dags", "test", RUN, as_of.isoformat(), timeout=1200)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    lake = local_lake(airflow.lake)
    records = read_table(lake.table("bronze", "pipeline_runs")).to_pylist()
    assert [row["step"] for row in sorted(records, key=lambda row: row["started_at"])] == list(STEP_NAMES)
    assert {(row["outcome"], row["as_of"]) for row in records} == {("complete", as_of)}
    assert len({row["run_id"] for row in records}) == 1
    print("Airflow, a task for each step:")
    assert_equal(business_rows(lake), embedded[FIRST])


def test_a_time_the_lake_is_past_becomes_now(airflow: Airflow) -> None:
    for wanted in ("", datetime.fromtimestamp(FIRST - 1, UTC).isoformat()):
        chosen = datetime.fromisoformat(smart_trader(airflow, "as-of", wanted).stdout.strip())
        assert abs((datetime.now(UTC) - chosen).total_seconds()) < 60
    later = datetime.fromtimestamp(FIRST + 1, UTC).isoformat()
    assert smart_trader(airflow, "as-of", later).stdout.strip() == later


def test_the_maintenance_to_its_end(airflow: Airflow, embedded: dict[int, Tables]) -> None:
    done = airflow("dags", "test", MAINTENANCE, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    for words in ("compacted", "old files removed", "source freshness"):
        assert words in done.stdout + done.stderr
    assert_equal(business_rows(local_lake(airflow.lake)), embedded[FIRST])
