"""The whole project without a server: what README promises of `DBT_SPARKCONNECT_OFFLINE=1`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from engine import clean_environment, run_module


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt's files go; shared, so that the project is parsed once."""
    return tmp_path_factory.mktemp("target")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("compile",), id="compile"),
        pytest.param(("docs", "generate", "--empty-catalog"), id="docs", marks=pytest.mark.full),
    ],
)
def test_the_whole_project_needs_no_server(target: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run_offline(target, tmp_path, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    if "compile" in command:
        board = next((target / "compiled").rglob("gold/leaderboard.sql")).read_text()
        assert "from gold.trader_evaluations" in board


def test_a_build_is_still_refused(target: Path, tmp_path: Path) -> None:
    done = run_offline(target, tmp_path, "run", "--select", "landed_loads")
    assert done.returncode != 0
    assert "The sparkconnect adapter is offline and ran no statement" in done.stdout


def run_offline(target: Path, lake: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run dbt with a lake that has no server."""
    environment = clean_environment(LAKEHOUSE_HOME=str(lake), DBT_SPARKCONNECT_OFFLINE="1")
    places = ("--target-path", str(target), "--log-path", str(lake / "logs"))
    return run_module("dbt.cli.main", "--no-use-colors", *command, *places, env=environment)
