"""Names of the lake's schemas, by the same rule as the project's `generate_schema_name`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from smart_trader.config.paths import project_root
from smart_trader.errors import SettingsError

EXACT_TARGETS = ("local", "spark", "embedded", "cluster")
DERIVED_SCHEMAS = ("silver", "gold", "snapshots", "test_failures")
TARGET_VARIABLE = "DBT_TARGET"


def schema_name(name: str) -> str:
    """Return a schema's name under dbt's current target: itself, or prefixed with the target's schema.

    Raises:
        SettingsError: The target is not in profiles.yml.
    """
    target = current_target()
    return name if target in EXACT_TARGETS else f"{target_output(target)['schema']}_{name}"


def current_target() -> str:
    """Return the name of dbt's target."""
    return os.environ.get(TARGET_VARIABLE) or "local"


def target_output(target: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what profiles.yml sets for a target, as dbt reads it.

    Args:
        target: Its name.
        environment: Variables that stand before those of the environment.

    Raises:
        SettingsError: The target is not in profiles.yml.
    """
    path = project_root() / "profiles.yml"
    try:
        # the file is dbt's, and so are the function and the filter it uses
        rendering = jinja2.Environment(autoescape=True)
        rendering.filters["as_number"] = int
        outputs = yaml.safe_load(path.read_text())["smart_trader"]["outputs"]
        return {
            name: rendering.from_string(value).render(env_var={**os.environ, **(environment or {})}.get)
            if isinstance(value, str)
            else value
            for name, value in outputs[target].items()
        }
    except (OSError, yaml.YAMLError, jinja2.TemplateError, KeyError, TypeError, ValueError):
        raise SettingsError(
            f"{TARGET_VARIABLE}={target}: no such target in {path}", "use local, spark, embedded, ci or cluster"
        ) from None
