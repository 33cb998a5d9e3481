"""What BirdEye publishes of its API: where it is, how it is used, what a plan allows. The sandbox obeys the same."""

from __future__ import annotations

from typing import NamedTuple

import requests
from requests.auth import AuthBase

BASE_URL = "https://public-api.birdeye.so"
KEY_HEADER = "X-API-KEY"
CHAIN_HEADERS = {"x-chain": "solana"}

TOKEN_LIST = "/defi/v3/token/list"  # noqa: S105  a path
TOKEN_HOLDERS = "/defi/v3/token/holder"  # noqa: S105  a path
WALLET_SWAPS = "/trader/txs/seek_by_time"

# Rows of a page at most.
PAGE_ROWS = 100
# Offset and limit of a page add up to this at most.
MAX_OFFSET = 10_000
# Compute units of a request whose endpoint has no price of its own.
DEFAULT_PRICE_CU = 100


class Plan(NamedTuple):
    """Requests that a plan allows an account; None is no limit."""

    per_second: float
    per_minute: int | None


PLANS = {
    "standard": Plan(1, None),
    "lite": Plan(15, None),
    "starter": Plan(15, None),
    "premium": Plan(50, 1000),
    "business": Plan(100, 1500),
}


class BirdeyeKey(AuthBase):
    """Puts the key on each request; an object, so that no header with it is ever logged or shown."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key."""
        request.headers[KEY_HEADER] = self._key
        return request

    def __repr__(self) -> str:
        return "BirdeyeKey(***)"
