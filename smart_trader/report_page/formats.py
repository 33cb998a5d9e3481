"""How the page's template writes values; its script has the same in `numbers.js`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from markupsafe import Markup

from smart_trader.console import one_line

NONE = "–"  # noqa: RUF001  what the page shows where there is no value
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})")
WHOLE_DATE = Markup('<span class="date">{}</span>')


def moment(value: datetime | None) -> str:
    """Write a timestamp to the minute."""
    return NONE if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def day(value: datetime) -> str:
    """Write a timestamp's day."""
    return f"{value:%Y-%m-%d}"


def share(value: float | None) -> str:
    """Write a share as percent with its sign."""
    return NONE if value is None else f"{100 * value:+,.1f} %"


def money(value: Any) -> str:
    """Write USD: to the cent below a thousand."""
    if value is None:
        return NONE
    return f"{float(value):,.0f}" if abs(float(value)) >= 1000 else f"{float(value):,.2f}"


def number(value: float | None, places: int = 2) -> str:
    """Write a number with so many places."""
    return NONE if value is None else f"{value:,.{places}f}"


def short(address: str) -> str:
    """Write an address by its two ends."""
    return address if len(address) <= 11 else f"{address[:5]}…{address[-4:]}"


def counted(count: int, noun: str) -> str:
    """Write a number of things, one thing without the plural's s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def whole_dates(text: str) -> Markup:
    """Escape a text, and keep the lines from breaking at the hyphens of its dates."""
    parts = DATE.split(text)
    return Markup().join(WHOLE_DATE.format(part) if index % 2 else part for index, part in enumerate(parts))


FILTERS: dict[str, Callable[..., str]] = {
    "moment": moment,
    "day": day,
    "share": share,
    "money": money,
    "number": number,
    "short": short,
    "one_line": one_line,
    "counted": counted,
    "whole_dates": whole_dates,
}
