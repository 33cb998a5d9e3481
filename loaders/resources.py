"""What is loaded from the API: each resource with all that differs from one to the next, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loaders.errors import RowRefusedError
from loaders.listings import token_holders, token_list
from loaders.lookups import token_creation, token_prices
from loaders.pages import FetchedPage, ItemClient
from loaders.settings import LoaderSettings
from loaders.swaps import wallet_swaps
from loaders.tables import TOKEN_CREATIONS, TOKEN_METRICS, TOKEN_PRICES, TRANSACTION_HISTORY, WHALE_HOLDERS, Table
from loaders.work_items import WorkItem
from smart_trader.birdeye import (
    MULTI_PRICE,
    PAGE_ROWS,
    PRICED_TOKENS,
    TOKEN_CREATION,
    TOKEN_HOLDERS,
    TOKEN_LIST,
    WALLET_SWAPS,
)

Pages = Callable[[ItemClient, WorkItem], Iterator[FetchedPage]]
Batch = Callable[[ItemClient, Sequence[WorkItem]], Iterator[tuple[str, FetchedPage | RowRefusedError]]]


def _one_page(_: LoaderSettings) -> int:
    return 1


def _no_cap(_: LoaderSettings) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of thing that the API lists or looks up.

    Attributes:
        name: What commands and steps call it.
        kind: What `fetch_log` calls a fetch of it.
        item_name: What one item of it is; the token list is its resource's only item.
        endpoint: Path of the API.
        table: Bronze table of its rows.
        pages: Yields an item's pages.
        max_pages: Returns the pages of one item at most.
        batch: In place of `pages`: yields what one request brings of each of some items.
        batch_size: Items of one request.
        max_items: Returns how many items of the queue one run fetches at most; None is no limit.
        queue: Silver table that lists the items that are due.
        queue_columns: Its columns with what earlier fetches know of an item.
        option: Option of the loader's command that takes items in place of the queue.
    """

    name: str
    kind: str
    item_name: str
    endpoint: str
    table: Table
    pages: Pages | None = None
    max_pages: Callable[[LoaderSettings], int] = _one_page
    queue: str | None = None
    queue_columns: tuple[str, ...] = ()
    option: str = ""
    batch: Batch | None = None
    batch_size: int = 1
    max_items: Callable[[LoaderSettings], int | None] = _no_cap


TOKENS = Resource(
    "tokens",
    "tokens",
    "token list",
    TOKEN_LIST,
    TOKEN_METRICS,
    token_list,
    lambda settings: math.ceil(settings.token_limit / PAGE_ROWS),
)
WHALES = Resource(
    "whales",
    "holders",
    "token",
    TOKEN_HOLDERS,
    WHALE_HOLDERS,
    token_holders,
    lambda settings: math.ceil(settings.max_whales_per_token / PAGE_ROWS),
    "whale_fetch_queue",
    option="--tokens",
)
TRANSACTIONS = Resource(
    "transactions",
    "swaps",
    "wallet",
    WALLET_SWAPS,
    TRANSACTION_HISTORY,
    wallet_swaps,
    lambda settings: settings.max_pages_per_wallet,
    "transaction_fetch_queue",
    ("newest_known_time", "resume_before_time", "resume_since_time"),
    "--wallets",
)
PRICES = Resource(
    "prices",
    "prices",
    "price look-up",
    MULTI_PRICE,
    TOKEN_PRICES,
    batch=token_prices,
    batch_size=PRICED_TOKENS,
    queue="price_fetch_queue",
    option="--tokens",
    max_items=lambda settings: settings.max_priced_tokens,
)
LAUNCHES = Resource(
    "launches",
    "launches",
    "launch look-up",
    TOKEN_CREATION,
    TOKEN_CREATIONS,
    token_creation,
    queue="launch_fetch_queue",
    option="--tokens",
    max_items=lambda settings: settings.max_launch_lookups,
)
# What a run looks up of the tokens that were traded, in this order; nothing of it is needed for a list.
DETAILS = (PRICES, LAUNCHES)
RESOURCES = (TOKENS, WHALES, TRANSACTIONS, *DETAILS)
ITEM_NAMES = {resource.kind: resource.item_name for resource in RESOURCES}
