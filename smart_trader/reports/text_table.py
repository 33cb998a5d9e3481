"""Writes values and rows as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

LEFT = {
    "tier",
    "grade",
    "wallet",
    "why_former",
    "token",
    "mark",
    "kind",
    "step",
    "outcome",
    "calculated",
    "work list",
    "next due",
    "run",
    "table",
}
SHOWN_ITEMS = 10


def columns_text(rows: Sequence[dict[str, Any]]) -> str:
    """Write rows in columns, numbers to the right."""
    heads = list(rows[0])
    cells = [[cell_text(row[head]) for head in heads] for row in rows]
    widths = [max(len(head), *(len(line[index]) for line in cells)) for index, head in enumerate(heads)]
    lines = []
    for line in [heads, *cells]:
        padded = (
            text.ljust(width) if head in LEFT else text.rjust(width)
            for text, width, head in zip(line, widths, heads, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def cell_text(value: Any) -> str:
    """Write one value for a person."""
    if value is None:
        return "-"
    if isinstance(value, Decimal | float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def plain_value(value: Any) -> Any:
    """Return what JSON and CSV can hold: decimals as numbers' own text, timestamps in ISO 8601."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else value


def listed(items: Sequence[str]) -> str:
    """Write the first of some items, and how many more there are."""
    more = f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else ""
    return "; ".join(items[:SHOWN_ITEMS]) + more
