"""Writes the settings for a person: a list with values and origins, or one setting with what it decides."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from smart_trader.config.listing import PIPELINE, Setting
from smart_trader.console import one_line
from smart_trader.reports.status_text import text_width

# Columns of a value; a longer one takes what it needs.
VALUE_WIDTH = 24
SEEDS = "Tiers, minimums, known programs and the watchlist are seeds: seeds/*.csv"


def settings_text(settings: Sequence[Setting]) -> str:
    """Write all settings, each with value, unit and origin."""
    blocks = []
    for section, group in groupby(settings, lambda setting: setting.section):
        lines = [line for setting in group for line in _lines_of(setting)]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        # one long value, say a path, must not push all origins off the screen
        widths[1] = min(widths[1], VALUE_WIDTH)
        blocks.append("\n".join([section, *(_row(line, widths) for line in lines)]))
    return "\n\n".join([*blocks, f"{SEEDS}\nOne setting, with what it decides: smart-trader config NAME"])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    row = "  ".join(["", *padded, cells[-1]]).rstrip()
    # what would not fit gives up its place below the others
    return row if len(row) <= text_width() else "  ".join(["", *filter(None, cells)])


def _lines_of(setting: Setting) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value, unit and origin; a setting of several values has a line for each."""
    if not isinstance(setting.value, dict):
        unit = setting.unit if setting.value is not None else ""
        yield setting.name, _own_text(setting), unit, setting.origin
        return
    yield setting.name, "", "", setting.origin
    for key, value in setting.value.items():
        yield f"  {key}", value_text(value), setting.unit, ""


def _own_text(setting: Setting) -> str:
    """Write a setting's value; a whole number that counts nothing is a port."""
    is_port = isinstance(setting.value, int) and not setting.unit and setting.section != PIPELINE
    return str(setting.value) if is_port and not isinstance(setting.value, bool) else value_text(setting.value)


def value_text(value: Any) -> str:
    """Write a value for a person: null, true, 0.3, 1,000,000."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{int(value):,}"
    return one_line(str(value))


def setting_text(setting: Setting) -> str:
    """Write one setting with what it decides, what it may be, and where its value comes from."""
    value = ", ".join(f"{key} {item}" for key, item in setting.value.items()) if isinstance(setting.value, dict) else ""
    facts = {
        "value": " ".join(filter(None, (value or _own_text(setting), setting.unit))),
        "set in": setting.origin,
        "may be": setting.allowed,
        "decides": setting.meaning,
    }
    lines = [setting.name]
    for label, text in facts.items():
        lines += textwrap.wrap(
            text,
            text_width(),
            initial_indent=f"  {label:9}",
            subsequent_indent=" " * 11,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
