"""Where a lake's page lies, and whether it still shows what the lake holds; loads nothing of what writes a page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from smart_trader.config.schemas import schema_name
from smart_trader.lake.identity import schema_prefix
from smart_trader.lake.reader import Lake


def report_file(lake: Lake) -> Path:
    """Return where a lake's page lies unless another file is asked for."""
    return lake.paths.report_file(schema_prefix())


def is_current(page: Path, lake: Lake) -> bool:
    """Whether a page is there and younger than the newest commit of every gold table.

    A run that was killed between its last build and its page leaves one that is older.

    Raises:
        SmartTraderError: A table cannot be read.
    """
    if not page.is_file():
        return False
    written_at = datetime.fromtimestamp(page.stat().st_mtime, UTC)
    gold = schema_name("gold")
    tables = (lake.delta_at(schema, name) for schema, name in lake.derived_tables() if schema == gold)
    return all(_committed_at(table.history(1)[0]["timestamp"]) < written_at for table in tables)


def _committed_at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
