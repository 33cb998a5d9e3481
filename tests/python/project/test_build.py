"""The dbt project as it is used: on an empty lake, under other targets, and where something is amiss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from engine import PROJECT, Engine, run_module
from transform.bronze import Bronze

TABLES = ("silver.wallet_swaps", "silver.fifo_positions", "silver.wallet_pnl", "gold.smart_traders", "gold.leaderboard")


def dbt(engine: Engine, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run dbt as a user would and return what it printed."""
    done = run_module(
        "dbt.cli.main",
        "--no-use-colors",
        *arguments,
        "--target-path",
        str(engine.paths.home / "dbt-target"),
        env={**engine.environment, **(env or {})},
        timeout=480,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The whole project with its tests, built once on an initialised, empty lake."""
    Bronze(engine.paths.local_root, tmp_path_factory.mktemp("pipelines")).init()
    assert "ERROR=0 SKIP=0" in dbt(engine, "build")
    return engine


def test_an_empty_lake_is_built_to_empty_delta_tables_in_its_own_folders(built: Engine) -> None:
    for table in TABLES:
        schema, name = table.split(".")
        folder = Path(built.paths.table(schema, name))
        assert (folder / "_delta_log").is_dir()
        assert DeltaTable(str(folder)).to_pyarrow_table().num_rows == 0


def test_other_targets_get_prefixed_schemas(engine: Engine) -> None:
    printed = dbt(
        engine,
        "--quiet",
        "ls",
        "--select",
        "wallet_pnl",
        "leaderboard",
        "quote_assets",
        "--output",
        "json",
        "--output-keys",
        "schema",
        "resource_type",
        env={"DBT_TARGET": "ci", "DBT_SPARKCONNECT_OFFLINE": "1"},
    )
    nodes = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    schemas = {node["schema"] for node in nodes if node["resource_type"] in ("model", "seed")}
    assert schemas == {"ci_silver", "ci_gold"}


def test_a_model_without_a_configured_schema_is_refused(engine: Engine, tmp_path: Path) -> None:
    for name in ("macros", "dbt_project.yml", "profiles.yml"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, tmp_path / name)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "stray.sql").write_text("select 1 as a")
    done = run_module(
        "dbt.cli.main",
        "parse",
        "--project-dir",
        str(tmp_path),
        "--profiles-dir",
        str(tmp_path),
        env={**engine.environment, "DBT_SPARKCONNECT_OFFLINE": "1"},
    )
    assert done.returncode != 0
    assert "no schema is configured for model.smart_trader.stray" in done.stdout


def test_plain_dbt_without_a_server_says_how_to_start_it(tmp_path: Path, engine: Engine) -> None:
    done = run_module("dbt.cli.main", "build", env={**engine.environment, "LAKEHOUSE_HOME": str(tmp_path)})
    assert done.returncode != 0
    assert "smart-trader lakehouse start" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param("{win_threshold_usd: -1}", "win_threshold_usd = -1", id="negative"),
        pytest.param("{pnl_refresh_hour: 5}", "did you mean pnl_refresh_hours?", id="misspelt"),
    ],
)
def test_plain_dbt_refuses_a_wrong_var_by_name(built: Engine, variables: str, message: str) -> None:
    arguments = ["run", "--select", "landed_loads", "--vars", variables]
    target = str(built.paths.home / "dbt-vars")
    done = run_module("dbt.cli.main", *arguments, "--target-path", target, env=built.environment)
    assert done.returncode != 0
    assert message in done.stdout
