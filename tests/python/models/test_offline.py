"""The whole project without a server: what docs/server.md promises of `DBT_SPARKCONNECT_OFFLINE=1`."""

from __future__ import annotations

import pytest

from tests.python.support.dbt_lake import DbtResult
from tests.python.support.engine import EmbeddedLake


@pytest.fixture(scope="module")
def without_server(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedLake:
    """A lake that has no server; shared, so that the project is parsed once."""
    return EmbeddedLake(tmp_path_factory.mktemp("offline"))


def offline(without_server: EmbeddedLake, *command: str) -> DbtResult:
    return without_server.dbt(*command, LAKEHOUSE_ENGINE="auto", DBT_SPARKCONNECT_OFFLINE="1")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("compile",), id="compile"),
        pytest.param(("docs", "generate", "--empty-catalog"), id="docs", marks=pytest.mark.full),
    ],
)
def test_the_whole_project_needs_no_server(without_server: EmbeddedLake, command: tuple[str, ...]) -> None:
    done = offline(without_server, *command)
    assert done.success, done.failures
    if "compile" in command:
        board = next((without_server.home / "dbt-target" / "compiled").rglob("gold/leaderboard.sql")).read_text()
        assert "from gold.trader_evaluations" in board


def test_a_build_is_still_refused(without_server: EmbeddedLake) -> None:
    done = offline(without_server, "run", "--select", "complete_loads")
    assert not done.success
    assert "The sparkconnect adapter is offline and ran no statement" in str(done.failures)
