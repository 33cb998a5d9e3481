"""FIFO in exact decimals and plain lists: the reference of the compiled engine. It shares no code with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

ZERO = Decimal(0)
DUST = Decimal("1e-9")
CENT = Decimal("0.000001")
HOUR = 3600


@dataclass
class Trade:
    """One trade; a value of None is a missing price."""

    time: int
    side: str
    quantity: int
    value: Decimal | None
    is_unknown: bool = False
    round_trip: Decimal | None = None


@dataclass
class Lot:
    time: int
    quantity: Decimal
    cost: Decimal
    known: bool


@dataclass
class Position:
    """The figures of one position, named as the engine names them."""

    counts: dict[str, int] = field(default_factory=dict)
    sums: dict[str, Decimal] = field(default_factory=dict)
    lots: list[Lot] = field(default_factory=list)
    held: list[tuple[int, Decimal]] = field(default_factory=list)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def add(self, name: str, amount: Decimal) -> None:
        self.sums[name] = self.sums.get(name, ZERO) + amount

    def medians(self) -> set[int]:
        """Hold times that may be called the middle one; two where the weight splits exactly there."""
        total = sum((quantity for _, quantity in self.held), ZERO)
        edge, below, found = total * Decimal("1e-9"), ZERO, set()
        for seconds, quantity in sorted(self.held):
            if below + quantity >= total / 2 - edge and below <= total / 2 + edge:
                found.add(seconds)
            below += quantity
        return found


def compute(trades: list[Trade]) -> Position:
    """Compute one position from its sorted trades."""
    with localcontext(Context(prec=60)):
        return _compute(trades)


def _compute(trades: list[Trade]) -> Position:
    position, peak = Position(), ZERO
    for trade in trades:
        if trade.round_trip is not None:
            position.count("round_trip_count")
            position.add("round_trip_usd", trade.round_trip)
        if not trade.quantity:
            continue
        quantity = Decimal(trade.quantity)
        position.add(f"{'bought' if trade.side == 'buy' else 'sold'}_quantity", quantity)
        position.count(f"{trade.side}_count")
        if trade.side == "buy":
            _buy(position, trade, quantity)
            peak = max(peak, sum(lot.quantity for lot in position.lots))
        else:
            _sell(position, trade, quantity, DUST * peak)
            peak = peak if position.lots else ZERO
    return position


def _buy(position: Position, trade: Trade, quantity: Decimal) -> None:
    known = trade.value is not None and not trade.is_unknown
    if trade.value is None:
        position.count("unpriced_buy_count")
    else:
        position.add("bought_usd", trade.value)
    if not known:
        position.count("unknown_basis_lot_count")
    position.lots.append(Lot(trade.time, quantity, trade.value if known and trade.value is not None else ZERO, known))


def _sell(position: Position, trade: Trade, quantity: Decimal, dust: Decimal) -> None:
    left, known, cost, last_known = quantity, ZERO, ZERO, False
    while left and position.lots:
        lot = position.lots[0]
        taken = min(left, lot.quantity)
        closes = lot.quantity - taken <= dust
        matched = lot.quantity if closes else taken
        part = lot.cost if closes else lot.cost * taken / lot.quantity
        left -= taken
        last_known = lot.known
        position.add("matched_quantity" if lot.known else "unknown_basis_quantity", matched)
        if lot.known:
            known, cost = known + taken, cost + part
            if trade.value is not None:
                hours = Decimal(trade.time - lot.time) / HOUR
                position.add("held_cost_hours", hours * part)
                position.add("held_quantity_hours", hours * matched)
                position.held.append((trade.time - lot.time, matched))
        if closes:
            position.lots.pop(0)
        else:
            lot.quantity -= taken
            lot.cost -= part
    if ZERO < left <= dust:
        known += left if last_known else ZERO
        position.add("matched_quantity" if last_known else "unknown_basis_quantity", left)
        left = ZERO
    position.add("short_quantity", left)
    _settle(position, trade.value, known / quantity, known > 0, cost)


def _settle(position: Position, value: Decimal | None, share: Decimal, has_basis: bool, cost: Decimal) -> None:
    if value is None:
        position.count("unpriced_sell_count")
        position.add("unpriced_disposal_cost_usd", cost)
        return
    position.add("sold_usd", value)
    position.add("matched_proceeds_usd", value * share)
    position.add("unmatched_proceeds_usd", value * (1 - share))
    if not has_basis:
        return
    profit = value * share - cost
    position.count("matched_sell_count")
    position.add("cost_of_sold_usd", cost)
    position.add("realized_pnl_usd", profit)
    position.add("gross_profit_usd" if profit > 0 else "gross_loss_usd", abs(profit))
    rounded = profit.quantize(CENT, ROUND_HALF_EVEN)
    position.count("win_count" if rounded > 1 else "loss_count" if rounded < -1 else "neutral_count")
