"""The rows of silver.wallet_pnl and what goes beyond their 22 fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from .lots import Position, Sell, money, run_fifo
from .marks import Market, OpenPosition, at, mark
from .settings import Settings
from .trades import TokenTrades

ALL_TOKENS = "ALL_TOKENS"
SECONDS_PER_DAY = 86_400
ZERO = Decimal(0)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """Figures of one wallet and token; for ALL_TOKENS the sums of the wallet's.

    Money is rounded, but for `cost_hours` and `exact_matched_cost`, whose ratio is the holding time. Quantities are in
    base units and None for ALL_TOKENS, as quantities of different tokens do not add.
    """

    trade_count: int
    priced_trades: int
    wins: int
    losses: int
    round_trips: int
    first_time: int | None
    last_time: int | None
    bought: Decimal
    sold: Decimal
    realized: Decimal
    matched_cost: Decimal
    matched_proceeds: Decimal
    unmatched_proceeds: Decimal
    unpriced_disposal_cost: Decimal
    unknown_basis_bought: Decimal
    round_trip: Decimal
    open_cost: Decimal
    open_value: Decimal
    cost_hours: Decimal
    exact_matched_cost: Decimal
    mark_source: str | None
    open_tokens: Decimal | None
    open_unknown_tokens: Decimal | None
    quantities: Quantities | None
    sells: tuple[Sell, ...]

    @property
    def basis_coverage(self) -> Decimal | None:
        """Return the share of the proceeds that met a known basis, None if nothing was sold."""
        return self.matched_proceeds / self.sold if self.sold else None


@dataclass(frozen=True, slots=True)
class Quantities:
    """Base units: bought = closed + open + open_unknown."""

    bought: int
    sold: int
    closed: int
    unmatched: int
    open_known: int
    open_unknown: int


# added up for ALL_TOKENS
COUNTS = ("trade_count", "priced_trades", "wins", "losses", "round_trips")
SUMS = (
    "bought",
    "sold",
    "realized",
    "matched_cost",
    "matched_proceeds",
    "unmatched_proceeds",
    "unpriced_disposal_cost",
    "unknown_basis_bought",
    "round_trip",
    "open_cost",
    "open_value",
    "cost_hours",
    "exact_matched_cost",
)


def position_figures(
    wallet: str, token: str, history: TokenTrades, market: Market, settings: Settings
) -> PositionFigures:
    """Run one token through FIFO and mark what is left."""
    trades = history.trades
    position = run_fifo(trades, settings.win_threshold_usd)
    if history.decimals is None:
        raise ValueError(f"no row gives the decimals of {token}")
    quantities = read_quantities(position)
    open_cost = position.open_cost()
    marked = mark(
        OpenPosition(wallet, token, quantities.open_known, open_cost, history.decimals, trades), market, settings
    )
    return PositionFigures(
        trade_count=len(trades),
        priced_trades=position.priced_trades,
        wins=position.wins,
        losses=position.losses,
        round_trips=history.round_trip_count,
        first_time=trades[0].block_unix_time if trades else None,
        last_time=trades[-1].block_unix_time if trades else None,
        **rounded_money(position),
        round_trip=money(history.round_trip_usd),
        open_cost=money(open_cost),
        open_value=money(marked.usd),
        cost_hours=position.cost_hours,
        exact_matched_cost=position.matched_cost,
        mark_source=marked.source,
        open_tokens=Decimal(quantities.open_known).scaleb(-history.decimals),
        open_unknown_tokens=Decimal(quantities.open_unknown).scaleb(-history.decimals),
        quantities=quantities,
        sells=tuple(position.sells),
    )


def read_quantities(position: Position) -> Quantities:
    """Take the quantities out of a finished position."""
    return Quantities(
        bought=position.bought_quantity,
        sold=position.sold_quantity,
        closed=position.closed_quantity,
        unmatched=position.unmatched_quantity,
        open_known=position.open_quantity(is_known=True),
        open_unknown=position.open_quantity(is_known=False),
    )


def rounded_money(position: Position) -> dict[str, Decimal]:
    """Round the sums of money of a finished position."""
    return {
        "bought": money(position.bought_usd),
        "sold": money(position.sold_usd),
        "realized": money(position.realized),
        "matched_cost": money(position.matched_cost),
        "matched_proceeds": money(position.matched_proceeds),
        "unmatched_proceeds": money(position.unmatched_proceeds),
        "unpriced_disposal_cost": money(position.unpriced_disposal_cost),
        "unknown_basis_bought": money(position.unknown_basis_bought_usd),
    }


def wallet_figures(positions: Sequence[PositionFigures]) -> PositionFigures:
    """Add up a wallet's positions; rounded values are added, so the sums are exact."""
    counts = {name: sum(getattr(position, name) for position in positions) for name in COUNTS}
    sums: dict[str, Any] = {name: sum((getattr(position, name) for position in positions), ZERO) for name in SUMS}
    return PositionFigures(
        **counts,
        **sums,
        first_time=min((p.first_time for p in positions if p.first_time is not None), default=None),
        last_time=max((p.last_time for p in positions if p.last_time is not None), default=None),
        mark_source=None,
        open_tokens=None,
        open_unknown_tokens=None,
        quantities=None,
        sells=(),
    )


