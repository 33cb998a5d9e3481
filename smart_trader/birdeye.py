"""What BirdEye publishes of its API: where it is, how it is used, what a plan allows. The sandbox obeys the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import requests
from requests.auth import AuthBase

BASE_URL = "https://public-api.birdeye.so"
KEY_HEADER = "X-API-KEY"
CHAIN_HEADERS = {"x-chain": "solana"}

TOKEN_LIST = "/defi/v3/token/list"  # noqa: S105  a path
TOKEN_HOLDERS = "/defi/v3/token/holder"  # noqa: S105  a path
WALLET_SWAPS = "/trader/txs/seek_by_time"
TOKEN_CREATION = "/defi/token_creation_info"  # noqa: S105  a path
MULTI_PRICE = "/defi/multi_price"
WALLET_TRANSFERS = "/wallet/v2/transfer"
CREDITS = "/utils/v1/credits"

# Rows of a page at most.
PAGE_ROWS = 100
# Tokens that one request for prices may name.
PRICED_TOKENS = 100
# Offset and limit of a page add up to this at most.
MAX_OFFSET = 10_000
# Compute units of a request whose endpoint has no price of its own.
DEFAULT_PRICE_CU = 100
# What a request costs, as published for each endpoint; prices are for one token, more tokens: `multi_price_cu`. Nothing
# is published for transfers; balance changes, their neighbour, cost 20 at most. A run counts by the var `cu_prices`.
PRICES_CU = {
    TOKEN_LIST: 100,
    TOKEN_HOLDERS: 50,
    WALLET_SWAPS: 10,
    TOKEN_CREATION: 80,
    MULTI_PRICE: 3,
    WALLET_TRANSFERS: 20,
    CREDITS: 1,
}


def multi_price_cu(tokens: int, of_one: int = PRICES_CU[MULTI_PRICE]) -> int:
    """Return the compute units of one request for the prices of some tokens.

    Args:
        tokens: How many.
        of_one: Units of the price of a single one.
    """
    return math.ceil(of_one * math.pow(tokens, 0.8))


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

# Compute units that a plan includes a month. Where more than one figure is published, the lower one: a warning that
# comes early costs nothing.
MONTHLY_CU = {
    "standard": 30_000,
    "lite": 1_500_000,
    "starter": 5_000_000,
    "premium": 15_000_000,
    "business": 50_000_000,
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
