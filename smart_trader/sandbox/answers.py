"""The three endpoints' rules: parameters, filters, sorting, time bounds, paging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from smart_trader.sandbox.replay import Recordings, Row

MAX_REACH = 10_000
MAX_LIMIT = 100
FILTER = re.compile(r"(min|max)_(\w+)")


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


def token_list(recordings: Recordings, query: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/defi/v3/token/list`.

    Raises:
        RefusedError: A parameter is missing or out of range.
    """
    offset, limit = _page(query)
    field, direction = query.get("sort_by", ""), query.get("sort_type", "")
    if direction not in ("asc", "desc"):
        raise RefusedError(400, "sort_type invalid format")
    if not field or not any(field in row for row in recordings.tokens):
        raise RefusedError(400, "sort_by invalid format")
    rows = [row for row in recordings.tokens if _passes(row, query)]
    # the address settles ties; rows without the value come last either way
    rows.sort(key=lambda row: str(row["address"]))
    rows.sort(key=lambda row: row.get(field) or 0, reverse=direction == "desc")
    rows.sort(key=lambda row: row.get(field) is None)
    return {"items": rows[offset : offset + limit], "has_next": offset + limit < len(rows)}


def token_holders(recordings: Recordings, query: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/defi/v3/token/holder`, which tells no total and no `has_next`.

    Raises:
        RefusedError: A parameter is missing or out of range.
    """
    offset, limit = _page(query)
    rows = recordings.holders.get(_address(query), [])
    return {"items": rows[offset : offset + limit]}


def wallet_swaps(recordings: Recordings, query: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/trader/txs/seek_by_time`, newest first; time bounds are inclusive.

    Raises:
        RefusedError: A parameter is missing or out of range, or both time bounds are given.
    """
    offset, limit = _page(query)
    if "before_time" in query and "after_time" in query:
        raise RefusedError(422, "Invalid data. Please check the provided data and try again.")
    before = _integer(query, "before_time", 1, 10**10, 10**10)
    after = _integer(query, "after_time", 1, 10**10, 1) if "after_time" in query else 0
    kind = query.get("tx_type", "swap")
    if kind not in ("swap", "add", "remove", "all"):
        raise RefusedError(400, "tx_type invalid format")
    rows: list[Row] = [
        row
        for row in recordings.swaps.get(_address(query), [])
        if after <= row["block_unix_time"] <= before and kind in ("all", row.get("tx_type", "swap"))
    ]
    return {"items": rows[offset : offset + limit], "has_next": offset + limit < len(rows)}


def _address(query: Mapping[str, str]) -> str:
    if not query.get("address"):
        raise RefusedError(400, "address invalid format")
    return query["address"]


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    offset = _integer(query, "offset", 0, MAX_REACH, 0)
    limit = _integer(query, "limit", 1, MAX_LIMIT, MAX_LIMIT)
    if offset + limit > MAX_REACH:
        raise RefusedError(400, f"offset + limit should be less than or equal to {MAX_REACH}")
    return offset, limit


def _integer(query: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise RefusedError(400, f"{name} should be integer, range {low}-{high}")
    return int(text)


def _passes(row: Row, query: Mapping[str, str]) -> bool:
    """Whether a token passes every `min_` and `max_` filter; bounds are inclusive, a missing value passes none."""
    for name, text in query.items():
        match = FILTER.fullmatch(name)
        if match is None:
            continue
        try:
            bound = Decimal(text)
        except InvalidOperation:
            raise RefusedError(400, f"{name} invalid format") from None
        value = row.get(match.group(2))
        if value is None or (value < bound if match.group(1) == "min" else value > bound):
            return False
    return True
