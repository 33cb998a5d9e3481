"""The ranked traders, best first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.text_table import columns_text, plain_value

BOARD = {
    "overall_rank": "rank",
    "tier": "tier",
    "wallet_address": "wallet",
    "smart_trader_score": "score",
    "total_pnl": "total_pnl",
    "realized_pnl": "realized",
    "roi": "roi_%",
    "win_rate": "win_%",
    "trade_count": "trades",
}


def leaderboard_rows(lake: Lake, top: int | None) -> list[dict[str, Any]]:
    """Return the leaderboard, best first; wallets that no longer qualify come last.

    Raises:
        SmartTraderError: There is none yet.
    """
    table = lake.read("gold", "leaderboard").sort_by([("overall_rank", "ascending"), ("wallet_address", "ascending")])
    # nulls come last, and a wallet without a rank no longer qualifies
    return rows_of(table.slice(0, top) if top is not None else table)


def leaderboard_text(rows: Sequence[dict[str, Any]], form: str) -> str:
    """Write the leaderboard as table, csv or json."""
    if form == "json":
        return json.dumps(rows, default=plain_value, indent=1)
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]) if rows else list(BOARD), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: plain_value(value) for name, value in row.items()} for row in rows)
        return out.getvalue().rstrip("\n")
    if not rows:
        return "no wallet qualifies"
    shown = [{head: row[name] for name, head in BOARD.items()} for row in rows]
    for row, source in zip(shown, rows, strict=True):
        row["rank"] = "former" if source["former"] else row["rank"]
    return columns_text(shown)
