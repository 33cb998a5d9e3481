"""The columns of the ranked table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: Field of the wallet.
        label: Head of the column.
        kind: How a value is written and sorted; see `numbers.js`.
        hint: What the figure is, shown below the list and where one points at the head.
        is_shown: Whether it is there before anybody chooses.
    """

    key: str
    label: str
    kind: str
    hint: str
    is_shown: bool = True

    def for_script(self) -> dict[str, Any]:
        """Return the column as the page's script reads it."""
        return asdict(self)


COLUMNS = (
    Column("overall_rank", "#", "rank", "Rank; none for a former trader."),
    Column("address", "wallet", "wallet", "Its address, and the explorers that show it."),
    Column("tier", "tier", "tier", "Size of its profit, as far as grade and flags let it be called that."),
    Column("grade", "grade", "grade", "How sure its skill is: A and B exceed luck, of C and D that is not known."),
    Column("flags", "flags", "flags", "What speaks against it; see the wallet for the sentences."),
    Column("skill_low", "skill_low", "share", "Its skill exceeds this with 95 %: return of a position."),
    Column("total_pnl", "PnL $", "money", "Realized profit and the mark of open positions, USD."),
    Column("roi", "ROI", "percent", "Realized profit over the cost of what was sold."),
    Column("win_rate", "wins, sells", "percent", "Sells won, of those that won or lost more than 1 USD."),
    Column("wins_by_token", "wins, tokens", "percent", "Tokens won, of those that won or lost more than 1 USD."),
    Column("profit_factor", "profit factor", "ratio", "Profit of winning sells over the loss of losing ones."),
    Column("best_share", "best token", "percent", "Share of the best token in the profit of all that made one."),
    Column("drawdown", "drawdown $", "money", "How far realized profit fell below its peak, at worst; USD."),
    Column("median_hours", "median hold", "hours", "Half of the money sold was held this long at most."),
    Column("last_transaction", "last trade", "time", "Day of the newest trade known."),
    Column("spark", "realized, 30 d", "spark", "Realized profit of the 30 days before its calculation."),
    Column("uncapped_tier", "tier by size", "tier", "What the tier would be without grade and flags.", False),
    Column("realized_pnl", "realized $", "money", "Realized profit, USD.", False),
    Column("unrealized_pnl", "open $", "money", "Mark of open positions less their cost, USD.", False),
    Column("trade_count", "trades", "count", "Trades known.", False),
    Column("position_count", "positions", "count", "Positions that its skill is measured on.", False),
    Column("skill", "skill", "share", "Mean return of a position, drawn to its peers'.", False),
    Column("money_return", "money return", "share", "Return on all money put in.", False),
    Column("basis_coverage", "coverage", "portion", "Share of proceeds whose cost is known.", False),
    Column("unmatched_usd", "unmatched $", "money", "Proceeds of what was not seen bought; in no profit.", False),
    Column("total_bought", "bought $", "money", "USD of priced buys.", False),
    Column("total_sold", "sold $", "money", "USD of priced sells.", False),
    Column("smart_trader_score", "score", "ratio", "The score of the first version; it ranks nobody.", False),
)
