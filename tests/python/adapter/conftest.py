"""The dbt target of the adapter's tests: the session's real server."""

from __future__ import annotations

from typing import Any

import pytest
from engine import Engine

from .support import delta_config


@pytest.fixture(scope="class")
def dbt_profile_target(engine: Engine) -> dict[str, Any]:
    """Override of dbt's fixture: the target every test project runs against."""
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
