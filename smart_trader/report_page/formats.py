"""How the page's template writes values; its script has the same in `numbers.js`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from smart_trader.console import one_line

NONE = "–"  # noqa: RUF001  what the page shows where there is no value


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


FILTERS: dict[str, Callable[..., str]] = {
    "moment": moment,
    "day": day,
    "share": share,
    "money": money,
    "number": number,
    "short": short,
    "one_line": one_line,
}
