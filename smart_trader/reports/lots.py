"""The lots of one position: which sell closed which buy, what is left, and whether that comes to the position's row.

The project's FIFO engine matches the trades of `silver.wallet_trades`, as it did for `silver.position_pnl`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from smart_trader.config.variables import ProjectVariables
from smart_trader.fifo import TRADE_SCHEMA, Rules, fifo_matches, fifo_open_lots
from smart_trader.lake.reader import Lake

TRADE_ORDER = ("block_unix_time", "block_number", "side", "tx_hash")
# Lots keep twelve places, so that sums of thousands of them still hold to the sixth.
PLACES = Decimal("1e-12")
MONEY = Decimal("1e-6")
CENT = Decimal("0.01")
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
# The columns of silver.position_pnl that the lots come to.
SUMS = (
    "bought_usd",
    "sold_usd",
    "matched_proceeds_usd",
    "cost_of_sold_usd",
    "realized_pnl_usd",
    "unmatched_proceeds_usd",
    "unpriced_disposal_cost_usd",
    "open_cost_usd",
    "round_trip_usd",
)

Kind = Literal["matched", "unknown_cost", "unmatched"]


@dataclass(frozen=True, slots=True)
class Match:
    """A part of a sell, and the lot that it closed or took from.

    Attributes:
        kind: matched: the lot's cost is known. unknown_cost: it is not. unmatched: there was no lot.
        sell_tx: Transaction of the sell.
        sold_at: Its time.
        buy_tx: Transaction that bought the lot; None without a lot.
        bought_at: Its time.
        quantity: Base units sold from the lot.
        dust_quantity: Base units of the lot beyond those, so few that they were closed with it.
        cost_usd: What the lot had cost, dust included; None where that is not known.
        proceeds_usd: What the sell brought for this part; None where it has no price.
    """

    kind: Kind
    sell_tx: str | None
    sold_at: datetime
    buy_tx: str | None
    bought_at: datetime | None
    quantity: float
    dust_quantity: float
    cost_usd: Decimal | None
    proceeds_usd: Decimal | None

    @property
    def profit_usd(self) -> Decimal | None:
        """Proceeds less cost; None where one of them is not known."""
        if self.kind != "matched" or self.cost_usd is None or self.proceeds_usd is None:
            return None
        return self.proceeds_usd - self.cost_usd


@dataclass(frozen=True, slots=True)
class OpenLot:
    """What is left of a lot; its cost is None where it is not known."""

    buy_tx: str | None
    bought_at: datetime
    quantity: float
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What one transaction bought and sold of the token: in no lot, and in no profit."""

    tx: str | None
    at: datetime
    gain_usd: Decimal


@dataclass(frozen=True, slots=True)
class Lots:
    """All lots of a position, oldest sell first, and what they come to.

    Attributes:
        matches: Each match.
        open_lots: What is left.
        round_trips: What was bought and sold in one transaction.
        sums: Their sums by the columns of silver.position_pnl.
        later_count: Trades that came in after the calculation, which has none of them.
    """

    matches: Sequence[Match]
    open_lots: Sequence[OpenLot]
    round_trips: Sequence[RoundTrip]
    sums: Mapping[str, Decimal]
    later_count: int

    def differences(self, position: Mapping[str, Any]) -> dict[str, Decimal]:
        """Return by how much sums differ from the position's row, where it is a cent or more."""
        found = {name: self.sums[name] - position[name] for name in SUMS if position.get(name) is not None}
        return {name: value for name, value in found.items() if abs(value) >= CENT}


def read_lots(lake: Lake, wallet: str, token: str, covered_batch: int | None, settings: ProjectVariables) -> Lots:
    """Match the trades of a position.

    Args:
        lake: The lake.
        wallet: Its address.
        token: The token's address.
        covered_batch: The last batch of trades that the calculation has; None takes all trades.
        settings: The project's settings.

    Raises:
        SmartTraderError: The lake has no trades.
    """
    mine = (pc.field("wallet_address") == wallet) & (pc.field("token_address") == token)
    rules = Rules(settings.win_threshold_usd, settings.dust_share)
    return match_lots(lake.read("silver", "wallet_trades", where=mine), covered_batch, rules)


def match_lots(landed: pa.Table, covered_batch: int | None, rules: Rules) -> Lots:
    """Match the trades of a position that were read.

    Args:
        landed: Rows of silver.wallet_trades, of one wallet and token.
        covered_batch: As in `read_lots`.
        rules: What counts as a win and as dust.
    """
    taken = landed if covered_batch is None else landed.filter(pc.field("load_batch") <= covered_batch)
    trades = sorted_trades(taken)
    matches = _matches(trades, rules)
    open_lots = [_open_lot(trades, lot) for lot in fifo_open_lots(trades, rules).to_pylist()]
    round_trips = [
        RoundTrip(row["tx_hash"], _time(row["block_unix_time"]), _usd(row["round_trip_usd"]))
        for row in trades.to_pylist()
        if row["round_trip_usd"] is not None
    ]
    with localcontext(EXACT):
        sums = _sums(trades, matches, open_lots, round_trips)
    return Lots(matches, open_lots, round_trips, sums, landed.num_rows - taken.num_rows)


