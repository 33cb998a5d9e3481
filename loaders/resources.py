"""What is loaded from the API: each resource with all that differs from one to the next, in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loaders.listings import token_holders, token_list
from loaders.pages import FetchedPage, ItemClient
from loaders.settings import LoaderSettings
from loaders.swaps import wallet_swaps
from loaders.tables import TOKEN_METRICS, TRANSACTION_HISTORY, WHALE_HOLDERS, Table
from loaders.work_items import WorkItem
from smart_trader.birdeye import PAGE_ROWS, TOKEN_HOLDERS, TOKEN_LIST, WALLET_SWAPS


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of thing that the API lists.

    Attributes:
        name: What commands and steps call it.
        kind: What `fetch_log` calls a fetch of it.
        item_name: What one item of it is; the token list is its resource's only item.
        endpoint: Path of the API.
        table: Bronze table of its rows.
        pages: Yields an item's pages.
        max_pages: Returns the pages of one item at most.
        queue: Silver table that lists the items that are due.
        queue_columns: Its columns with what earlier fetches know of an item.
        option: Option of the loader's command that takes items in place of the queue.
    """

    name: str
    kind: str
    item_name: str
    endpoint: str
    table: Table
    pages: Callable[[ItemClient, WorkItem], Iterator[FetchedPage]]
    max_pages: Callable[[LoaderSettings], int]
    queue: str | None = None
    queue_columns: tuple[str, ...] = ()
    option: str = ""


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
RESOURCES = (TOKENS, WHALES, TRANSACTIONS)
ITEM_NAMES = {resource.kind: resource.item_name for resource in RESOURCES}
