"""Reads what the page shows: each table once, and of the large ones only the rows of the wallets shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.lake.delta import is_one_of
from smart_trader.lake.identity import read_identity
from smart_trader.lake.reader import Lake, rows_of

Row = dict[str, Any]
SEVERITIES = ("hard", "cap", "soft")
# The order that the FIFO engine takes; missing blocks come last.
TRADE_ORDER = ("wallet_address", "token_address", "block_unix_time", "block_number", "side", "tx_hash")
TRADE_COLUMNS = (*TRADE_ORDER, "quantity", "value_usd", "is_basis_unknown", "decimals", "load_batch")
STANDING_COLUMNS = (
    "wallet_address", "calculation_date", "is_listed", "unlisted_reason", "is_qualified", "failed_rules", "grade",
    "flags", "uncapped_tier", "skill_low", "total_pnl", "roi", "win_rate", "trade_count", "basis_coverage",
    "data_source",
    "data_source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows that the page is made of.

    Attributes:
        data_source: Where the lake's rows come from; None while that is not known.
        settings: The project's settings.
        board: The rows of the leaderboard that are shown, best first, former traders last.
        board_count: How many wallets the leaderboard ranks.
        former_count: How many it keeps that it once ranked.
        standings: Where every evaluated wallet stands.
        scores: What the grade of each shown wallet is made of.
        flags: The flags of every wallet, hard ones first.
        positions: The positions of each shown wallet's newest calculation.
        trades: The trades that those calculations knew, in the order of the FIFO engine.
        history: Past standings of each shown wallet, the newest first.
        symbols: Symbol by token address, as strangers chose it.
        minimums: What qualification takes, by rule.
        runs: The steps of every run.
        forward: What the wallets' buys came to in the newest closed window, each with its score.
    """

    data_source: str | None
    settings: ProjectVariables
    board: Sequence[Row]
    board_count: int
    former_count: int
    standings: Sequence[Row]
    scores: Mapping[str, Row]
    flags: Sequence[Row]
    positions: Mapping[str, Sequence[Row]]
    trades: pa.Table
    history: Mapping[str, Sequence[Row]]
    symbols: Mapping[str, str]
    minimums: Mapping[str, float]
    runs: Sequence[Row]
    forward: Sequence[Row]


def read_page(lake: Lake, top: int) -> Reading:
    """Read the rows of the first wallets of the list, and those of all that are counted.

    Raises:
        SmartTraderError: There is no list yet, or the project's settings cannot be read.
    """
    # nulls come last, and a former trader has no rank
    ranked = [("overall_rank", "ascending"), ("wallet_address", "ascending")]
    everybody = rows_of(lake.read("gold", "leaderboard").sort_by(ranked))
    board = everybody[:top]
    ranked_count = sum(not row["former"] for row in everybody)
    wallets = [row["wallet_address"] for row in board]
    mine = is_one_of("wallet_address", wallets)
    newest = {row["wallet_address"]: row["calculation_date"] for row in board}
    identity = read_identity(lake.paths)
    positions = _of_newest(_rows(lake, "silver", "position_pnl", where=mine), newest)
    trades = _trades(lake, mine, newest)
    return Reading(
        identity.source if identity else None,
        read_variables(ProjectVariables),
        board,
        ranked_count,
        len(everybody) - ranked_count,
        _rows(lake, "gold", "wallet_standings", STANDING_COLUMNS),
        {row["wallet_address"]: row for row in _rows(lake, "gold", "skill_scores", where=mine)},
        sorted(
            _rows(lake, "gold", "wallet_flags"),
            key=lambda row: (SEVERITIES.index(row["severity"]), row["flag"], row["wallet_address"]),
        ),
        positions,
        trades,
        _history(lake, mine),
        _symbols(lake, {row["token_address"] for rows in positions.values() for row in rows}),
        {row["metric"]: float(row["minimum"]) for row in _rows(lake, "silver", "qualification_minimums")},
        _rows_if_there(lake, "bronze", "pipeline_runs"),
        _forward(lake),
    )


def _rows(
    lake: Lake, schema: str, table: str, columns: Sequence[str] | None = None, where: pc.Expression | None = None
) -> list[Row]:
    """Return rows of a table, with those of the columns that it has.

    Raises:
        SmartTraderError: It is not there: without it the page would say what is not so.
    """
    if columns is not None:
        there = set(lake.delta(schema, table).schema().to_arrow().names)
        columns = [name for name in columns if name in there]
    return rows_of(lake.read(schema, table, columns, where))


def _rows_if_there(
    lake: Lake, schema: str, table: str, columns: Sequence[str] | None = None, where: pc.Expression | None = None
) -> list[Row]:
    """Return rows of a table; none where a lake does not have it yet, which the page says."""
    return _rows(lake, schema, table, columns, where) if lake.has(schema, table) else []


def _of_newest(rows: Iterable[Row], newest: Mapping[str, datetime]) -> dict[str, list[Row]]:
    """Return by wallet the rows of the calculation that the leaderboard shows."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["calculation_date"] == newest[row["wallet_address"]]:
            found[row["wallet_address"]].append(row)
    return found


def _trades(lake: Lake, mine: pc.Expression, newest: Mapping[str, datetime]) -> pa.Table:
    """Return the trades that the shown calculations knew.

    Swaps may have been taken in since: they are in no figure of gold yet.
    """
    trades = lake.read("silver", "wallet_trades", TRADE_COLUMNS, mine)
    covered = {
        row["wallet_address"]: row["covered_batch"]
        for row in _rows(
            lake, "silver", "pnl_due_wallets", ("wallet_address", "calculation_date", "covered_batch"), mine
        )
        if row["calculation_date"] == newest[row["wallet_address"]]
    }
    limits = pa.table(
        {
            "wallet_address": pa.array(list(covered), pa.string()),
            "covered_batch": pa.array(list(covered.values()), pa.int64()),
        }
    )
    joined = trades.join(limits, "wallet_address", join_type="inner")
    known = joined.filter(pc.less_equal(joined["load_batch"], joined["covered_batch"]))
    # where a transaction nets to nothing its side is null; the engine passes over it
    known = known.set_column(known.schema.get_field_index("side"), "side", pc.fill_null(known["side"], "buy"))
    return known.sort_by([(name, "ascending") for name in TRADE_ORDER])


def _history(lake: Lake, mine: pc.Expression) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(
        _rows_if_there(lake, "gold", "standing_history", where=mine), key=lambda one: one["scored_at"], reverse=True
    ):
        found[row["wallet_address"]].append(row)
    return found


def _symbols(lake: Lake, tokens: set[str]) -> dict[str, str]:
    named = is_one_of("token_address", sorted(tokens))
    rows = _rows_if_there(lake, "silver", "tokens", ("token_address", "symbol"), named)
    return {row["token_address"]: row["symbol"] for row in rows if row.get("symbol")}


def _forward(lake: Lake) -> list[Row]:
    """Return score and result of each wallet of the newest window that has closed."""
    returns = _rows_if_there(
        lake, "gold", "forward_returns", ("scored_at", "wallet_address", "window_end", "forward_return")
    )
    if not returns:
        return []
    scored_at = max(row["scored_at"] for row in returns)
    at = pc.field("scored_at") == scored_at
    scores = {
        row["wallet_address"]: row["skill_low"]
        for row in _rows_if_there(lake, "gold", "standing_history", ("wallet_address", "skill_low", "scored_at"), at)
    }
    return [{**row, "skill_low": scores.get(row["wallet_address"])} for row in returns if row["scored_at"] == scored_at]
