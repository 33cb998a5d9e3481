"""Trades of a person's own, from a JSON or CSV file, to the same file's answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from smart_trader.fifo.columns import TRADE_SCHEMA
from smart_trader.fifo.engine import NO_STATE, fifo_continue, fifo_matches
from smart_trader.fifo.errors import TradeInputError

CSV_COLUMNS = ("wallet", "token", "t", "side", "qty", "value")
SHOWN_DIGITS = 12
SHAPE_FIX = "see `python -m smart_trader.fifo --help` for the two shapes"


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """One trade of a file.

    Attributes:
        index: Its place in the input.
        at: Its time, to sort by.
        shown_time: Its time as it was written.
        value: Total USD; None is a missing price.
    """

    index: int
    at: datetime
    shown_time: Any
    side: str
    quantity: float
    value: float | None
    seq: float
    tie: tuple[Any, ...]


def answers_of_file(path: Path) -> list[dict[str, Any]]:
    """Compute each trace of a file.

    Args:
        path: `.csv` with the columns of `CSV_COLUMNS`, anything else JSON: a list of `{id, trades}`.

    Returns:
        Per id the sells (place in the input, quantities, cost, realized) and the lots left, as decimal text.

    Raises:
        TradeInputError: The file or a trade in it cannot be used; names the trace and the trade.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TradeInputError(0, f"cannot read {path}: {error}", "name a readable JSON or CSV file") from None
    traces = _csv_traces(text) if path.suffix.lower() == ".csv" else _json_traces(text)
    return [_answer(name, trades) for name, trades in traces]


def _json_traces(text: str) -> Iterable[tuple[str, list[OwnTrade]]]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise TradeInputError(0, f"not JSON: {error}", SHAPE_FIX) from None
    if not isinstance(content, list) or not all(isinstance(one, dict) and "trades" in one for one in content):
        raise TradeInputError(0, "not a list of {id, trades}", SHAPE_FIX)
    for number, trace in enumerate(content):
        name = str(trace.get("id", number))
        # equal times keep the order given, unless seq says otherwise
        yield name, [_trade(name, index, row, (index,)) for index, row in enumerate(trace["trades"])]


def _csv_traces(text: str) -> Iterable[tuple[str, list[OwnTrade]]]:
    rows = csv.DictReader(text.splitlines())
    missing = [name for name in CSV_COLUMNS if name not in (rows.fieldnames or [])]
    if missing:
        raise TradeInputError(0, f"no column {', '.join(missing)}", f"the columns are {', '.join(CSV_COLUMNS)}")
    traces: dict[str, list[OwnTrade]] = {}
    for index, row in enumerate(rows):
        if not row["wallet"] or not row["token"]:
            raise TradeInputError(index, "wallet or token is empty", "every trade needs both")
        name = f"{row['wallet']}/{row['token']}"
        # in a table the order of rows means nothing: equal times go buys first, then by amount
        tie = (row["side"] == "sell", row.get("tx_hash") or "", row["qty"], row["value"])
        traces.setdefault(name, []).append(_trade(name, index, row, tie))
    yield from traces.items()


def _trade(trace: str, index: int, row: dict[str, Any], tie: tuple[Any, ...]) -> OwnTrade:
    side = row.get("side")
    if side not in ("buy", "sell"):
        raise TradeInputError(index, f"{trace}: unknown side {side!r}", "a side is buy or sell")
    quantity = _number(trace, index, row, "qty")
    if quantity is None:
        raise TradeInputError(index, f"{trace}: no qty", "every trade needs one")
    value = _number(trace, index, row, "value")
    price = _number(trace, index, row, "price")
    if value is None and price is not None:
        value = price * quantity
    seq = _number(trace, index, row, "seq") or 0.0
    return OwnTrade(index, _time(trace, index, row.get("t")), row.get("t"), side, quantity, value, seq, tie)


def _number(trace: str, index: int, row: dict[str, Any], name: str) -> float | None:
    raw = row.get(name)
    if raw is None or raw == "":
        return None
    try:
        number = float(raw)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0.0 <= number < float("inf"):
        raise TradeInputError(index, f"{trace}: {name} is {raw!r}", "amounts are finite and not negative")
    return number


def _time(trace: str, index: int, raw: Any) -> datetime:
    try:
        if isinstance(raw, int) or str(raw).lstrip("-").isdigit():
            return datetime.fromtimestamp(int(raw), UTC)
        at = datetime.fromisoformat(str(raw))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        raise TradeInputError(index, f"{trace}: t is {raw!r}", "a time is seconds since 1970 or an ISO time") from None


def _answer(name: str, trades: list[OwnTrade]) -> dict[str, Any]:
    ordered = sorted(trades, key=lambda trade: (trade.at, trade.seq, *trade.tie))
    table = pa.table(
        {
            "wallet_address": [name] * len(ordered),
            "token_address": [name] * len(ordered),
            "block_unix_time": [int(trade.at.timestamp()) for trade in ordered],
            "side": [trade.side for trade in ordered],
            "quantity": [trade.quantity for trade in ordered],
            "value_usd": pa.array([trade.value for trade in ordered], pa.float64()),
            # the order is settled above; as a block number it holds also where times are equal
            "block_number": list(range(len(ordered))),
        },
        schema=pa.schema([TRADE_SCHEMA.field(column) for column in TRADE_SCHEMA.names[:7]]),
    )
    return {"id": name, "sells": _sells(ordered, fifo_matches(table)), "open_lots": _open_lots(ordered, table)}


def _sells(ordered: list[OwnTrade], matches: pa.Table) -> list[dict[str, Any]]:
    parts: dict[int, list[dict[str, Any]]] = {}
    for match in matches.to_pylist():
        parts.setdefault(match["sell_row"], []).append(match)
    sells = []
    for row, trade in enumerate(ordered):
        if trade.side != "sell":
            continue
        known = [match for match in parts.get(row, []) if match["is_basis_known"]]
        matched = min(sum(match["quantity"] for match in known), trade.quantity)
        cost = sum(match["cost_usd"] for match in known)
        realized = None
        if trade.value is not None:
            realized = trade.value * matched / trade.quantity - cost if trade.quantity else 0.0
        sells.append(
            {
                "i": trade.index,
                "matched_qty": shown(matched),
                "unmatched_qty": shown(trade.quantity - matched),
                "cost": shown(cost),
                "realized": shown(realized),
            }
        )
    return sorted(sells, key=lambda sell: sell["i"])


def _open_lots(ordered: list[OwnTrade], table: pa.Table) -> list[dict[str, Any]]:
    if not ordered:
        return []
    _, state = fifo_continue(NO_STATE, table)
    _, quantities, prices, _, known, rows = state.book.lots
    return [
        {
            "t": ordered[row].shown_time,
            "qty": shown(quantity),
            "price": shown(price) if is_known else None,
        }
        for quantity, price, is_known, row in zip(quantities, prices, known, rows, strict=True)
    ]


def shown(number: float | None) -> str | None:
    """Return a number as plain decimal text; float noise beyond twelve digits is not shown."""
    if number is None:
        return None
    text = f"{number:.{SHOWN_DIGITS}g}"
    if "e" in text:
        text = f"{float(text):.30f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
