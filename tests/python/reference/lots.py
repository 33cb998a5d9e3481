"""FIFO: buys open lots, sells close the oldest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from .trades import BILLION, Trade

SIX_PLACES = Decimal("0.000001")


def money(usd: Decimal) -> Decimal:
    """Round to the digits that are stored."""
    return usd.quantize(SIX_PLACES, rounding=ROUND_HALF_EVEN)


@dataclass(slots=True)
class Lot:
    """An open buy; one of unknown basis has cost 0 and is distinguished by its flag."""

    opened_at: int
    quantity: int
    cost: Decimal
    is_known: bool


@dataclass(slots=True)
class Match:
    """Part of a sell against a lot; `closed` exceeds `part` where a dust remainder of the lot went with it."""

    opened_at: int
    is_known: bool
    part: int
    closed: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Sell:
    """What a priced sell came to; `pnl` is rounded, as the win test sees it."""

    tx_hash: str
    pnl: Decimal
    matched_quantity: int
    cost: Decimal


@dataclass(slots=True)
class Position:
    """Exact totals of one wallet and token."""

    lots: deque[Lot] = field(default_factory=deque)
    peak: int = 0
    sells: list[Sell] = field(default_factory=list)
    wins: int = 0
    losses: int = 0
    priced_trades: int = 0
    bought_usd: Decimal = Decimal(0)
    unknown_basis_bought_usd: Decimal = Decimal(0)
    sold_usd: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    matched_cost: Decimal = Decimal(0)
    matched_proceeds: Decimal = Decimal(0)
    unmatched_proceeds: Decimal = Decimal(0)
    unpriced_disposal_cost: Decimal = Decimal(0)
    cost_hours: Decimal = Decimal(0)
    bought_quantity: int = 0
    sold_quantity: int = 0
    closed_quantity: int = 0
    unmatched_quantity: int = 0

    def open_quantity(self, is_known: bool) -> int:
        """Return the open quantity of known, or of unknown, basis."""
        return sum(lot.quantity for lot in self.lots if lot.is_known == is_known)

    def open_cost(self) -> Decimal:
        """Return the cost left in lots of known basis."""
        return sum((lot.cost for lot in self.lots), Decimal(0))


def run_fifo(trades: Iterable[Trade], win_threshold_usd: Decimal) -> Position:
    """Take one token's trades, in order."""
    position = Position()
    for trade in trades:
        position.priced_trades += trade.is_priced
        if trade.is_buy:
            buy(position, trade)
        else:
            sell(position, trade, win_threshold_usd)
    return position


def buy(position: Position, trade: Trade) -> None:
    """Open a lot."""
    usd = trade.usd or Decimal(0)
    is_known = trade.is_priced and trade.basis_known
    position.lots.append(Lot(trade.block_unix_time, trade.quantity, usd if is_known else Decimal(0), is_known))
    position.bought_quantity += trade.quantity
    position.bought_usd += usd
    if not is_known:
        position.unknown_basis_bought_usd += usd
    position.peak = max(position.peak, sum(lot.quantity for lot in position.lots))


def close_lots(lots: deque[Lot], quantity: int, peak: int) -> tuple[list[Match], int]:
    """Close the oldest lots; return the matches and the quantity that found no lot.

    Dust is a billionth of the peak: such a rest of a lot, or of a sell that used up all lots, is left nowhere.
    """
    matches: list[Match] = []
    left = quantity
    while left > 0 and lots:
        lot = lots[0]
        part = min(left, lot.quantity)
        rest = lot.quantity - part
        left -= part
        if rest * BILLION <= peak:
            matches.append(Match(lot.opened_at, lot.is_known, part, lot.quantity, lot.cost))
            lots.popleft()
        else:
            cost = lot.cost * part / lot.quantity
            matches.append(Match(lot.opened_at, lot.is_known, part, part, cost))
            lot.quantity, lot.cost = rest, lot.cost - cost
    if matches and left * BILLION <= peak:
        matches[-1].part += left
        left = 0
    return matches, left


def sell(position: Position, trade: Trade, win_threshold_usd: Decimal) -> None:
    """Close lots; only the part that met a known basis has a PnL."""
    matches, left = close_lots(position.lots, trade.quantity, position.peak)
    if not position.lots:
        position.peak = 0
    known = [match for match in matches if match.is_known]
    cost = sum((match.cost for match in known), Decimal(0))
    position.sold_quantity += trade.quantity
    position.closed_quantity += sum(match.closed for match in matches)
    position.unmatched_quantity += left
    if trade.usd is None:
        position.unpriced_disposal_cost += cost
        return
    matched = sum(match.part for match in known)
    proceeds = trade.usd * matched / trade.quantity
    position.sold_usd += trade.usd
    position.matched_proceeds += proceeds
    position.unmatched_proceeds += trade.usd - proceeds
    position.matched_cost += cost
    position.realized += proceeds - cost
    for match in known:
        position.cost_hours += match.cost * (trade.block_unix_time - match.opened_at) / 3600
    pnl = money(proceeds - cost)
    position.sells.append(Sell(trade.tx_hash, pnl, matched, cost))
    position.wins += matched > 0 and pnl > win_threshold_usd
    position.losses += matched > 0 and pnl < -win_threshold_usd
