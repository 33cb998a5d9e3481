"""The dbt target of the adapter's tests: the session's real server, or the engine in dbt's own process.

The project's own conftest starts the server. From this folder alone there is none, and what needs one is skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from adapter_support import EMBEDDED_REFUSES, Engine, delta_config

BOTH_METHODS = "test_dbt_"


class NoServer:
    """Takes the place of the project's server where the adapter's folder is all there is."""

    @pytest.fixture(scope="session")
    def engine(self) -> Engine:
        """Skip what needs a server."""
        pytest.skip("no Spark server: run it with the project's tests")


def pytest_configure(config: pytest.Config) -> None:
    """Do without a server in a run that begins in the adapter's own folder."""
    if config.rootpath == Path(__file__).parents[1]:
        config.pluginmanager.register(NoServer())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run dbt's own tests with both connection methods."""
    if metafunc.module.__name__.rpartition(".")[2].startswith(BOTH_METHODS) and "method" in metafunc.fixturenames:
        metafunc.parametrize("method", ["thrift", "embedded"], indirect=True, scope="class")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the embedded engine refuses, by its reason."""
    for item in items:
        reason = EMBEDDED_REFUSES.get("::".join(part.partition("[")[0] for part in item.nodeid.split("::")[1:]))
        if reason and "[embedded" in item.name:
            item.add_marker(pytest.mark.skip(reason=f"method: embedded refuses {reason}"))


@pytest.fixture(scope="class")
def method(request: pytest.FixtureRequest) -> str:
    """The connection method of the target."""
    return str(getattr(request, "param", "thrift"))


@pytest.fixture(scope="class")
def dbt_profile_target(
    request: pytest.FixtureRequest, method: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Override of dbt's fixture: the target every test project runs against."""
    if method == "embedded":
        lake = tmp_path_factory.mktemp("lake with space")
        return {"type": "sparkconnect", "method": "embedded", "lake": str(lake), "threads": 2}
    engine: Engine = request.getfixturevalue("engine")
    return {
        "type": "sparkconnect",
        "endpoint_file": str(engine.endpoint_file),
        "server_hint": "Start it with: make server",
        "connect_deadline": 10,
        "threads": 2,
    }


@pytest.fixture(scope="class")
def project_config_update() -> dict[str, Any]:
    """Override of dbt's fixture: everything a test project builds is a Delta table."""
    return delta_config()
