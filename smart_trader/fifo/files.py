"""Trades of a person's own, from a JSON or CSV file, to the same file's answers."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import pyarrow as pa

from smart_trader.clock import BLANKS, NO_TIMESTAMP, parse_timestamp
from smart_trader.errors import SettingsError
from smart_trader.fifo.columns import TRADE_SCHEMA
from smart_trader.fifo.engine import fifo_matches, fifo_open_lots
from smart_trader.fifo.errors import TradeInputError
from smart_trader.text_files import read_text

CSV_COLUMNS = ("wallet", "token", "t", "side", "qty", "value")
TRADE_FIELDS = ("t", "side", "qty", "value", "price", "seq")
KNOWN_CSV_COLUMNS = (*CSV_COLUMNS, "price", "seq", "tx_hash")
# Significant digits of USD; float noise lies beyond them. Quantities are shown to their last digit.
SHOWN_DIGITS = 12
SHOWN_CHARACTERS = 60
SHAPE_FIX = "see `python -m smart_trader.fifo --help` for the two shapes"
NAMES = ("wallet", "token", "tx_hash")
NAME_FIX = "remove it: a name is of letters, digits and signs that can be seen, on one line"
AMOUNT_FIX = "an amount is 0, or from 1e-30 to 1e30: digits with a point at most, no sign, no separators"
FEE_FIX = "add the fee of a buy to its value and take that of a sell off it, then leave {name} out"
MIN_AMOUNT, MAX_AMOUNT = Decimal("1e-30"), Decimal("1e30")
# Sums of amounts within those limits, of a hundred digits each, stay exact.
EXACT = Context(prec=400)

_AMOUNT = re.compile("[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,4})?")
_AMOUNT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """One trade of a file.

    Attributes:
        index: Its place in the input.
        at: Its time, to sort by.
        shown_time: Its time as it was written.
        quantity: Exactly as it was written.
        value: Total USD; None is a missing price.
        tie: What decides between trades of one time and seq.
    """

    index: int
    at: datetime
    shown_time: Any
    side: str
    quantity: Decimal
    value: Decimal | None
    seq: Decimal
    tie: tuple[Any, ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """What trades are sorted by."""
        return (self.at, self.seq, *self.tie)


def _ignore(_: str) -> None:
    """Report to nobody."""


def answers_of_file(path: Path, report: Callable[[str], None] = _ignore) -> list[dict[str, Any]]:
    """Compute each trace of a file.

    Args:
        path: `.csv` with the columns of `CSV_COLUMNS`, anything else JSON: a list of `{id, trades}`.
        report: Takes a line about what in the file counts for nothing.

    Returns:
        Per id the sells (place in the input, quantities, cost, realized) and the lots left, as decimal text.

    Raises:
        TradeInputError: The file or a trade in it cannot be used; names the trace and the trade.
    """
    try:
        text = read_text(path, str(path), "name a readable JSON or CSV file")
    except SettingsError as error:
        raise TradeInputError(None, error.what, error.fix) from None
    with localcontext(EXACT):
        traces = _csv_traces(text, report) if path.suffix.lower() == ".csv" else _json_traces(text, report)
        return [_answer(name, trades) for name, trades in traces]


def _json_traces(text: str, report: Callable[[str], None]) -> Iterable[tuple[str, list[OwnTrade]]]:
    try:
        # numbers keep their digits; NaN and Infinity become text, which is refused with its trade's name
        content = json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise TradeInputError(None, f"not JSON: {error}", SHAPE_FIX) from None
    if not isinstance(content, list) or not all(isinstance(one, dict) and "trades" in one for one in content):
        raise TradeInputError(None, "not a list of {id, trades}", SHAPE_FIX)
    unknown: dict[str, None] = {}
    traces = []
    for number, trace in enumerate(content):
        name = str(trace.get("id", number))
        _check_name(None, "id", name)
        rows = trace["trades"]
        if not isinstance(rows, list):
            raise TradeInputError(None, f"{name}: trades is {_short(rows)}, not a list", SHAPE_FIX)
        for index, row in enumerate(rows):
            if not isinstance(row, dict):
                raise TradeInputError(index, f"{name}: {_short(row)} is not an object", SHAPE_FIX)
            unknown.update(dict.fromkeys(_unknown_fields(index, row, TRADE_FIELDS)))
        # equal times keep the order given, unless seq sets another
        traces.append((name, [_trade(name, index, row, (index,)) for index, row in enumerate(rows)]))
    _report_unknown(unknown, report)
    return traces


def _csv_traces(text: str, report: Callable[[str], None]) -> Iterable[tuple[str, list[OwnTrade]]]:
    # strict: an unclosed quote would take the rest of the file for one field
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    traces: dict[str, list[OwnTrade]] = {}
    try:
        header = list(rows.fieldnames or [])
        _check_header(header)
        _report_unknown(_unknown_fields(None, header, KNOWN_CSV_COLUMNS), report)
        for index, row in enumerate(rows):
            try:
                name, trade = _csv_trade(index, row, len(header))
            except TradeInputError as error:
                raise error.at_line(rows.line_num) from None
            traces.setdefault(name, []).append(trade)
    except csv.Error as error:
        raise TradeInputError(None, f"not CSV: line {rows.line_num}: {error}", SHAPE_FIX) from None
    return traces.items()


def _csv_trade(index: int, row: dict[Any, Any], width: int) -> tuple[str, OwnTrade]:
    """Return the trace that a row belongs to, and its trade."""
    found = width - sum(value is None for value in row.values()) + len(row.get(None) or ())
    if found != width:
        raise TradeInputError(
            index, f"{found} fields where the header has {width}", "an empty field needs its comma too"
        )
    # blanks around a name would part the lots of one token
    names = {column: row[column].strip(BLANKS) for column in NAMES if column in row}
    if not names["wallet"] or not names["token"]:
        raise TradeInputError(index, "wallet or token is empty", "every trade needs both")
    for column, text in names.items():
        _check_name(index, column, text)
    trace = f"{names['wallet']}/{names['token']}"
    return trace, _table_trade(trace, index, {**row, **names})


def _check_name(index: int | None, column: str, text: str) -> None:
    """Refuse a name with signs that cannot be seen: two that look alike would have lots of their own."""
    hidden = next((sign for sign in text if not sign.isprintable()), None)
    if hidden is not None:
        raise TradeInputError(
            index, f"{column} is {_short(text)}, with the sign U+{ord(hidden):04X} that cannot be seen", NAME_FIX
        )


def _check_header(header: list[str]) -> None:
    missing = [name for name in CSV_COLUMNS if name not in header]
    if missing:
        raise TradeInputError(None, f"no column {', '.join(missing)}", f"the columns are {', '.join(CSV_COLUMNS)}")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TradeInputError(None, f"column {', '.join(twice)} is there twice", "leave one of them out")


def _unknown_fields(index: int | None, names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names that count for nothing; a fee would change the money, so it is refused."""
    unknown = [name for name in names if name not in known]
    for name in unknown:
        if "fee" in name.lower():
            raise TradeInputError(index, f"{name[:SHOWN_CHARACTERS]!r} is not read", FEE_FIX.format(name="it"))
    return unknown


