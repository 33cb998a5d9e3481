"""The endpoints that are no lists: a token's creation, prices of several tokens, transfers, the account's credits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from smart_trader import birdeye
from smart_trader.sandbox.answers import RefusedError
from smart_trader.sandbox.source import Row, Source, TransferQuery

Asked = Mapping[str, Any]

LATEST = 10**10
CYCLE_S = 30 * 86_400
# units of the account's month
CYCLE_CU = 5_000_000
# a token that nothing is known of is null in the map of prices, or, one in so many, left out of it
LEFT_OUT = 5


def token_creation(source: Source, asked: Asked, now: int) -> dict[str, Any]:
    """Answer `/defi/token_creation_info`; null for a token whose making is not known.

    Raises:
        RefusedError: The address is missing.
    """
    return {"success": True, "data": source.creation_at(_text(asked, "address"), now)}


def multi_price(source: Source, asked: Asked, now: int) -> dict[str, Any]:
    """Answer `/defi/multi_price`: a map of mint to price, null or missing where there is none.

    Raises:
        RefusedError: There is no list, it is too long, or an option has no value that it takes.
    """
    mints = priced_mints(asked)
    if len(mints) > birdeye.PRICED_TOKENS:
        raise RefusedError(400, f"list_address should have at most {birdeye.PRICED_TOKENS} addresses")
    least = _number(asked, "check_liquidity", 0.0, float("inf"))
    with_liquidity = _choice(asked, "include_liquidity", ("true", "false")) == "true"
    mode = _choice(asked, "ui_amount_mode", ("raw", "scaled", "both"))
    found: dict[str, Row | None] = {}
    for mint in mints:
        row = source.price_at(mint, now)
        if row is None and sum(mint.encode("utf-8", "surrogatepass")) % LEFT_OUT == 0:
            continue
        if row is not None and least is not None and row["liquidity"] < least:
            row = None
        found[mint] = _shown(row, with_liquidity, mode) if row is not None else None
    return {"success": True, "data": found}


def priced_mints(asked: Asked) -> list[str]:
    """Return the mints that prices are asked for, each once."""
    return list(dict.fromkeys(filter(None, map(str.strip, _text(asked, "list_address").split(",")))))


def _shown(row: Row, with_liquidity: bool, mode: str | None) -> Row:
    shown = dict(row) if with_liquidity else {name: value for name, value in row.items() if name != "liquidity"}
    if mode in ("scaled", "both"):
        shown |= {"scaledValue": row["value"], "multiplier": 1, "scaledPriceInNative": row["priceInNative"]}
    return shown


def wallet_transfers(source: Source, asked: Asked, now: int) -> dict[str, Any]:
    """Answer `/wallet/v2/transfer`, newest first; `cursor` is there where more can be had with it.

    Raises:
        RefusedError: The wallet is missing, or an option has no value that it takes.
    """
    wallet = _text(asked, "wallet")
    cursor = asked.get("cursor", "0")
    if not isinstance(cursor, str) or not cursor.isdecimal() or len(cursor) > 9:
        raise RefusedError(400, "cursor invalid format")
    token = _text(asked, "token_address") if asked.get("token_address") is not None else None
    after, before = _whole(asked, "time_from", 0, LATEST), _whole(asked, "time_to", 0, LATEST)
    limit = _whole(asked, "limit", 1, birdeye.PAGE_ROWS)
    limit = birdeye.PAGE_ROWS if limit is None else limit
    flow = _choice(asked, "flow", ("in", "out"))
    query = TransferQuery(wallet, token, flow, after or 0, before, int(cursor), limit)
    rows, has_more = source.transfer_rows(query, now)
    body: dict[str, Any] = {"success": True, "data": rows}
    return {**body, "cursor": str(query.offset + limit)} if has_more else body


def credits_used(spent: Counter[int], asked: Asked, now: int) -> dict[str, Any]:
    """Answer `/utils/v1/credits` from the units that each second of the clock cost.

    Without bounds it is the running month, and what is left of it; within bounds of one's own nothing is left.

    Raises:
        RefusedError: A bound is none, or they are the wrong way round.
    """
    begin, end = _whole(asked, "time_from", 0, LATEST), _whole(asked, "time_to", 0, LATEST)
    is_cycle = begin is None and end is None
    end = now if end is None else end
    begin = end - CYCLE_S if begin is None else begin
    if begin > end:
        raise RefusedError(400, "time_from should be less than or equal to time_to")
    used = sum(units for time, units in spent.items() if begin <= time <= end)
    data: dict[str, Any] = {"start_time": begin, "end_time": end, "usage": _units(used)}
    if is_cycle:
        data["remaining"] = _units(max(0, CYCLE_CU - used))
        data["overage_usage"] = _units(max(0, used - CYCLE_CU))
        data["overage_cost"] = _units(0)
    return {"data": data, "success": True}


def price_cu(path: str, asked: Asked) -> int:
    """Return the compute units of a request."""
    if path == birdeye.MULTI_PRICE:
        mints = asked.get("list_address")
        return birdeye.multi_price_cu(len(mints.split(",")) if isinstance(mints, str) else 1)
    return birdeye.PRICES_CU.get(path, birdeye.DEFAULT_PRICE_CU)


def _units(api: int) -> dict[str, int]:
    return {"total": api, "api": api, "ws": 0}


def _text(asked: Asked, name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RefusedError(400, f"{name} invalid format")
    return value


def _choice(asked: Asked, name: str, choices: tuple[str, ...]) -> str | None:
    """Return an option's value as text; a JSON body may have true in place of "true"."""
    value = asked.get(name)
    text = str(value).lower() if isinstance(value, bool) else value
    if text is not None and text not in choices:
        raise RefusedError(400, f"{name} invalid format")
    return text


def _number(asked: Asked, name: str, low: float, high: float) -> float | None:
    """Return an option's number: of a query it is text, of a JSON body it is not."""
    value = asked.get(name)
    if value is None:
        return None
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not low <= number <= high:
        raise RefusedError(400, f"{name} should be number, range {low:g}-{high:g}")
    return number


def _whole(asked: Asked, name: str, low: int, high: int) -> int | None:
    number = _number(asked, name, low, high)
    if number is not None and not number.is_integer():
        raise RefusedError(400, f"{name} should be integer, range {low}-{high}")
    return None if number is None else int(number)
