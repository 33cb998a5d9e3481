"""Writes docs/settings.md: every setting, its default and its meaning, from where each is defined.

The pipeline's settings are the vars of dbt_project.yml with the comments above them, and their ranges are those of
`ProjectVariables`. What describes the machine is in the settings classes, with a description for each field.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from smart_trader.config.documented import ENVIRONMENT_ONLY, SECTIONS, allowed, documented_vars, variable_names
from smart_trader.config.variables import ProjectVariables

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "settings.md"
COMMAND = "python tools/settings_docs.py"
INTRODUCTION = f"""<!-- Written by: {COMMAND} -->
# Settings

Two kinds: what the pipeline does is in `dbt_project.yml`; what describes a machine is in environment variables or
`.env`. Tiers, minimums, known programs and the watchlist are seeds: `seeds/*.csv`.

## The pipeline

The `vars` of `dbt_project.yml`, which dbt and the loaders both read. `--var NAME=VALUE` changes one run. An unknown
name and a value out of its range are refused before anything starts. `smart-trader config` shows all settings as
they are now, and where each value comes from.

"""
MACHINE = """
## The machine

Environment variables, or lines of `.env` (copy `.env.example`); the environment wins. A value that cannot be used is
refused by name. Plain `dbt` does not read `.env`: `eval "$(.venv/bin/smart-trader lakehouse env)"` exports what it
needs and, while the server runs, `LAKEHOUSE_JDBC_URL` for JDBC clients; nothing reads that one.

"""


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