def sorted_trades(landed: pa.Table) -> pa.Table:
    """Return rows of silver.wallet_trades as the engine takes them, by the rules of the model `fifo_positions`."""
    is_both = pc.and_(pc.greater(landed["bought_quantity"], 0), pc.greater(landed["sold_quantity"], 0))
    columns = {name: landed[name] for name in TRADE_SCHEMA.names}
    # where a transaction nets to nothing, the side is never looked at
    columns["side"] = pc.fill_null(landed["side"], "buy")
    columns["round_trip_usd"] = pc.if_else(is_both, landed["round_trip_usd"], None)
    table = pa.table([columns[field.name].cast(field.type) for field in TRADE_SCHEMA], names=list(TRADE_SCHEMA.names))
    keys = ["wallet_address", "token_address", *TRADE_ORDER]
    return table.sort_by([(name, "ascending") for name in keys]).combine_chunks()


def _matches(trades: pa.Table, rules: Rules) -> list[Match]:
    rows = trades.to_pylist()
    by_sell: dict[int, list[dict[str, Any]]] = {}
    for match in fifo_matches(trades, rules).to_pylist():
        by_sell.setdefault(match["sell_row"], []).append(match)
    return [made for sell, found in by_sell.items() for made in _matches_of_sell(rows, rows[sell], found)]


def _matches_of_sell(
    rows: Sequence[dict[str, Any]], sell: dict[str, Any], found: Sequence[dict[str, Any]]
) -> list[Match]:
    """Return what became of one sell: a lot's dust is closed with it, and the sell's own counts as matched."""
    sold, left = sell["quantity"], sell["quantity"]
    taken = []
    for match in found:
        part = min(left, match["quantity"])
        taken.append(part)
        left -= part
    # a remainder that is no match of its own is dust, and the last lot's
    parts = [*taken[:-1], taken[-1] + left]
    matches = []
    for match, part, closed in zip(found, parts, taken, strict=True):
        buy = None if match["buy_row"] is None else rows[match["buy_row"]]
        kind: Kind = "unmatched" if buy is None else "matched" if match["is_basis_known"] else "unknown_cost"
        value = sell["value_usd"]
        matches.append(
            Match(
                kind,
                sell["tx_hash"],
                _time(sell["block_unix_time"]),
                buy["tx_hash"] if buy else None,
                _time(buy["block_unix_time"]) if buy else None,
                part,
                match["quantity"] - closed,
                _usd(match["cost_usd"]) if kind == "matched" else None,
                None if value is None else _usd(value * (part / sold)),
            )
        )
    return matches


def _open_lot(trades: pa.Table, lot: dict[str, Any]) -> OpenLot:
    (buy,) = trades.slice(lot["buy_row"], 1).to_pylist()
    cost = None if lot["unit_cost_usd"] is None else _usd(lot["quantity"] * lot["unit_cost_usd"])
    return OpenLot(buy["tx_hash"], _time(buy["block_unix_time"]), lot["quantity"], cost)


def _sums(
    trades: pa.Table, matches: Sequence[Match], open_lots: Sequence[OpenLot], round_trips: Sequence[RoundTrip]
) -> dict[str, Decimal]:
    rows = [row for row in trades.to_pylist() if row["quantity"] > 0 and row["value_usd"] is not None]
    priced = [match for match in matches if match.proceeds_usd is not None]
    known = [match for match in priced if match.kind == "matched"]
    unpriced = [match for match in matches if match.proceeds_usd is None]
    totals: dict[str, list[Decimal | None]] = {
        "bought_usd": [_usd(row["value_usd"]) for row in rows if row["side"] == "buy"],
        "sold_usd": [_usd(row["value_usd"]) for row in rows if row["side"] == "sell"],
        "matched_proceeds_usd": [match.proceeds_usd for match in known],
        "cost_of_sold_usd": [match.cost_usd for match in known],
        "realized_pnl_usd": [match.profit_usd for match in known],
        "unmatched_proceeds_usd": [match.proceeds_usd for match in priced if match.kind != "matched"],
        "unpriced_disposal_cost_usd": [match.cost_usd for match in unpriced],
        "open_cost_usd": [lot.cost_usd for lot in open_lots],
        "round_trip_usd": [trip.gain_usd for trip in round_trips],
    }
    return {name: _total(values) for name, values in totals.items()}


def _total(values: Sequence[Decimal | None]) -> Decimal:
    return EXACT.quantize(sum((value for value in values if value is not None), Decimal(0)), MONEY)


def _usd(value: float) -> Decimal:
    # not Decimal(value): a caller's context may trap floats
    return EXACT.quantize(Decimal.from_float(value), PLACES)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
