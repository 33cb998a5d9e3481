"""The ranked traders, best first: for a person as a table, for programs as csv, json, parquet or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smart_trader.clock import spelled
from smart_trader.lake.reader import Lake, rows_of
from smart_trader.reports.board_query import HEADS, BoardQuery, column_name, select_rows
from smart_trader.reports.calibration import calibration_sentence
from smart_trader.reports.data_source import source_of, source_warning
from smart_trader.reports.durations import duration_text
from smart_trader.reports.exports import csv_text, json_text, markdown_text, parquet_bytes
from smart_trader.reports.tables import PLAIN, Cell, Column, Screen, prose, table_text

SOURCE = "data_source"
# Columns of the table, and what goes first on a narrow terminal: the highest number.
TABLE = {
    "overall_rank": 0,
    "tier": 2,
    "grade": 0,
    "wallet_address": 0,
    "skill_low": 1,
    "smart_trader_score": 7,
    "total_pnl": 1,
    "win_rate": 5,
    "last_transaction": 3,
    "flags": 6,
}
FOLLOWED = "followed"
LEFT = {"tier", "uncapped_tier", "grade", "wallet_address", "flags", "former_reason", "failed_rules", SOURCE}
TIER_STYLES = {"ELITE": "bold magenta", "STRONG": "bold cyan", "PROMISING": "cyan"}
GRADE_STYLES = {"A": "bold green", "B": "green", "C": "yellow", "D": "dim", "X": "bold red"}


@dataclass(frozen=True, slots=True)
class Board:
    """The rows of the leaderboard that were asked for, and what there is to say of them.

    Attributes:
        rows: All columns of gold.leaderboard.
        columns: Names of those asked for; empty where none were.
        source: Where the rows come from.
        as_of: The newest calculation on the whole leaderboard; None where it is empty.
        total: Rows of the whole leaderboard.
    """

    rows: pa.Table
    columns: Sequence[str]
    source: str
    as_of: datetime | None
    total: int


def read_board(lake: Lake, query: BoardQuery) -> Board:
    """Read the leaderboard and select from it; former traders come last unless it is sorted otherwise.

    Raises:
        SmartTraderError: There is no leaderboard yet, or the query names what it does not have.
    """
    board = lake.read("gold", "leaderboard")
    columns = [column_name("--columns", text, board.schema.names) for text in query.columns]
    as_of = pc.max(board["calculation_date"]).as_py() if "calculation_date" in board.schema.names else None
    found = board[SOURCE].to_pylist() if SOURCE in board.schema.names else []
    tiers = lake.read("silver", "trader_tiers").sort_by("tier_rank") if lake.has("silver", "trader_tiers") else None
    rows = select_rows(board, query, tiers["tier"].to_pylist() if tiers is not None else [])
    return Board(rows, list(dict.fromkeys(columns)), source_of(lake, found), as_of, board.num_rows)


def board_text(lake: Lake, board: Board, form: str, screen: Screen) -> str:
    """Write the leaderboard as text; each form says whether its rows are real.

    Raises:
        SmartTraderError: The project's settings cannot be read.
    """
    if form == "csv":
        return csv_text(_exported(board))
    if form == "json":
        return json_text(rows_of(_exported(board)))
    if form == "markdown":
        return _markdown(board)
    return "\n".join([*_warning(board, screen), _table(board, screen), *_footer(lake, board, screen)])


def board_parquet(board: Board) -> bytes:
    """Write the leaderboard as a parquet file."""
    return parquet_bytes(_exported(board), {SOURCE: board.source})


def leaderboard_text(lake: Lake, top: int | None, screen: Screen = PLAIN) -> str:
    """Write the best of the leaderboard as a table.

    Raises:
        SmartTraderError: There is none yet, or the project's settings cannot be read.
    """
    return board_text(lake, read_board(lake, BoardQuery(top=top)), "table", screen)


def _exported(board: Board) -> pa.Table:
    """Return the columns for other programs; the source is always one of them."""
    rows = board.rows
    if SOURCE in rows.schema.names:
        # a lake that states what it holds says it for rows that do not
        index = rows.schema.get_field_index(SOURCE)
        rows = rows.set_column(index, rows.schema.field(SOURCE), pc.fill_null(rows[SOURCE], board.source))
    else:
        rows = rows.append_column(SOURCE, pa.array([board.source] * rows.num_rows, pa.string()))
    return rows.select(list(dict.fromkeys([*board.columns, SOURCE]))) if board.columns else rows


def _shown_columns(board: Board) -> dict[str, int]:
    """Return the columns of the table with their priorities."""
    if board.columns:
        # the first one asked for stays, and the wallet does; of the others the last goes first
        return {name: 0 if name == "wallet_address" else place for place, name in enumerate(board.columns)}
    # a leaderboard of an earlier version has fewer columns
    known = board.rows.schema.names
    shown = {name: priority for name, priority in TABLE.items() if name in known and (name != "flags" or _flags(board))}
    return shown | ({"former_reason": 4} if any(board.rows["former"].to_pylist()) else {})


def _flags(board: Board) -> set[str]:
    """Return the flags that any of the rows has."""
    if "flags" not in board.rows.schema.names:
        return set()
    return {flag for flags in board.rows["flags"].to_pylist() if flags for flag in flags.split(", ")}


def _table(board: Board, screen: Screen) -> str:
    if not board.total:
        return "no wallet is listed"
    if not board.rows.num_rows:
        return f"none of the {board.total} wallets on the leaderboard is what was asked for"
    shown = _shown_columns(board)
    columns = [
        Column(HEADS.get(name, name), "left" if name in LEFT else "right", priority, name == "wallet_address")
        for name, priority in shown.items()
    ]
    cells = [[_cell(row, name) for name in shown] for row in rows_of(board.rows)]
    return table_text(columns, cells, screen)


def _markdown(board: Board) -> str:
    shown = list(_shown_columns(board))
    rows = [[_cell(row, name).text for name in shown] for row in rows_of(board.rows)]
    right = {index for index, name in enumerate(shown) if name not in LEFT}
    warning = source_warning(board.source)
    lines = [f"> **{warning}**", ""] if warning else []
    return "\n".join([*lines, markdown_text([HEADS.get(name, name) for name in shown], rows, right=right)])


def _warning(board: Board, screen: Screen) -> list[str]:
    warning = source_warning(board.source)
    return [prose(warning, screen, style="bold yellow")] if warning else []


def _footer(lake: Lake, board: Board, screen: Screen) -> list[str]:
    lines = []
    if FOLLOWED in _flags(board):
        lines.append(
            prose("Wallets flagged followed stand last in their tier: a copier pays more.", screen, style="dim")
        )
    if board.as_of is not None:
        counted = f"{board.rows.num_rows} of {board.total} wallets" if board.rows.num_rows < board.total else ""
        age = _age_text(datetime.now(UTC) - board.as_of) if screen.width is not None else ""
        facts = [counted, f"data of {spelled(board.as_of)}{age}", f"source {board.source}"]
        lines.append(prose(", ".join(fact for fact in facts if fact), screen, style="dim"))
    return [*lines, prose(calibration_sentence(lake), screen)]


def _age_text(age: timedelta) -> str:
    """Write how old data is; nothing where a made-up clock runs ahead of this machine's."""
    seconds = age.total_seconds()
    return f" ({duration_text(seconds)} old)" if seconds >= 0 else ""


def _cell(row: dict[str, Any], name: str) -> Cell:
    value = row[name]
    if name == "overall_rank":
        return Cell("former", "dim") if row.get("former") else Cell(str(value))
    if value is None:
        return Cell("-" if name not in LEFT else "", "dim")
    if name == "tier":
        return Cell(value, TIER_STYLES.get(value, ""))
    if name == "grade":
        return Cell(value, GRADE_STYLES.get(value, ""))
    if name == "wallet_address":
        return Cell(value, "dim" if row.get("former") else "")
    return Cell(_figure(value, name), "red" if _is_loss(value) else "")


def _is_loss(value: Any) -> bool:
    return isinstance(value, Decimal) and value < 0


def _figure(value: Any, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    if isinstance(value, float):
        # shares and returns, as fractions of 1: what --min takes
        return f"{value:,.3f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if name == "last_transaction" else f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else str(value)
