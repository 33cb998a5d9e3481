"""The dbt project as it is used: on an empty lake, under other targets, and where something is amiss."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from loaders.jobs import Job, work_items
from loaders.resources import WHALES
from loaders.settings import loader_settings
from smart_trader.errors import SmartTraderError
from tests.python.support.dbt_lake import DbtResult
from tests.python.support.engine import PROJECT, EmbeddedLake, run_module

TABLES = ("silver.wallet_swaps", "silver.fifo_positions", "silver.wallet_pnl", "gold.smart_traders", "gold.leaderboard")


@dataclass(frozen=True)
class Built:
    """A lake that was empty, after the commands that a loader named for it.

    Attributes:
        engine: The lake.
        commands: What the loader named.
        result: How the last of the commands, `dbt build`, went.
    """

    engine: EmbeddedLake
    commands: list[str]
    result: DbtResult


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build by dbt's target `local`, on a lake that has no server."""
    engine = EmbeddedLake(tmp_path_factory.mktemp("lake with space"))
    commands = refusal(engine).removeprefix("run: ").split(", then: ")
    for command in commands[:-1]:
        done = run_module(*command.removeprefix("python -m ").split(), env=engine.environment)
        assert done.returncode == 0, done.stderr
    assert refusal(engine) == f"run: {commands[-1]}"
    return Built(engine, commands, engine.dbt(*commands[-1].split()[1:], LAKEHOUSE_ENGINE="auto"))


def whales(engine: EmbeddedLake) -> Job:
    return Job(WHALES, loader_settings(), engine.paths, datetime(2026, 1, 31, tzinfo=UTC))


def refusal(engine: EmbeddedLake) -> str:
    """Return what a loader says that mends a lake without a work list."""
    with pytest.raises(SmartTraderError) as refused:
        work_items(whales(engine))
    return refused.value.fix


def test_the_commands_that_a_loader_names_make_its_work_list(built: Built) -> None:
    assert built.commands == ["python -m loaders init", "dbt build"]
    assert work_items(whales(built.engine)) == []


def test_an_empty_lake_is_built_to_empty_delta_tables_in_its_own_folders(built: Built) -> None:
    assert built.result.success, built.result.failures
    # an exposure is a node in which dbt has nothing to do
    assert set(built.result.counts()) == {"success", "pass", "no-op"}
    for table in TABLES:
        schema, name = table.split(".")
        folder = Path(built.engine.paths.table(schema, name))
        assert (folder / "_delta_log").is_dir()
        assert DeltaTable(str(folder)).to_pyarrow_table().num_rows == 0


def test_other_targets_get_prefixed_schemas(built: Built) -> None:
    names = ("wallet_pnl", "leaderboard", "quote_assets")
    listed = built.engine.dbt(
        "ls", "--select", *names, "--output", "json", "--output-keys", "schema", "resource_type", DBT_TARGET="ci"
    )
    nodes = [json.loads(line) for line in listed.listed]
    schemas = {node["schema"] for node in nodes if node["resource_type"] in ("model", "seed")}
    assert schemas == {"ci_silver", "ci_gold"}


@pytest.fixture
def of_one_model(tmp_path: Path) -> EmbeddedLake:
    """An empty lake, and a project with one model in no schema."""
    project = tmp_path / "project"
    for name in ("macros", "dbt_project.yml", "profiles.yml"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        project.mkdir(exist_ok=True)
        copy(PROJECT / name, project / name)
    (project / "models").mkdir()
    shutil.copy(PROJECT / "models" / "_groups.yml", project / "models")
    (project / "models" / "stray.sql").write_text("select 1 as a")
    return EmbeddedLake(tmp_path / "lake", project)


def test_a_model_without_a_configured_schema_is_refused(of_one_model: EmbeddedLake) -> None:
    done = of_one_model.dbt("parse")
    assert not done.success
    assert "no schema is configured for model.smart_trader.stray" in str(done.error)


@pytest.mark.parametrize("value", ["duck", "sparkle"])
def test_a_wrong_engine_is_refused_with_its_variable(of_one_model: EmbeddedLake, value: str) -> None:
    done = of_one_model.dbt("parse", LAKEHOUSE_ENGINE=value)
    assert not done.success
    assert f"LAKEHOUSE_ENGINE={value}: set it to auto, embedded or spark" in str(done.error)


def test_an_empty_engine_is_none_chosen(of_one_model: EmbeddedLake) -> None:
    (of_one_model.project / "models" / "stray.sql").write_text("{{ config(schema='silver') }} select 1 as a")
    assert of_one_model.dbt("parse", LAKEHOUSE_ENGINE="").success


def test_the_target_spark_without_a_server_names_how_to_start_it(
    of_one_model: EmbeddedLake, capsys: pytest.CaptureFixture[str]
) -> None:
    (of_one_model.project / "models" / "stray.sql").write_text("{{ config(schema='silver') }} select 1 as a")
    done = of_one_model.dbt("build", DBT_TARGET="spark")
    assert not done.success
    assert "smart-trader lakehouse start" in str(done.error)
    assert "Traceback" not in capsys.readouterr().out


def test_the_target_local_reports_which_engine_it_takes(built: Built) -> None:
    log = (built.engine.home / "dbt-logs" / "dbt.log").read_text()
    assert "Using the embedded engine (method: embedded)" in log


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param("{win_threshold_usd: -1}", "win_threshold_usd = -1", id="negative"),
        pytest.param("{pnl_refresh_hour: 5}", "did you mean pnl_refresh_hours?", id="misspelt"),
    ],
)
def test_plain_dbt_refuses_a_wrong_var_by_name(built: Built, variables: str, message: str) -> None:
    done = built.engine.dbt("run", "--select", "complete_loads", "--vars", variables, LAKEHOUSE_ENGINE="auto")
    assert not done.success
    assert message in str(done.error)
