"""What each setting means, where that is written: comments of dbt_project.yml, descriptions of the settings' fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from smart_trader.config.settings import ApiSettings, ClusterSettings, LakehouseSettings, StoreSettings

# Read where a program starts, before any settings class: the name, its default and its meaning.
ENVIRONMENT_ONLY = (
    ("DBT_TARGET", "`local`", "dbt's target in `profiles.yml`: `local`, `spark`, `embedded`, `ci` or `cluster`"),
    ("DBT_SPARKCONNECT_OFFLINE", "`0`", "`1` parses, compiles and lints with no server"),
    ("SMART_TRADER_SCHEMA", "`ci`", "prefix of all schemas under `DBT_TARGET=ci`"),
    ("SMART_TRADER_CACHE", "the user's cache folder", "folder of jars and class archives"),
    ("SMART_TRADER_DEBUG", "", "`1` shows the traceback of an error as well"),
    (
        "SMART_TRADER_AS_OF",
        "when the command starts",
        "time of a plain `dbt` command: ISO 8601, or seconds since 1970; `smart-trader run` takes `--as-of`",
    ),
    (
        "SMART_TRADER_RUN_ID",
        "dbt's invocation id",
        "name of a plain `dbt` command's run; `smart-trader run` takes `--run-id`",
    ),
    ("SMART_TRADER_BIN", "`.venv/bin` of the checkout", "folder of the programs that Airflow's tasks call"),
    ("SMART_TRADER_SOURCE", "BirdEye", "options of each Airflow run's steps: `--demo` for the made-up market"),
    ("SPARK_THRIFT_HOST", "`localhost`", "where the target `cluster` finds Spark's Thrift server"),
    ("SPARK_CONNECT_HOST", "`localhost`", "where the target `cluster` finds Spark Connect"),
)
SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("The lake and its Spark server", LakehouseSettings),
    ("BirdEye", ApiSettings),
    ("A lake on S3", StoreSettings),
    ("The processes of a Spark cluster", ClusterSettings),
)


@dataclass
class Documented:
    """Vars that one comment describes.

    Attributes:
        comment: The comment's text, on one line.
        defaults: Each var's value as it is written in the file.
    """

    comment: str
    defaults: dict[str, str] = field(default_factory=dict)


def documented_vars(text: str) -> list[Documented]:
    """Return the vars of a dbt_project.yml in the file's order, with the comment above each.

    Vars that follow each other without a comment between them share the one above.

    Raises:
        ValueError: A var has no comment above it.
    """
    values = yaml.safe_load(text)["vars"]
    block = text[text.index("\nvars:\n") + len("\nvars:\n") :]
    found: list[Documented] = []
    comment: list[str] = []
    for line in block.splitlines():
        if re.match(r"\S", line):
            break
        if line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
        elif not line.strip():
            comment = []
        elif name := re.match(r"  (\w+):", line):
            if comment:
                found.append(Documented(" ".join(comment).strip()))
                comment = []
            if not found:
                raise ValueError(f"var {name[1]} has no comment above it")
            found[-1].defaults[name[1]] = _written(values[name[1]], line.partition(":")[2].strip())
    return found


def _written(value: Any, raw: str) -> str:
    if isinstance(value, dict):
        return ", ".join(f"`{key}` {item}" for key, item in value.items())
    return "`null`" if value is None else f"`{raw}`"


def allowed(field_schema: dict[str, Any]) -> str:
    """Return what a var may be, from its JSON schema."""
    options = field_schema.get("anyOf", [field_schema])
    words = [_range(option) for option in options]
    return " or ".join(word for word in words if word)


def _range(option: dict[str, Any]) -> str:
    if option.get("type") == "null":
        return "`null`"
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option.get("type") == "boolean":
        return "`true`, `false`"
    if option.get("type") == "object":
        return f"each {_range(option['additionalProperties'])}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {option[name]:,g}" for name, sign in signs.items() if name in option)
    kind = {"integer": "whole number", "number": "number", "string": "text"}[option["type"]]
    return f"{kind} {bounds}".strip()


def variable_names(settings: type[BaseSettings], name: str, info: FieldInfo) -> list[str]:
    """Return the environment variables of a field, the first one first."""
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str) and choice.isupper()]
    return [alias] if isinstance(alias, str) else [f"{settings.model_config['env_prefix']}{name}".upper()]