def pnl_row(wallet: str, token: str, figures: PositionFigures, as_of: datetime, data_source: str) -> Row:
    """Write the 22 fields; the last two of the writer's own stay None."""
    unrealized = figures.open_value - figures.open_cost
    decided = figures.wins + figures.losses
    return {
        "wallet_address": wallet,
        "token_address": token,
        "calculation_date": as_of,
        "realized_pnl": figures.realized,
        "unrealized_pnl": unrealized,
        "total_pnl": figures.realized + unrealized,
        "trade_count": figures.trade_count,
        "win_rate": ratio(100 * figures.wins, decided) or ZERO,
        "total_bought": figures.bought,
        "total_sold": figures.sold,
        "roi": 100 * figures.realized / figures.matched_cost if figures.matched_cost >= 1 else ZERO,
        "avg_holding_time_hours": ratio(figures.cost_hours, figures.exact_matched_cost),
        "avg_transaction_amount_usd": ratio(figures.bought + figures.sold, figures.priced_trades),
        "trade_frequency_daily": frequency(figures),
        "first_transaction": None if figures.first_time is None else at(figures.first_time),
        "last_transaction": None if figures.last_time is None else at(figures.last_time),
        "current_position_tokens": figures.open_tokens,
        "current_position_cost_basis": figures.open_cost,
        "current_position_value": figures.open_value,
        "processed_at": None,
        "batch_id": None,
        "data_source": data_source,
    }


def ratio(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """Divide, None by nothing."""
    return Decimal(part) / whole if whole else None


def frequency(figures: PositionFigures) -> Decimal:
    """Return trades a day; all within a day count as one day's."""
    if figures.first_time is None or figures.last_time is None:
        return ZERO
    days = Decimal(figures.last_time - figures.first_time) / SECONDS_PER_DAY
    return figures.trade_count / max(Decimal(1), days)


def extras_row(wallet: str, token: str, figures: PositionFigures) -> Row:
    """Write what goes beyond the 22 fields; quantities are in base units, None for ALL_TOKENS."""
    quantities = figures.quantities
    return {
        "wallet_address": wallet,
        "token_address": token,
        "trade_count": figures.trade_count,
        "priced_trade_count": figures.priced_trades,
        "win_count": figures.wins,
        "loss_count": figures.losses,
        "round_trip_count": figures.round_trips,
        "matched_cost_usd": figures.matched_cost,
        "matched_proceeds_usd": figures.matched_proceeds,
        "unmatched_proceeds_usd": figures.unmatched_proceeds,
        "unpriced_disposal_cost_usd": figures.unpriced_disposal_cost,
        "unknown_basis_bought_usd": figures.unknown_basis_bought,
        "round_trip_usd": figures.round_trip,
        "basis_coverage": figures.basis_coverage,
        "mark_source": figures.mark_source,
        "open_unknown_tokens": figures.open_unknown_tokens,
        "unmatched_quantity": None if quantities is None else quantities.unmatched,
        "open_quantity": None if quantities is None else quantities.open_known,
        "open_unknown_quantity": None if quantities is None else quantities.open_unknown,
    }
