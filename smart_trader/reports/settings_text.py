"""Writes the settings for a person: a list with values and origins, or one setting with what it decides."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from smart_trader.config.listing import PIPELINE, Setting
from smart_trader.console import one_line
from smart_trader.reports.status_text import text_width

GAP = "  "
# The place of the value among a line's cells.
VALUE = 1
SEEDS = "Tiers, minimums, known programs and the watchlist are seeds: seeds/*.csv"


def settings_text(settings: Sequence[Setting]) -> str:
    """Write all settings, each with value, unit and origin."""
    blocks = []
    for section, group in groupby(settings, lambda setting: setting.section):
        lines = [line for setting in group for line in _lines_of(setting)]
        blocks.append("\n".join([section, *_rows(lines)]))
    return "\n\n".join([*blocks, f"{SEEDS}\nOne setting, with what it decides: smart-trader config NAME"])


def _rows(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines in columns; what follows a value that leaves no room stands in a line of its own, below."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = text_width() - sum(width + len(GAP) for width in widths) + widths[VALUE]
    widths[VALUE] = max((len(line[VALUE]) for line in lines if len(line[VALUE]) <= room), default=0)
    for line in lines:
        parts = [line] if len(line[VALUE]) <= room else [line[: VALUE + 1], ["", "", *line[VALUE + 1 :]]]
        for cells in parts:
            padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False) if width]
            yield "".join(GAP + cell for cell in padded).rstrip()


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
