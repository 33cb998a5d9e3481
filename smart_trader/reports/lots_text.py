"""A position's lots as text: each match with its two transactions, what is left, and that the sums are the row's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from smart_trader.reports.data_source import source_warning
from smart_trader.reports.explain import is_capped
from smart_trader.reports.explain_tokens import symbol_of, tokens_table
from smart_trader.reports.lots import SUMS, Lots, Match
from smart_trader.reports.tables import PLAIN, Cell, Column, Screen, figure_line, prose, table_text
from smart_trader.reports.text_table import cell_text
from smart_trader.reports.wallet_facts import Row, WalletFacts

SUM_LABELS = {
    "bought_usd": "bought, USD",
    "sold_usd": "sold, USD",
    "matched_proceeds_usd": "proceeds of what was matched",
    "cost_of_sold_usd": "cost of what was matched",
    "realized_pnl_usd": "realized profit",
    "unmatched_proceeds_usd": "proceeds without a known cost",
    "unpriced_disposal_cost_usd": "cost of sales without a price",
    "open_cost_usd": "cost of what is left",
    "round_trip_usd": "gain within one transaction",
}
ALWAYS = ("bought_usd", "sold_usd", "realized_pnl_usd")
QUANTITY_DIGITS = 9


def position_text(facts: WalletFacts, position: Row, lots: Lots | None, screen: Screen = PLAIN) -> str:
    """Write one position and, where they are given, its lots."""
    warning = source_warning(facts.source)
    head = [prose(warning, screen, style="bold yellow")] if warning else []
    head += [
        prose(f"{facts.wallet}, calculated {cell_text(facts.dates[-1])} UTC", screen, style="bold"),
        prose(f"Token {position['token_address']}, symbol {symbol_of(position)}", screen, style="bold"),
    ]
    parts = [head, [tokens_table(facts, [position], screen)], list(_position_lines(position, screen))]
    if lots is not None:
        parts += [
            list(_match_lines(lots, position, screen)),
            list(_open_lines(lots, position, screen)),
            list(_round_trip_lines(lots, screen)),
            list(_sum_lines(lots, position, screen)),
        ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def quantity_text(quantity: float, decimals: int | None) -> str:
    """Write an amount in units, or in base units where the token's decimals are not known."""
    return f"{quantity / 10 ** (decimals or 0):,.{QUANTITY_DIGITS}g}"


def _position_lines(position: Row, screen: Screen) -> Iterator[str]:
    decimals = position.get("decimals")
    for name, label in SUM_LABELS.items():
        if position.get(name) or name in ALWAYS:
            yield figure_line(label, cell_text(position[name]), "", screen)
    if position["open_quantity"]:
        yield figure_line("left", quantity_text(position["open_quantity"], decimals), "", screen)
        note = f"price: {position.get('mark_source')}" + ("; capped by the balance" if is_capped(position) else "")
        yield figure_line("worth, USD", cell_text(position["open_value_usd"]), note, screen)


def _match_lines(lots: Lots, position: Row, screen: Screen) -> Iterator[str]:
    if not lots.matches:
        yield prose("No sell: nothing is matched.", screen)
        return
    sells = len({(match.sold_at, match.sell_tx) for match in lots.matches})
    counted = f"{_counted(sells, 'sell')}, matched with the oldest lots left: {_counted(len(lots.matches), 'match')}"
    yield prose(counted, screen, style="bold")
    columns = [
        Column("sold", "left", 3),
        Column("sell transaction", "left", is_address=True),
        Column("bought", "left", 6),
        Column("buy transaction", "left", is_address=True),
        Column("quantity", priority=5),
        Column("cost", priority=1),
        Column("proceeds", priority=4),
        Column("profit"),
        Column("note", "left", 2),
    ]
    cells = [_match_cells(match, position.get("decimals")) for match in lots.matches]
    sums = lots.sums
    total: list[str | Cell] = ["sum", "", "", "", ""]
    total += [cell_text(sums[name]) for name in ("cost_of_sold_usd", "matched_proceeds_usd", "realized_pnl_usd")]
    note = "" if all(match.profit_usd is not None for match in lots.matches) else "of what has both"
    yield table_text(columns, [*cells, [*total, note]], screen)


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}{'es' if name.endswith('ch') else 's'}"


