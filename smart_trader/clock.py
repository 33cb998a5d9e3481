"""Moments in time as people write them: ISO 8601 or unix seconds, always UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from smart_trader.errors import SettingsError


def parse_moment(text: str) -> datetime:
    """Read `2026-01-31`, `2026-01-31T09:00:00Z` or unix seconds; without an offset it is UTC.

    Raises:
        SettingsError: It is none of these.
    """
    try:
        if text.strip().isdecimal():
            return datetime.fromtimestamp(int(text), UTC)
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError, OSError):
        raise SettingsError(
            f"{text!r} is no moment", "write it as 2026-01-31T09:00:00Z, or as seconds since 1970"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now() -> datetime:
    """Return this moment, to the second: what is asked of the API counts in seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class MomentType(click.ParamType[datetime]):
    """A moment on a command line."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Turn the text into a moment."""
        return value if isinstance(value, datetime) else parse_moment(value)
