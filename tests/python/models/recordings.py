"""Recorded swaps as bronze rows; the recordings are beside the project or nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from loaders.tables import TRANSACTION_HISTORY, Column, Kind
from tests.python.support.engine import PROJECT

SAMPLES = PROJECT.parent / "shared" / "birdeye" / "samples"


class Digits(str):
    """A number as it was written."""

    __slots__ = ()


def read_items(path: Path) -> list[dict[str, Any]]:
    """Read a recorded response, or a bare list of rows; fractions keep their digits."""
    found = json.loads(path.read_text(), parse_float=Digits)
    return found if isinstance(found, list) else list(found["data"]["items"])


def bronze_swaps(wallet: str, items: list[dict[str, Any]], at: datetime) -> Iterator[dict[str, Any]]:
    """Turn one page of a wallet's swaps into rows, as the loader does."""
    seen: dict[str, int] = {}
    for item in items:
        text = json.dumps(item, sort_keys=True)
        seen[text] = seen.get(text, 0) + 1
        legs = {
            f"{leg}__{column.name}": _value(column, item[leg])
            for leg, columns in (TRANSACTION_HISTORY.legs or {}).items()
            for column in columns
        }
        yield {
            "fetch_id": f"swaps:{wallet}:{at.isoformat()}:complete",
            "data_source": "replay",
            "wallet_address": wallet,
            "fetched_at": at,
            "landed_at": at,
            "occurrence": seen[text],
            **{column.name: _value(column, item) for column in TRANSACTION_HISTORY.fields},
            **legs,
        }


def _value(column: Column, fields: dict[str, Any]) -> Any:
    value = fields.get(column.name)
    if value is None or column.kind in (Kind.INTEGER, Kind.UNIX_TIME, Kind.FLAG):
        return value
    return json.dumps(value) if column.kind is Kind.JSON else str(value)
