"""Names of the lake's schemas, by the same rule as the project's `generate_schema_name`."""

from __future__ import annotations

import os

import jinja2
import yaml

from smart_trader.errors import SettingsError
from smart_trader.paths import project_root

EXACT_TARGETS = ("local", "cluster")


def schema_name(name: str) -> str:
    """Return a schema's name under dbt's current target: itself, or prefixed with the target's schema.

    Raises:
        SettingsError: The target is not in profiles.yml.
    """
    target = os.environ.get("DBT_TARGET") or "local"
    return name if target in EXACT_TARGETS else f"{_target_schema(target)}_{name}"


def _target_schema(target: str) -> str:
    path = project_root() / "profiles.yml"
    try:
        schema = yaml.safe_load(path.read_text())["smart_trader"]["outputs"][target]["schema"]
        # the file is dbt's, and so is the one function it uses
        return jinja2.Template(schema, autoescape=False).render(env_var=os.environ.get)
    except (OSError, yaml.YAMLError, jinja2.TemplateError, KeyError, TypeError):
        raise SettingsError(f"DBT_TARGET={target}: no such target in {path}", "use local, ci or cluster") from None
