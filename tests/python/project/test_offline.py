"""The whole project without a server: what README promises of `DBT_SPARKCONNECT_OFFLINE=1`."""

from __future__ import annotations

import pytest
from dbt_lake import DbtLake, DbtResult


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DbtLake:
    """A lake that has no server; shared, so that the project is parsed once."""
    return DbtLake(tmp_path_factory.mktemp("offline"))


def offline(engine: DbtLake, *command: str) -> DbtResult:
    return engine.dbt(*command, LAKEHOUSE_ENGINE="auto", DBT_SPARKCONNECT_OFFLINE="1")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("compile",), id="compile"),
        pytest.param(("docs", "generate", "--empty-catalog"), id="docs", marks=pytest.mark.full),
    ],
)
def test_the_whole_project_needs_no_server(engine: DbtLake, command: tuple[str, ...]) -> None:
    done = offline(engine, *command)
    assert done.success, done.failures
    if "compile" in command:
        board = next((engine.home / "dbt-target" / "compiled").rglob("gold/leaderboard.sql")).read_text()
        assert "from gold.trader_evaluations" in board


def test_a_build_is_still_refused(engine: DbtLake) -> None:
    done = offline(engine, "run", "--select", "complete_loads")
    assert not done.success
    assert "The sparkconnect adapter is offline and ran no statement" in str(done.failures)