def _report_unknown(names: Iterable[str], report: Callable[[str], None]) -> None:
    shown = ", ".join(repr(name[:SHOWN_CHARACTERS]) for name in names)
    if shown:
        report(f"not read, and without effect: {shown}")


def _table_trade(trace: str, index: int, row: Mapping[str, Any]) -> OwnTrade:
    """Read a row of a table, where the order of rows means nothing.

    Equal times go buys first, then by transaction, then the smaller amount and the smaller value first.
    """
    trade = _trade(trace, index, row, ())
    is_priced = trade.value is not None
    tie = (trade.side == "sell", row.get("tx_hash") or "", trade.quantity, is_priced, trade.value or 0)
    return OwnTrade(index, trade.at, trade.shown_time, trade.side, trade.quantity, trade.value, trade.seq, tie)


def _trade(trace: str, index: int, row: Mapping[str, Any], tie: tuple[Any, ...]) -> OwnTrade:
    side = row.get("side")
    if side not in ("buy", "sell"):
        raise TradeInputError(index, f"{trace}: unknown side {_short(side)}", "a side is buy or sell")
    quantity = _number(trace, index, row, "qty")
    if quantity is None:
        raise TradeInputError(index, f"{trace}: no qty", "every trade needs one")
    value = _number(trace, index, row, "value")
    price = _number(trace, index, row, "price")
    if value is None and price is not None:
        value = price * quantity
    seq = _number(trace, index, row, "seq") or Decimal(0)
    raw = row.get("t")
    return OwnTrade(index, _time(trace, index, raw), _as_json(raw), side, quantity, value, seq, tie)


def _number(trace: str, index: int, row: Mapping[str, Any], name: str) -> Decimal | None:
    raw = row.get(name)
    if raw is None or raw == "":
        return None
    text = str(raw).strip(BLANKS) if isinstance(raw, str | Decimal) else ""
    number = Decimal(text) if len(text) <= _AMOUNT_CHARACTERS and _AMOUNT.fullmatch(text) else None
    if number is None or (number and not MIN_AMOUNT <= number <= MAX_AMOUNT):
        raise TradeInputError(index, f"{trace}: {name} is {_short(raw)}", AMOUNT_FIX)
    return number


