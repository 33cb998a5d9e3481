"""Lengths of time as people write and read them: 45 s, 6 minutes, 13h, in 3 days."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import click

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST = timedelta(days=36_500)
# From so many of a unit on the next larger one is shown: 26 hours says more of a daily run than 1 day does.
FEWEST_SHOWN = 2

_WRITTEN = re.compile(r"([0-9]+(?:[.][0-9]+)?)([smhd])", re.ASCII)
_NAMES = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def duration_text(seconds: float) -> str:
    """Write a length of time in the largest unit of which there are two or more: 26 hours, 3 days, 90 seconds."""
    for name, size in _NAMES:
        if seconds >= FEWEST_SHOWN * size:
            return f"{round(seconds / size)} {name}s"
    return "1 second" if seconds >= 1 else "less than a second"


def short_duration(seconds: float) -> str:
    """Write how long some work took: 10.7 s, or 12 min 40 s from ten minutes on."""
    if seconds < 10 * UNITS_S["m"]:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), UNITS_S["m"])
    return f"{minutes:,} min {rest} s"


def parse_duration(text: str) -> timedelta:
    """Read a length of time such as 13h, 90m, 2d or 30s.

    Raises:
        ValueError: It is none, or is longer than a century.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    length = timedelta(seconds=float(found[1]) * UNITS_S[found[2]])
    if not timedelta() < length <= LONGEST:
        raise ValueError(text)
    return length


class DurationType(click.ParamType[timedelta]):
    """A length of time on a command line."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Turn the text into a length of time."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except (ValueError, OverflowError):
            self.fail(f"{value[:100]!r} is no length of time such as 13h, 90m or 2d", param, ctx)
