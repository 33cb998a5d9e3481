"""Where two sets of rows differ, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# the writer's own fields take part in no equality
WRITERS_OWN = frozenset({"processed_at", "batch_id"})
KEY = ("wallet_address", "token_address")
# one unit of the last digit of decimal(38, 6)
ONE_UNIT = Decimal("0.000001")

Row = Mapping[str, Any]


def differences(
    expected: Iterable[Row],
    actual: Iterable[Row],
    rel: float = 1e-9,
    *,
    key: Sequence[str] = KEY,
    fields: Sequence[str] | None = None,
) -> list[str]:
    """List where actual rows are not the expected ones; nothing if they agree.

    Args:
        expected: The reference's rows.
        actual: Rows read from the lake; columns that were not expected are not looked at.
        rel: How far numbers may be apart, relative to the larger; one unit of the sixth decimal always passes.
        key: The fields that name a row.
        fields: What to compare; by default all fields of the expected rows but the writer's own.
    """
    wanted, doubled_wanted = by_key(expected, key)
    found, doubled_found = by_key(actual, key)
    lines = [f"{name(each)}: expected twice" for each in doubled_wanted]
    lines += [f"{name(each)}: there twice" for each in doubled_found]
    lines += [f"{name(each)}: missing" for each in sorted(wanted.keys() - found.keys())]
    lines += [f"{name(each)}: not expected" for each in sorted(found.keys() - wanted.keys())]
    for each in sorted(wanted.keys() & found.keys()):
        row = wanted[each]
        for column in fields or [column for column in row if column not in WRITERS_OWN]:
            if column not in found[each]:
                lines.append(f"{name(each)}: no {column}")
            elif not same(row[column], found[each][column], rel):
                lines.append(f"{name(each)}: {column} is {found[each][column]}, expected {row[column]}")
    return lines


def by_key(rows: Iterable[Row], key: Sequence[str]) -> tuple[dict[tuple[str, ...], Row], list[tuple[str, ...]]]:
    """Index rows; also return the keys that came more than once."""
    indexed: dict[tuple[str, ...], Row] = {}
    doubled = []
    for row in rows:
        values = tuple(str(row[column]) for column in key)
        if values in indexed:
            doubled.append(values)
        indexed[values] = row
    return indexed, doubled


def name(key: tuple[str, ...]) -> str:
    """Write a key for a reader."""
    return " ".join(key)


def same(expected: Any, actual: Any, rel: float) -> bool:
    """Compare two values: times as instants, counts and text exactly, other numbers within the tolerance."""
    if expected is None or actual is None:
        return expected is actual
    if isinstance(expected, datetime):
        return isinstance(actual, datetime) and as_utc(expected) == as_utc(actual)
    if isinstance(expected, bool | str):
        return bool(expected == actual)
    if isinstance(actual, bool | str) or not math.isfinite(actual):
        return False
    want, got = Decimal(str(expected)), Decimal(str(actual))
    if isinstance(expected, int):
        return want == got
    return abs(want - got) <= max(Decimal(str(rel)) * max(abs(want), abs(got)), ONE_UNIT)


def as_utc(time: datetime) -> datetime:
    """Read a time without a zone as UTC: that is what the lake keeps."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
