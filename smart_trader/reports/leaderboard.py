"""The ranked traders, best first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.calibration import calibration_sentence
from smart_trader.reports.text_table import columns_text, plain_value

BOARD = {
    "overall_rank": "rank",
    "tier": "tier",
    "grade": "grade",
    "wallet_address": "wallet",
    "skill_low": "skill_low",
    "smart_trader_score": "score",
    "total_pnl": "total_pnl",
    "win_rate": "win_%",
}


def leaderboard_rows(lake: Lake, top: int | None) -> list[dict[str, Any]]:
    """Return the leaderboard, best first; former traders come last.

    Raises:
        SmartTraderError: There is none yet.
    """
    table = lake.read("gold", "leaderboard").sort_by([("overall_rank", "ascending"), ("wallet_address", "ascending")])
    # nulls come last, and a former trader has no rank
    return rows_of(table.slice(0, top) if top is not None else table)


def leaderboard_text(lake: Lake, top: int | None, form: str) -> str:
    """Write the leaderboard as csv, as json, or as a table with what is known of its worth.

    Raises:
        SmartTraderError: There is none yet, or the project's settings cannot be read.
    """
    rows = leaderboard_rows(lake, top)
    if form == "json":
        return json.dumps(rows, default=plain_value, indent=1)
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]) if rows else list(BOARD), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: plain_value(value) for name, value in row.items()} for row in rows)
        return out.getvalue().rstrip("\n")
    return f"{_table(rows)}\n{calibration_sentence(lake)}"


def _table(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "no wallet is listed"
    # a leaderboard of an earlier version has fewer columns
    shown = [{head: row.get(name) for name, head in BOARD.items()} for row in rows]
    for row, source in zip(shown, rows, strict=True):
        row["rank"] = "former" if source["former"] else row["rank"]
    if any(source["former"] for source in rows):
        for row, source in zip(shown, rows, strict=True):
            row["why_former"] = source.get("former_reason") or ""
    return columns_text(shown)
