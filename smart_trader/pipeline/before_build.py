"""What dbt checks before each build, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smart_trader.config.variables import check_variables
from smart_trader.lake.lock import ensure_lake_is_free, ensure_own_server
from smart_trader.pipeline.upgrade import ensure_lake_is_current


def check_build(variables: Mapping[str, Any], lake_uri: str | None, target: str, bronze_schema: str) -> None:
    """Refuse a build that would be wrong, before anything is built; the hook `check_build` calls this.

    dbt itself takes any value of any var. A run holds the lake's lock for all its steps; a build in between would mix
    their states.

    Args:
        variables: Vars from the command line; dbt_project.yml has the others.
        lake_uri: Root of the lake's tables, as the engine names it; None where there is no lake to look at.
        target: dbt's target.
        bronze_schema: Name of the bronze schema, which shows the prefix of them all.

    Raises:
        SmartTraderError: A var is wrong, the lake is held by another process, its server is not its own, or its tables
            are of another version of the project.
    """
    check_variables(variables)
    if lake_uri is None:
        return
    ensure_own_server(lake_uri, target)
    ensure_lake_is_free(lake_uri)
    ensure_lake_is_current(lake_uri, bronze_schema)