def _time(trace: str, index: int, raw: Any) -> datetime:
    try:
        if isinstance(raw, Decimal):
            return parse_timestamp(str(_as_json(raw)))
        return parse_timestamp(raw if isinstance(raw, str) else "")
    except SettingsError as error:
        hint = error.what.partition(NO_TIMESTAMP)[2]
        raise TradeInputError(index, f"{trace}: t is {_short(raw)}{hint}", error.fix) from None


def _as_json(raw: Any) -> Any:
    """Return a number as JSON writes it: one with a point or an exponent may still be whole."""
    if not isinstance(raw, Decimal):
        return raw
    if abs(raw.adjusted()) > _AMOUNT_CHARACTERS:
        return str(raw)
    return int(raw) if raw == raw.to_integral_value() else float(raw)


def _short(raw: Any) -> str:
    text = str(raw) if isinstance(raw, Decimal) else repr(raw)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _answer(name: str, trades: list[OwnTrade]) -> dict[str, Any]:
    ordered = sorted(trades, key=lambda trade: trade.order)
    values = [None if trade.value is None else float(trade.value) for trade in ordered]
    table = pa.table(
        {
            "wallet_address": [name] * len(ordered),
            "token_address": [name] * len(ordered),
            "block_unix_time": [int(trade.at.timestamp()) for trade in ordered],
            "side": [trade.side for trade in ordered],
            "quantity": [float(trade.quantity) for trade in ordered],
            "value_usd": pa.array(values, pa.float64()),
            # the order is settled above; as a block number it holds also where times are equal
            "block_number": list(range(len(ordered))),
        },
        schema=pa.schema([TRADE_SCHEMA.field(column) for column in TRADE_SCHEMA.names[:7]]),
    )
    exact = _exact_matches(ordered, fifo_matches(table))
    return {"id": name, "sells": _sells(ordered, exact), "open_lots": _open_lots(ordered, table, exact)}


@dataclass(frozen=True, slots=True)
class ExactMatches:
    """What the engine matched, in exact quantities: it computes in float64, which blurs from 2^53 on.

    Attributes:
        known: Of each sell the quantity matched to lots of a known cost.
        cost: Of each sell what those lots had cost, in USD.
        left: Of each buy what is not sold.
    """

    known: dict[int, Decimal]
    cost: dict[int, float]
    left: dict[int, Decimal]


def _exact_matches(ordered: list[OwnTrade], matches: pa.Table) -> ExactMatches:
    """Follow the engine's matches, which settle what closes what, with the quantities as they were written."""
    left = {row: trade.quantity for row, trade in enumerate(ordered)}
    known = dict.fromkeys(left, Decimal(0))
    cost = dict.fromkeys(left, 0.0)
    for match in matches.to_pylist():
        sell, buy = match["sell_row"], match["buy_row"]
        if buy is None:
            continue
        taken = min(left[sell], left[buy])
        left[sell] -= taken
        left[buy] -= taken
        if match["is_basis_known"]:
            known[sell] += taken
            cost[sell] += match["cost_usd"]
    return ExactMatches(known, cost, left)


def _sells(ordered: list[OwnTrade], exact: ExactMatches) -> list[dict[str, Any]]:
    sells = []
    for row, trade in enumerate(ordered):
        if trade.side != "sell":
            continue
        matched, cost = exact.known[row], exact.cost[row]
        realized = None
        if trade.value is not None:
            realized = float(trade.value * matched / trade.quantity) - cost if trade.quantity else 0.0
        sells.append(
            {
                "i": trade.index,
                "matched_qty": plain(matched),
                "unmatched_qty": plain(trade.quantity - matched),
                "cost": shown(cost),
                "realized": shown(realized),
            }
        )
    return sorted(sells, key=lambda sell: sell["i"])


def _open_lots(ordered: list[OwnTrade], table: pa.Table, exact: ExactMatches) -> list[dict[str, Any]]:
    if not ordered:
        return []
    return [
        {
            "t": ordered[lot["buy_row"]].shown_time,
            "qty": plain(exact.left[lot["buy_row"]]),
            "price": shown(lot["unit_cost_usd"]),
        }
        for lot in fifo_open_lots(table).to_pylist()
    ]


def shown(number: float | None) -> str | None:
    """Return USD as plain decimal text; float noise beyond twelve digits is not shown."""
    return None if number is None else plain(Decimal(f"{number:.{SHOWN_DIGITS}g}"))


def plain(number: Decimal) -> str:
    """Return a number to its last digit, without an exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
