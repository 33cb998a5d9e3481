"""Which rows and columns of the leaderboard are wanted, and in which order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from smart_trader.addresses import shown
from smart_trader.errors import SettingsError
from smart_trader.lake.reader import rows_of
from smart_trader.reports.grades import GRADES

# What a person may call a column instead of its name in gold.leaderboard; the heads of the table are these.
ALIASES = {
    "rank": "overall_rank",
    "wallet": "wallet_address",
    "score": "smart_trader_score",
    "win_%": "win_rate",
    "trades": "trade_count",
    "last_trade": "last_transaction",
    "as_of": "calculation_date",
    "why_former": "former_reason",
    "source": "data_source",
}
HEADS = {name: alias for alias, name in ALIASES.items()}


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """What is asked of the leaderboard, as it was typed.

    Attributes:
        columns: Columns to show; none are those of the format.
        tiers: Only these; none are all.
        grades: Only these; none are all.
        minimums: Least values, each as `COLUMN=VALUE`.
        sort: A column to sort by, largest first with a `-` before it; None is the rank.
        top: Rows at most, after all else; None is all.
    """

    columns: Sequence[str] = ()
    tiers: Sequence[str] = ()
    grades: Sequence[str] = ()
    minimums: Sequence[str] = ()
    sort: str | None = None
    top: int | None = None


def select_rows(board: pa.Table, query: BoardQuery, tiers: Sequence[str]) -> pa.Table:
    """Return the rows asked for, in order, with all their columns.

    Args:
        board: gold.leaderboard.
        query: What is asked for.
        tiers: The tiers there are, the best first; one that no wallet holds gives no row.

    Raises:
        SettingsError: A column, tier, grade or number is none; names near ones.
    """
    board = board.sort_by([("overall_rank", "ascending"), ("wallet_address", "ascending")])
    rows = rows_of(board)
    kept = list(range(len(rows)))
    # a former trader may hold a tier that is no longer there
    held = [row["tier"] for row in rows if row["tier"]]
    if query.tiers:
        taken = _known_values("--tier", query.tiers, dict.fromkeys([*tiers, *held]))
        kept = [index for index in kept if rows[index]["tier"] in taken]
    if query.grades:
        taken = _known_values("--grade", query.grades, GRADES)
        kept = [index for index in kept if rows[index].get("grade") in taken]
    for text in query.minimums:
        name, least = _minimum(board.schema, text)
        kept = [index for index in kept if rows[index][name] is not None and rows[index][name] >= least]
    if query.sort is not None:
        name = column_name("--sort", query.sort.removeprefix("-"), board.schema.names)
        known = [index for index in kept if rows[index][name] is not None]
        known.sort(key=lambda index: rows[index][name], reverse=query.sort.startswith("-"))
        # what is not known comes last either way
        kept = known + [index for index in kept if rows[index][name] is None]
    return board.take(pa.array(kept[: query.top], pa.int64()))


def column_name(option: str, text: str, names: Sequence[str]) -> str:
    """Return the column that a person means.

    Raises:
        SettingsError: There is none; names near ones.
    """
    wanted = text.strip().lower()
    found = ALIASES.get(wanted, wanted)
    if found in names:
        return found
    near = difflib.get_close_matches(wanted, [*names, *ALIASES], 3)
    fix = f"did you mean {' or '.join(near)}?" if near else f"the columns are {', '.join(names)}"
    raise SettingsError(f"{option}: the leaderboard has no column {shown(text)}", fix)


def _known_values(option: str, wanted: Iterable[str], there: Iterable[str]) -> set[str]:
    by_name = {value.upper(): value for value in there}
    unknown = [text for text in wanted if text.upper() not in by_name]
    if unknown:
        raise SettingsError(f"{option}: there is no {shown(unknown[0])}", f"there are {', '.join(by_name.values())}")
    return {by_name[text.upper()] for text in wanted}


def _minimum(schema: pa.Schema, text: str) -> tuple[str, Any]:
    column, sign, number = text.partition("=")
    if not sign:
        raise SettingsError(f"--min: {shown(text)} is no COLUMN=VALUE", "write it as --min total_pnl=1000")
    name = column_name("--min", column, schema.names)
    kind = schema.field(name).type
    if not (pa.types.is_decimal(kind) or pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise SettingsError(f"--min: {name} is no number", "name a column with numbers, as in --min total_pnl=1000")
    try:
        least = Decimal(number.strip().replace(",", ""))
        if not least.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise SettingsError(f"--min: {shown(number)} is no number", f"write it as --min {name}=1000") from None
    # a figure is the float nearest to its text, and so must its minimum be
    return name, float(least) if pa.types.is_floating(kind) else least
