"""Writes docs/settings.md: every setting, its default and its meaning, from where each is defined.

The pipeline's settings are the vars of dbt_project.yml with the comments above them, and their ranges are those of
`ProjectVariables`. What describes the machine is in the settings classes, with a description for each field.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from smart_trader.config.settings import ApiSettings, ClusterSettings, LakehouseSettings, StoreSettings
from smart_trader.config.variables import ProjectVariables

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "settings.md"
COMMAND = "python tools/settings_docs.py"
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
INTRODUCTION = f"""<!-- Written by: {COMMAND} -->
# Settings

Two kinds: what the pipeline does is in `dbt_project.yml`; what describes a machine is in environment variables or
`.env`. Tiers, minimums, known programs and the watchlist are seeds: `seeds/*.csv`.

## The pipeline

The `vars` of `dbt_project.yml`, which dbt and the loaders both read. `--var NAME=VALUE` changes one run. An unknown
name and a value out of its range are refused before anything starts.

"""
MACHINE = """
## The machine

Environment variables, or lines of `.env` (copy `.env.example`); the environment wins. A value that cannot be used is
refused by name. Plain `dbt` does not read `.env`: `eval "$(.venv/bin/smart-trader lakehouse env)"` exports what it
needs and, while the server runs, `LAKEHOUSE_JDBC_URL` for JDBC clients; nothing reads that one.

"""
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


def _default(info: FieldInfo) -> str:
    """Return a field's default as a user would set it."""
    if info.is_required():
        return "required"
    return (
        ""
        if info.default is None
        else f"`{str(info.default).lower() if info.default in (True, False) else info.default}`"
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in cells)


def page() -> str:
    """Return the text of docs/settings.md."""
    properties = ProjectVariables.model_json_schema()["properties"]
    variables = [
        (
            ", ".join(f"`{name}`" for name in group.defaults),
            "; ".join(group.defaults.values()),
            "; ".join(dict.fromkeys(allowed(properties[name]) for name in group.defaults)),
            group.comment,
        )
        for group in documented_vars((PROJECT / "dbt_project.yml").read_text())
    ]
    text = INTRODUCTION + _table(("var", "default", "allowed", "meaning"), variables) + MACHINE
    for title, settings in SECTIONS:
        rows = [
            (
                " or ".join(f"`{variable}`" for variable in variable_names(settings, name, info)),
                _default(info),
                info.description or "",
            )
            for name, info in settings.model_fields.items()
        ]
        undocumented = [row[0] for row in rows if not row[2]]
        if undocumented:
            raise ValueError(f"no description of {', '.join(undocumented)} in {settings.__name__}")
        text += f"### {title}\n\n{_table(('variable', 'default', 'meaning'), rows)}\n"
    text += "### In the environment only\n\n"
    return text + _table(
        ("variable", "default", "meaning"), [(f"`{name}`", *words) for name, *words in ENVIRONMENT_ONLY]
    )


def main() -> int:
    """Write the page, or compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/settings.md from where the settings are defined.")
    parser.add_argument("file", nargs="?", type=Path, default=PAGE, help="default: docs/settings.md")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file is stale")
    options = parser.parse_args()
    text = page()
    if not options.check:
        options.file.parent.mkdir(exist_ok=True)
        options.file.write_text(text)
        return 0
    if options.file.is_file() and options.file.read_text() == text:
        return 0
    print(f"error: {options.file} is not what the settings say now\n  fix: {COMMAND}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
