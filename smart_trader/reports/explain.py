"""One wallet explained: its verdict first, then why, which tokens made the profit, and how sure all of it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from smart_trader.reports.data_source import source_warning
from smart_trader.reports.explain_score import flag_lines, grade_lines, percent
from smart_trader.reports.explain_tokens import token_lines
from smart_trader.reports.tables import PLAIN, Column, Screen, figure_line, prose, table_text
from smart_trader.reports.text_table import cell_text
from smart_trader.reports.verdict import caps_sentence, verdict_sentence
from smart_trader.reports.wallet_facts import Row, WalletFacts

SHOWN_VERDICTS = 5
# Figures of the wallet's newest calculation, in words.
FIGURES = {
    "total_pnl": "profit, USD",
    "realized_pnl": "  of it realized",
    "unrealized_pnl": "  of it open",
    "roi": "realized return on its cost, %",
    "win_rate": "sells that won, %",
    "total_bought": "bought, USD",
    "total_sold": "sold, USD",
    "trade_count": "trades",
    "trade_frequency_daily": "trades a day",
    "avg_transaction_amount_usd": "mean trade, USD",
    "avg_holding_time_hours": "mean time held, hours",
    "current_position_cost_basis": "open positions cost, USD",
    "current_position_value": "open positions are worth, USD",
    "first_transaction": "first trade, UTC",
    "last_transaction": "last trade, UTC",
}


def explanation(facts: WalletFacts, screen: Screen = PLAIN, *, show_all: bool = False) -> str:
    """Explain a wallet.

    Args:
        facts: What the lake knows of it.
        screen: What it is written for.
        show_all: Show every token and every past verdict, not only those that matter most.
    """
    parts = [
        list(_head(facts, screen)),
        list(_failed(facts, screen)),
        list(grade_lines(facts, screen)),
        list(flag_lines(facts, screen)),
    ]
    if facts.has_swaps:
        parts += [
            list(_figures(facts, screen)),
            list(token_lines(facts, screen, show_all=show_all)),
            list(_certainty(facts, screen)),
        ]
    parts.append(list(_past_verdicts(facts, screen, show_all=show_all)))
    text = "\n\n".join("\n".join(lines) for lines in parts if lines)
    # what a person came for is in sight at the end as well
    return "\n\n".join([text, *_verdict(facts, screen)]) if screen.scrolls(text) else text


def _head(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    warning = source_warning(facts.source)
    if warning:
        yield prose(warning, screen, style="bold yellow")
    yield from _verdict(facts, screen)
    caps = caps_sentence(facts)
    if caps:
        yield prose(caps, screen)
    if facts.account is not None:
        yield prose(f"This address is {facts.account}.", screen, style="bold yellow")
    times = f", for the {_nth(len(facts.dates))} time" if len(facts.dates) > 1 else ""
    yield prose(f"Calculated {cell_text(facts.dates[-1])} UTC from {facts.source} data{times}.", screen, style="dim")


def _verdict(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    standing = facts.standing
    is_listed = standing["is_listed"] if standing else bool(facts.evaluation and facts.evaluation["is_qualified"])
    yield prose(verdict_sentence(facts), screen, style="bold green" if is_listed else "bold red")


def _failed(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    """Show each rule that the wallet failed, with its figure and what was asked for."""
    row = facts.evaluation
    if row is None or row["is_qualified"] or not facts.has_swaps:
        return
    yield prose("Rules it failed", screen, style="bold")
    for rule in row["failed_rules"].split(", "):
        wanted = facts.minimums.get(rule)
        if wanted is None:
            yield figure_line(rule, "", "broke a check, see silver.calculation_checks", screen)
        elif rule in row:
            yield figure_line(rule, cell_text(row[rule]), f"at least {wanted}", screen, style="red")
        else:
            yield figure_line(rule, "", f"wanted: {wanted}", screen)


def _figures(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    yield prose("What it made", screen, style="bold")
    for name, label in FIGURES.items():
        if name in facts.total:
            value = facts.total[name]
            is_loss = isinstance(value, Decimal) and value < 0
            yield figure_line(label, cell_text(value), "", screen, style="red" if is_loss else "")


def _certainty(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    """Show what the figures rest on, and what is in none of them."""
    row, settings, positions = facts.evaluation or {}, facts.settings, facts.positions
    known: Row = {**row, **(facts.calculation or {})}
    yield prose("How sure that is", screen, style="bold")
    if row.get("basis_coverage") is not None:
        least = f"at least {100 * settings.min_basis_coverage:.0f} % to qualify"
        yield figure_line("sales whose purchase is known", percent(row["basis_coverage"], sign=""), least, screen)
    if known.get("is_history_complete") is not None:
        asked = "the whole one is asked for" if settings.require_history_complete else ""
        yield figure_line("history", "whole" if known["is_history_complete"] else "not whole", asked, screen)
    if known.get("swap_count") is not None:
        most = f"at most {settings.max_swaps_per_wallet:,}"
        yield figure_line("swaps", cell_text(known["swap_count"]), most, screen)
    if facts.conversion_count:
        yield figure_line("swaps of money for money", cell_text(facts.conversion_count), "no trades", screen)
    trips = sum(row.get("round_trip_count") or 0 for row in positions)
    if trips:
        gain = sum((row["round_trip_usd"] for row in positions), Decimal(0))
        note = f"brought {cell_text(gain)} USD, in no profit"
        yield figure_line("bought and sold in one transaction", cell_text(trips), note, screen)
    yield from _unmatched(facts, screen)
    capped = sum(is_capped(row) for row in positions)
    if capped:
        note = "its balance is less than its trades leave: worth what the balance is"
        yield figure_line("positions capped by the balance", cell_text(capped), note, screen)
    unmarked = sum(row.get("mark_source") == "none" and row["open_cost_usd"] > 0 for row in positions)
    if unmarked:
        yield figure_line("open positions without a price", cell_text(unmarked), "worth nothing here", screen)


def _unmatched(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    unmatched = sum((row["unmatched_proceeds_usd"] for row in facts.positions), Decimal(0))
    if unmatched:
        note = "from tokens whose purchase is not known; they earn nothing here"
        yield figure_line("sold without a purchase, USD", cell_text(unmatched), note, screen)
    lots = sum(row.get("unknown_basis_lot_count") or 0 for row in facts.positions)
    if lots:
        yield figure_line("buys whose cost is not known", cell_text(lots), "", screen)
    given = sum((row.get("unpriced_disposal_cost_usd") or 0 for row in facts.positions), Decimal(0))
    if given:
        note = "what was sold without a price had cost; in no profit or loss"
        yield figure_line("cost of sales without a price, USD", cell_text(given), note, screen)


def is_capped(position: Row) -> bool:
    """Whether a position is valued by a balance that is less than its trades leave."""
    balance = position.get("balance_quantity")
    return balance is not None and balance < position["open_quantity"]


def _past_verdicts(facts: WalletFacts, screen: Screen, *, show_all: bool) -> Iterator[str]:
    past = facts.verdicts[1:]
    if not past:
        return
    yield prose("Past verdicts", screen, style="bold")
    shown = past if show_all else past[:SHOWN_VERDICTS]
    columns = [
        Column("calculated", "left"),
        Column("verdict", "left"),
        Column("grade", "left", 2),
        Column("score", priority=4),
        Column("total_pnl", priority=1),
        Column("rules failed", "left", 3),
    ]
    rows = [
        [
            cell_text(row["calculation_date"]),
            row["tier"] or ("qualified" if row["is_qualified"] else "not qualified"),
            row.get("grade") or "-",
            cell_text(row.get("smart_trader_score")),
            cell_text(row.get("total_pnl")),
            row.get("failed_rules") or "",
        ]
        for row in shown
    ]
    yield table_text(columns, rows, screen)
    if len(past) > len(shown):
        yield prose(f"{len(past) - len(shown)} more: --all", screen, style="dim")


def _nth(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
