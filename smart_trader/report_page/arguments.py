"""Why a wallet is on the list, what speaks against following it, and how sure that is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from smart_trader.report_page.figures import Figures
from smart_trader.report_page.formats import counted
from smart_trader.report_page.reading import Reading, Row
from smart_trader.reports.grades import GRADES, SURE_GRADES

# From here on a sentence is written; they decide nothing.
HALF = 50
MUCH_OF_ONE_TOKEN = 40.0
MUCH_OPEN = 0.3
FEW_TOKENS = 10
HARDLY_ANY_LOSS = 100
QUICK_HOURS = 1
QUIET_DAYS = 7


def arguments_for(reading: Reading, row: Row, figures: Figures) -> list[str]:
    """Return what speaks for a wallet."""
    return list(_for(reading, row, figures))


def arguments_against(reading: Reading, row: Row, figures: Figures, flags: Sequence[Row]) -> list[str]:
    """Return what speaks against following a wallet, the weightiest first."""
    return [*_against_by_grade(reading, row), *_against_by_flags(flags), *_against_by_figures(reading, row, figures)]


def _for(reading: Reading, row: Row, figures: Figures) -> Iterator[str]:
    score = reading.scores.get(row["wallet_address"])
    if row.get("grade") in SURE_GRADES:
        yield f"Grade {row['grade']}: {GRADES[row['grade']]}."
    if score is not None and score["skill_low"] is not None and score["skill_low"] > 0:
        yield f"With 95 % its mean position returns more than {percent(score['skill_low'])}."
    if row["realized_pnl"] > 0:
        yield f"Its sells earned {usd(row['realized_pnl'])}, {float(row['roi']):,.1f} % of what they had cost."
    if row["win_rate"] >= HALF:
        yield f"{float(row['win_rate']):.0f} % of the sells that won or lost more than 1 USD won."
    if figures.wins_by_token is not None and figures.wins_by_token >= HALF:
        yield f"It made money on {_of_decided(figures.wins_by_token, figures.decided_tokens)} that decided."
    if figures.profit_factor is not None and figures.profit_factor > 1:
        yield f"For each dollar that its losing sells lost, its winning ones made {figures.profit_factor:,.2f}."


def _against_by_grade(reading: Reading, row: Row) -> Iterator[str]:
    score = reading.scores.get(row["wallet_address"])
    if row["former"]:
        yield f"It is off the list: {row.get('former_reason') or 'it no longer qualifies'}."
    if row.get("grade") in ("C", "D"):
        yield f"Grade {row['grade']}: {GRADES[row['grade']]}. Its profit may be luck."
    if score is None or score["skill_low"] is None:
        yield "Of its positions there are too few to bound its skill at all."
    elif score["skill_low"] <= 0:
        yield (
            f"By {counted(score['position_count'], 'position')} its skill is put at {percent(score['skill'])} a "
            f"position, and with 95 % it is above {percent(score['skill_low'])} only: a loss is not ruled out."
        )


def _against_by_flags(flags: Sequence[Row]) -> Iterator[str]:
    for flag in flags:
        cap = f", {flag['tier_cap']} at most" if flag["tier_cap"] else ""
        yield f"Flag {flag['flag']} ({flag['severity']}{cap}): {flag['sentence']}."


def _against_by_figures(reading: Reading, row: Row, figures: Figures) -> Iterator[str]:
    yield from _against_by_profit(row, figures)
    yield from _against_by_wins(row, figures)
    if figures.median_hours is not None and figures.median_hours < QUICK_HOURS:
        minutes = max(1, round(60 * figures.median_hours))
        yield f"Half of the money it sold was held {counted(minutes, 'minute')} at most: a copier is late."
    if figures.unmatched_usd > 0:
        yield f"{usd(figures.unmatched_usd)} of proceeds are of tokens whose cost is not known; they are in no profit."
    newest = max((one["calculation_date"] for one in reading.standings), default=row["calculation_date"])
    if older := (newest - row["calculation_date"]).days:
        yield f"Its figures are {counted(older, 'day')} older than the newest of this page."
    last = row["last_transaction"]
    if last is not None and (quiet := (row["calculation_date"] - last).days) >= QUIET_DAYS:
        yield f"Its last trade known was {counted(quiet, 'day')} before it was calculated."


def _against_by_profit(row: Row, figures: Figures) -> Iterator[str]:
    """Say where the profit is of one token, not sold yet, or hardly more than it had lost before."""
    total, realized, still_open = (float(row[name]) for name in ("total_pnl", "realized_pnl", "unrealized_pnl"))
    if realized < 0:
        yield f"Its sells lost {usd(-realized)}."
    if still_open > 0 and total > 0 and realized <= 0:
        yield "All of its profit is in open positions: a mark, not a sale."
    elif still_open > 0 and total > 0 and still_open / total >= MUCH_OPEN:
        yield f"{100 * still_open / total:.0f} % of its profit is in open positions: a mark, not a sale."
    elif still_open < 0:
        yield f"Its open positions stand {usd(-still_open)} below their cost."
    if figures.best_share is not None and figures.best_share >= MUCH_OF_ONE_TOKEN:
        yield f"One token made {figures.best_share:.0f} % of the profit of all tokens that made one."
    if figures.drawdown is not None and 0 < realized < figures.drawdown:
        yield f"At worst its realized profit fell by {usd(figures.drawdown)}, more than all that is left of it."


def _against_by_wins(row: Row, figures: Figures) -> Iterator[str]:
    """Say where it loses more often than it wins, wins too well, or has decided too little."""
    if row["win_rate"] < HALF:
        yield f"Only {float(row['win_rate']):.0f} % of the sells that won or lost more than 1 USD won."
    if figures.wins_by_token is not None and figures.wins_by_token < HALF:
        yield f"It lost on {_of_decided(100 - figures.wins_by_token, figures.decided_tokens)} that decided."
    if figures.never_lost:
        yield "Not one of its sells lost money, as with insiders and with incomplete data."
    elif figures.profit_factor is not None and figures.profit_factor >= HARDLY_ANY_LOSS:
        yield "Its sells lost hardly anything, as with insiders and with incomplete data."
    if figures.decided_tokens < FEW_TOKENS:
        yield f"Only {counted(figures.decided_tokens, 'token')} decided."


def _of_decided(share: float, tokens: int) -> str:
    """Write how many percent of the tokens that decided; of a single one there are no percents."""
    return "the one token" if tokens == 1 else f"{share:.0f} % of the {tokens} tokens"


def usd(value: Any) -> str:
    """Write an amount of money."""
    return f"{float(value):,.0f} USD" if abs(float(value)) >= 1000 else f"{float(value):,.2f} USD"


def percent(share: float) -> str:
    """Write a share with its sign, on one line."""
    return f"{100 * share:+.1f}\N{NO-BREAK SPACE}%"
