"""The rules of the endpoints that list rows: parameters, filters, sorting, time bounds, paging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from smart_trader.birdeye import MAX_OFFSET, PAGE_ROWS
from smart_trader.sandbox.replay import render
from smart_trader.sandbox.source import Row, Source, SwapQuery

FILTER = re.compile(r"(min|max)_(\w+)")
MOST_DIGITS = 10
SCALED = {"is_scaled_ui_token": False, "multiplier": None}


class RefusedError(Exception):
    """A request the API would refuse.

    Attributes:
        status: HTTP status.
        message: What the body says.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class Answer(NamedTuple):
    """A page of rows, each as JSON; `has_next` is None where the API does not say."""

    items: list[str]
    has_next: bool | None


def token_list(source: Source, query: Mapping[str, str], now: int) -> Answer:
    """Answer `/defi/v3/token/list`.

    Raises:
        RefusedError: A parameter is missing or out of range.
    """
    offset, limit = _page(query)
    field, direction = query.get("sort_by", ""), query.get("sort_type", "")
    if direction not in ("asc", "desc"):
        raise RefusedError(400, "sort_type invalid format")
    tokens = source.tokens_at(now)
    if not field or not any(field in row for row in tokens):
        raise RefusedError(400, "sort_by invalid format")
    filters = _filters(query)
    rows = [row for row in tokens if _passes(row, filters)]
    # the address settles ties; rows without the value come last either way
    rows.sort(key=lambda row: str(row["address"]))
    rows.sort(key=lambda row: row.get(field) or 0, reverse=direction == "desc")
    rows.sort(key=lambda row: row.get(field) is None)
    extra = SCALED if _scaled(query) else {}
    return Answer([render({**row, **extra}) for row in rows[offset : offset + limit]], offset + limit < len(rows))


def token_holders(source: Source, query: Mapping[str, str], now: int) -> Answer:
    """Answer `/defi/v3/token/holder`, which has no total and no `has_next`.

    Raises:
        RefusedError: A parameter is missing or out of range.
    """
    offset, limit = _page(query)
    return Answer(source.holder_texts(_address(query), offset, limit, now), None)


def wallet_swaps(source: Source, query: Mapping[str, str], now: int) -> Answer:
    """Answer `/trader/txs/seek_by_time`, newest first; time bounds are inclusive.

    Raises:
        RefusedError: A parameter is missing or out of range, or both time bounds are given.
    """
    offset, limit = _page(query)
    if "before_time" in query and "after_time" in query:
        raise RefusedError(422, "Invalid data. Please check the provided data and try again.")
    before = _integer(query, "before_time", 1, 10**10, 10**10) if "before_time" in query else None
    after = _integer(query, "after_time", 1, 10**10, 1) if "after_time" in query else 0
    kind = query.get("tx_type", "swap")
    if kind not in ("swap", "add", "remove", "all"):
        raise RefusedError(400, "tx_type invalid format")
    asked = SwapQuery(_address(query), kind, after, before, offset, limit, _scaled(query))
    return Answer(*source.swap_texts(asked, now))


def _address(query: Mapping[str, str]) -> str:
    if not query.get("address"):
        raise RefusedError(400, "address invalid format")
    return query["address"]


def _scaled(query: Mapping[str, str]) -> bool:
    mode = query.get("ui_amount_mode", "raw")
    if mode not in ("raw", "scaled"):
        raise RefusedError(400, "ui_amount_mode invalid format")
    return mode == "scaled"


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    offset = _integer(query, "offset", 0, MAX_OFFSET, 0)
    limit = _integer(query, "limit", 1, PAGE_ROWS, PAGE_ROWS)
    if offset + limit > MAX_OFFSET:
        raise RefusedError(400, f"offset + limit should be less than or equal to {MAX_OFFSET}")
    return offset, limit


def _integer(query: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    # Python reads no number of thousands of digits
    if not text.isdecimal() or len(text) > MOST_DIGITS or not low <= int(text) <= high:
        raise RefusedError(400, f"{name} should be integer, range {low}-{high}")
    return int(text)


def _filters(query: Mapping[str, str]) -> list[tuple[str, str, Decimal]]:
    """Return the `min_` and `max_` filters: which end, which field, the bound."""
    found = []
    for name, text in query.items():
        match = FILTER.fullmatch(name)
        if match is None:
            continue
        try:
            bound = Decimal(text)
        except InvalidOperation:
            bound = Decimal("nan")
        if not bound.is_finite():
            raise RefusedError(400, f"{name} invalid format")
        found.append((match.group(1), match.group(2), bound))
    return found


def _passes(row: Row, filters: list[tuple[str, str, Decimal]]) -> bool:
    """Whether a token passes every filter; bounds are inclusive, a missing value passes none."""
    for end, field, bound in filters:
        value = row.get(field)
        if value is None or (value < bound if end == "min" else value > bound):
            return False
    return True
