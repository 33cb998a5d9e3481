"""The dbt project on the real server: twice the same, on an empty lake, in schemas where they belong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable
from engine import PROJECT, Engine, run_module

TABLES = (
    "silver.proof_swaps",
    "silver.proof_trades",
    "silver.proof_positions",
    "gold.proof_wallets",
    "snapshots.proof_wallets_history",
)


def dbt(engine: Engine, *arguments: str, project: Path = PROJECT, env: dict[str, str] | None = None) -> str:
    """Run dbt as a user would and return what it printed."""
    target_path = str(engine.paths.home / "dbt-target")
    done = run_module(
        "dbt.cli.main",
        "--no-use-colors",
        *arguments,
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        target_path,
        env={**engine.environment, **(env or {})},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(engine: Engine) -> Engine:
    """The proof project, built once on the empty lake."""
    printed = dbt(engine, "build")
    assert "ERROR=0 SKIP=0" in printed
    return engine


def rows(engine: Engine, table: str) -> list[tuple[object, ...]]:
    return sorted(engine.sql(f"select * from {table}"), key=str)


def test_a_second_build_changes_no_row(built: Engine) -> None:
    before = {table: rows(built, table) for table in TABLES}
    assert [len(found) for found in before.values()] == [7, 7, 4, 3, 3]
    dbt(built, "build")
    assert {table: rows(built, table) for table in TABLES} == before
    history = DeltaTable(built.paths.table("silver", "proof_trades")).history()
    merges = [entry["operationMetrics"] for entry in history if entry["operation"] == "MERGE"]
    assert all(int(metrics["numTargetRowsUpdated"]) == int(metrics["numTargetRowsInserted"]) == 0 for metrics in merges)


def test_a_changed_row_is_merged_and_its_history_kept(built: Engine) -> None:
    built.sql("update silver.proof_swaps set value_usd = 25.00 where swap_id = 's04'")
    dbt(built, "build", "--exclude-resource-type", "test", "seed")
    assert built.sql("select value_usd from silver.proof_trades where swap_id = 's04'") != [(21,)]
    changed = built.sql(
        "select cast(net_usd as double) from snapshots.proof_wallets_history "
        "where wallet_address = 'walletB' order by dbt_valid_from"
    )
    assert changed == [(-7.0,), (-11.0,)]


def test_the_python_model_gives_the_right_sums(built: Engine) -> None:
    assert rows(built, "silver.proof_positions") == [
        ("walletA", "tokenX", 60.0, 2),
        ("walletA", "tokenY", 10.0, 1),
        ("walletB", "tokenX", 0.0, 2),
        ("walletC", "tokenY", 750.0, 2),
    ]


def test_tables_are_real_delta_tables_in_the_lakes_own_folders(built: Engine) -> None:
    for table in TABLES:
        schema, name = table.split(".")
        assert (Path(built.paths.table(schema, name)) / "_delta_log").is_dir()
        assert DeltaTable(built.paths.table(schema, name)).to_pyarrow_table().num_rows > 0


def test_other_targets_get_prefixed_schemas(built: Engine) -> None:
    dbt(built, "seed", env={"DBT_TARGET": "ci"})
    assert (Path(built.paths.table("ci_silver", "proof_swaps")) / "_delta_log").is_dir()


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
