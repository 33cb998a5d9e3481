"""Which tokens made a wallet's profit and which lost it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from smart_trader.reports.explain_score import percent
from smart_trader.reports.tables import Cell, Column, Screen, prose, table_text
from smart_trader.reports.text_table import cell_text
from smart_trader.reports.wallet_facts import Row, WalletFacts

SHOWN_TOKENS = 10
SYMBOL_CHARACTERS = 16
COLUMN_NOTE = (
    "share: of what tokens with a profit made; age: the token's at the first trade, - where no launch is known"
)


def token_lines(facts: WalletFacts, screen: Screen, *, show_all: bool) -> Iterator[str]:
    """Write the positions with the largest profits and losses, and what all of them came to."""
    positions = facts.positions
    if not positions:
        return
    largest = sorted(positions, key=lambda row: (-abs(row["profit"]), row["token_address"]))
    shown = largest if show_all else largest[:SHOWN_TOKENS]
    head = "Its tokens" if len(shown) == len(positions) else f"The {len(shown)} tokens that matter most"
    yield prose(f"{head}, by profit or loss in USD", screen, style="bold")
    yield tokens_table(facts, shown, screen)
    made = [row["profit"] for row in positions if row["profit"] > 0]
    lost = [row["profit"] for row in positions if row["profit"] < 0]
    total = (
        f"{_counted(len(made))} made {cell_text(sum(made, Decimal(0)))} USD, "
        f"{_counted(len(lost))} lost {cell_text(-sum(lost, Decimal(0)))} USD."
    )
    more = f" {len(positions) - len(shown)} more: --all." if len(positions) > len(shown) else ""
    yield prose(f"{total}{more} --token TOKEN --lots shows a token's trades.", screen)
    yield prose(COLUMN_NOTE, screen, style="dim")
    limit = facts.settings.launch_max_seconds
    if any(row["is_trigger"] for row in shown):
        yield prose("* the wallet was found by this token, which is in no grade", screen, style="dim")
    if any(_is_launch(row, limit) for row in shown):
        yield prose(f"^ bought within {limit // 60} minutes of launch, which is in no grade", screen, style="dim")


def tokens_table(facts: WalletFacts, rows: Sequence[Row], screen: Screen) -> str:
    """Write positions as a table; age is the token's at the first trade."""
    gross = sum((row["profit"] for row in facts.positions if row["profit"] > 0), Decimal(0))
    columns = [
        Column("symbol", "left", 4),
        Column("token", "left", is_address=True),
        Column("profit"),
        Column("share", priority=5),
        Column("return", priority=1),
        Column("trades", priority=2),
        Column("age", priority=3),
    ]
    cells: list[list[str | Cell]] = []
    for row in rows:
        marks = ("*" if row["is_trigger"] else "") + ("^" if _is_launch(row, facts.settings.launch_max_seconds) else "")
        profit = row["profit"]
        cells.append(
            [
                symbol_of(row),
                f"{row['token_address']} {marks}".rstrip(),
                Cell(cell_text(profit), "green" if profit > 0 else "red" if profit < 0 else ""),
                percent(float(profit / gross), sign="") if profit > 0 else "-",
                percent(float(profit / row["cost"])) if row["cost"] else "-",
                cell_text(row["trade_count"]),
                _age(row["seconds_after_launch"]),
            ]
        )
    if not any(row.get("symbol") for row in rows):
        columns, cells = columns[1:], [line[1:] for line in cells]
    return table_text(columns, cells, screen)


def symbol_of(position: Row) -> str:
    """Return a token's symbol, cut where it is long; `-` where it is not known."""
    symbol = position.get("symbol") or "-"
    return symbol if len(symbol) <= SYMBOL_CHARACTERS else f"{symbol[: SYMBOL_CHARACTERS - 1]}…"


def _is_launch(row: Row, launch_seconds: int) -> bool:
    return row["seconds_after_launch"] is not None and 0 <= row["seconds_after_launch"] <= launch_seconds


def _counted(count: int) -> str:
    return f"{count} token{'' if count == 1 else 's'}"


def _age(seconds: int | None) -> str:
    """Write how old a token was at the first trade, in its largest unit."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds} s"
