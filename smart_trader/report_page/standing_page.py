"""Says whether the page of an earlier run still shows what the lake holds; loads nothing of what writes a page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from smart_trader.config.schemas import schema_name
from smart_trader.lake.reader import Lake


def is_standing(page: Path, lake: Lake) -> bool:
    """Whether a page is there and younger than the newest commit of every gold table.

    A run that was killed between its last build and its page leaves one that is older.

    Raises:
        SmartTraderError: A table cannot be read.
    """
    try:
        written_at = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    except OSError:
        return False
    if not page.is_file():
        return False
    gold = schema_name("gold")
    tables = (lake.delta_at(schema, name) for schema, name in lake.derived_tables() if schema == gold)
    return all(_committed_at(table.history(1)[0]["timestamp"]) < written_at for table in tables)


def _committed_at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