def _match_cells(match: Match, decimals: int | None) -> list[str | Cell]:
    profit = match.profit_usd
    return [
        cell_text(match.sold_at),
        match.sell_tx or "-",
        cell_text(match.bought_at),
        match.buy_tx or "-",
        quantity_text(match.quantity, decimals),
        cell_text(match.cost_usd),
        cell_text(match.proceeds_usd),
        Cell(cell_text(profit), "" if profit is None else "green" if profit > 0 else "red" if profit < 0 else ""),
        _note(match, decimals),
    ]


def _note(match: Match, decimals: int | None) -> str:
    notes = []
    if match.kind == "unmatched":
        notes.append("no lot left")
    if match.kind == "unknown_cost":
        notes.append("cost not known")
    if match.proceeds_usd is None:
        notes.append("no price")
    if match.dust_quantity > 0:
        notes.append(f"closed {quantity_text(match.dust_quantity, decimals)} as dust")
    return ", ".join(notes)


def _open_lines(lots: Lots, position: Row, screen: Screen) -> Iterator[str]:
    if not lots.open_lots:
        return
    yield prose("Lots that are left", screen, style="bold")
    columns = [
        Column("bought", "left"),
        Column("buy transaction", "left", is_address=True),
        Column("quantity", priority=1),
        Column("cost"),
    ]
    rows: list[list[str | Cell]] = [
        [
            cell_text(lot.bought_at),
            lot.buy_tx or "-",
            quantity_text(lot.quantity, position.get("decimals")),
            "not known" if lot.cost_usd is None else cell_text(lot.cost_usd),
        ]
        for lot in lots.open_lots
    ]
    yield table_text(columns, [*rows, ["sum", "", "", cell_text(lots.sums["open_cost_usd"])]], screen)


def _round_trip_lines(lots: Lots, screen: Screen) -> Iterator[str]:
    if not lots.round_trips:
        return
    yield prose("Bought and sold in one transaction: in no lot and no profit", screen, style="bold")
    columns = [Column("at", "left"), Column("transaction", "left", is_address=True), Column("gain")]
    rows = [[cell_text(trip.at), trip.tx or "-", cell_text(trip.gain_usd)] for trip in lots.round_trips]
    yield table_text(columns, rows, screen)


def _sum_lines(lots: Lots, position: Row, screen: Screen) -> Iterator[str]:
    different = lots.differences(position)
    if not different:
        yield prose("The lots come to the position's row above, to the cent.", screen, style="green")
    else:
        told = ", ".join(f"{name} by {cell_text(value)} USD" for name, value in different.items())
        yield prose(f"The lots do NOT come to the position's row above: {told}.", screen, style="bold red")
    if lots.later_count:
        yield prose(
            f"{_counted(lots.later_count, 'trade')} came in after the calculation: in neither until the next run.",
            screen,
        )


def lots_content(lots: Lots, position: Row) -> dict[str, Any]:
    """Return the lots for JSON."""
    return {
        "matches": [_match_content(match) for match in lots.matches],
        "open_lots": [
            {
                "buy_tx": lot.buy_tx,
                "bought_at": lot.bought_at,
                "quantity": lot.quantity,
                "cost_usd": lot.cost_usd,
            }
            for lot in lots.open_lots
        ],
        "round_trips": [{"tx": trip.tx, "at": trip.at, "gain_usd": trip.gain_usd} for trip in lots.round_trips],
        "sums": _in_order(lots.sums),
        "differences": dict(lots.differences(position)),
        "later_trade_count": lots.later_count,
    }


def _match_content(match: Match) -> dict[str, Any]:
    return {
        "kind": match.kind,
        "sell_tx": match.sell_tx,
        "sold_at": match.sold_at,
        "buy_tx": match.buy_tx,
        "bought_at": match.bought_at,
        "quantity": match.quantity,
        "dust_quantity": match.dust_quantity,
        "cost_usd": match.cost_usd,
        "proceeds_usd": match.proceeds_usd,
        "profit_usd": match.profit_usd,
    }


def _in_order(sums: Mapping[str, Decimal], names: Sequence[str] = SUMS) -> dict[str, Decimal]:
    return {name: sums[name] for name in names}
