"""A lake of a few rows: two tables, and a view on each other's ground."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.identity import LakeIdentity, write_identity

AT = datetime(2026, 9, 21, 9, 30, tzinfo=UTC)
# A name as a stranger may give it: it moves the cursor, opens a table's cell, and turns the direction of writing.
HOSTILE = "\x1b[2Jpi|pe \u202e<b>,\"'\n_x_"
ROWS: list[dict[str, Any]] = [
    {"wallet_address": "a", "name": "plain", "total_pnl": Decimal("12.500001"), "seen_at": AT},
    {"wallet_address": "b", "name": HOSTILE, "total_pnl": Decimal("-0.000001"), "seen_at": None},
]
SCHEMA = pa.schema(
    {
        "wallet_address": pa.string(),
        "name": pa.string(),
        "total_pnl": pa.decimal128(38, 6),
        "seen_at": pa.timestamp("us", "UTC"),
    }
)
VIEWS = {
    "gold.earners": "select wallet_address, total_pnl from gold.leaderboard where total_pnl > 0",
    "gold.counts": "select count(*) as n, cast(count_if(total_pnl > 0) as int) as earners from gold.leaderboard",
}


def make_small_lake(home: Path, source: str | None = "sandbox", prefix: str = "") -> LakePaths:
    """Write the lake; returns its paths."""
    paths = LakePaths(home, str(home))
    home.mkdir(parents=True, exist_ok=True)
    write_identity(paths, LakeIdentity.new(source), prefix)
    for schema, table in (("gold", "leaderboard"), ("silver", "positions")):
        append(paths.table(f"{prefix}{schema}", table), ROWS)
    views = {f"{prefix}{name}": sql.replace(" gold.", f" {prefix}gold.") for name, sql in VIEWS.items()}
    (home / "_views.json").write_text(json.dumps({name: {"sql": sql} for name, sql in views.items()}))
    return paths


def append(location: str, rows: list[dict[str, Any]], mode: str = "append") -> None:
    """Commit rows to a table."""
    Path(location).mkdir(parents=True, exist_ok=True)
    write_deltalake(location, pa.Table.from_pylist(rows, SCHEMA), mode=mode)  # type: ignore[call-overload]


def files_of(home: Path) -> dict[str, bytes]:
    """Return every file of a lake with its content."""
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}
