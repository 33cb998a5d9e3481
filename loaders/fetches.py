"""Walks the pages of one work item: the token list, a token's holders, a wallet's swaps.

A walk never raises for what the API did: its `Fetch` says how far it came, and what was read before a failure is kept.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from loaders.client import BirdeyeClient, Tally
from loaders.errors import (
    BudgetReachedError,
    NoAnswerError,
    RequestRefusedError,
    RowRefusedError,
    RunStoppedError,
    TerminalApiError,
)
from loaders.queues import WorkItem
from loaders.settings import LoaderSettings
from loaders.swap_rows import RowKey, row_keys
from loaders.tables import TOKEN_METRICS, TRANSACTION_HISTORY, WHALE_HOLDERS, Table
from loaders.wire import Page, page_table, read_page
from smart_trader.errors import SmartTraderError

logger = logging.getLogger(__name__)

TOKEN_LIST = "/defi/v3/token/list"  # noqa: S105  a path
HOLDERS = "/defi/v3/token/holder"
SWAPS = "/trader/txs/seek_by_time"

PAGE_ROWS = 100
MAX_REACH = 10_000
HOUR_S = 3600


@dataclass(slots=True)
class Fetch:
    """What became of one work item.

    Attributes:
        kind: tokens, holders or swaps.
        item: What was asked for: `token_list`, a mint or a wallet.
        origin: filter, queue or given.
        table: Where its rows belong.
        tally: What it cost.
        outcome: complete; partial (stopped by a budget, goes on next time); failed.
        error: Why it is not complete.
        parts: Its rows, page by page, without the stamps that all rows share.
        pages: Pages read.
        oldest_time: Block time of the oldest row, for swaps.
        newest_time: Block time of the newest row, for swaps.
        resume_before_time: Where the next fetch goes on; None where nothing is left over.
        resume_since_time: How far back that one goes; None is to the wallet's first swap.
        reached_oldest: The API said that nothing older follows.
        stop: The error that ends the whole run.
    """

    kind: str
    item: str
    origin: str
    table: Table
    tally: Tally = field(default_factory=Tally)
    outcome: str = "complete"
    error: str | None = None
    parts: list[pa.Table] = field(default_factory=list)
    pages: int = 0
    oldest_time: int | None = None
    newest_time: int | None = None
    resume_before_time: int | None = None
    resume_since_time: int | None = None
    reached_oldest: bool = False
    stop: SmartTraderError | None = None
    fetch_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(part.num_rows for part in self.parts)

    @property
    def asked(self) -> bool:
        """Whether anything is known of the item; an item the run's end came before leaves no trace."""
        return self.stop is None or self.pages > 0


Walk = Callable[[BirdeyeClient, Fetch], None]


def run_walk(client: BirdeyeClient, fetch: Fetch, walk: Walk) -> Fetch:
    """Walk an item's pages and note how it ended."""
    resume = fetch.resume_before_time, fetch.resume_since_time
    try:
        walk(client, fetch)
    except (BudgetReachedError, RunStoppedError, TerminalApiError) as end:
        fetch.outcome, fetch.error, fetch.stop = "partial", end.what, end
    except (NoAnswerError, RequestRefusedError) as error:
        fetch.outcome, fetch.error = "failed", error.what
    except RowRefusedError as error:
        # half a fetch around a row that nobody understands is worth less than none
        fetch.outcome, fetch.error, fetch.parts = "failed", error.what, []
        fetch.oldest_time = fetch.newest_time = None
        fetch.reached_oldest = False
        fetch.resume_before_time, fetch.resume_since_time = resume
    return fetch


def token_list(settings: LoaderSettings) -> tuple[Fetch, Walk]:
    """Return the walk over the tokens that pass the API's filters, best first, to `token_limit`."""
    fetch = Fetch("tokens", "token_list", "filter", TOKEN_METRICS)
    limit = settings.token_limit
    return fetch, lambda client, made: _listing(client, made, TOKEN_LIST, settings.token_query(), limit, "address", {})


def token_holders(item: WorkItem, settings: LoaderSettings) -> tuple[Fetch, Walk]:
    """Return the walk over a token's largest holders, to `max_whales_per_token`."""
    fetch = Fetch("holders", item.item, item.origin, WHALE_HOLDERS)
    limit = settings.max_whales_per_token
    stamps = {"token_address": item.item}
    return fetch, lambda client, made: _listing(
        client, made, HOLDERS, {"address": item.item}, limit, "token_account", stamps
    )


def _listing(
    client: BirdeyeClient,
    fetch: Fetch,
    endpoint: str,
    query: Mapping[str, Any],
    limit: int,
    key: str,
    stamps: Mapping[str, str],
) -> None:
    """Page a listing by offset. The list moves between pages, so a row may come twice: the first one counts."""
    seen: set[Any] = set()
    reach = min(limit, MAX_REACH)
    for offset in range(0, reach, PAGE_ROWS):
        asked = min(PAGE_ROWS, reach - offset)
        where = f"{fetch.kind} of {fetch.item}"
        page = read_page(client.get(endpoint, {**query, "offset": offset, "limit": asked}, fetch.tally), where)
        if fetch.pages:
            _refuse_missing(page, endpoint, where)
        count = len(page.rows)
        columns = {"list_position": pa.array(range(offset, offset + count), pa.int64())}
        columns |= {name: pa.repeat(pa.scalar(value), count) for name, value in stamps.items()}
        # the types are checked before anything is compared
        table = page_table(fetch.table, page, where, columns)
        kept = []
        for index, row in enumerate(page.rows):
            if row[key] not in seen:
                seen.add(row[key])
                kept.append(index)
        fetch.parts.append(table.take(pa.array(kept, pa.int64())))
        fetch.pages += 1
        if not page.rows or _is_last(page, asked):
            return


def _refuse_missing(page: Page, endpoint: str, where: str) -> None:
    """Refuse null for what is known to exist: taken for an empty list, it would say that nothing older follows.

    Raises:
        NoAnswerError: There is null in place of a listing.
    """
    if page.is_missing:
        raise NoAnswerError(
            f"{endpoint}: {where}: null in place of a listing that has rows",
            "the item stays pending; run again later",
            endpoint,
            None,
        )


def _is_last(page: Page, asked: int) -> bool:
    return not page.has_next if page.has_next is not None else len(page.rows) < asked


def wallet_swaps(item: WorkItem, settings: LoaderSettings, as_of: int) -> tuple[Fetch, Walk]:
    """Return the walk over a wallet's swaps, newest first.

    What an earlier fetch left over comes first, then what is new since the newest known swap, with the overlap in which
    late rows appear.

    Args:
        item: The wallet, with what is known of it.
        settings: Page budget, overlap and the like.
        as_of: The run's moment, unix seconds; younger swaps belong to the next run.
    """
    fetch = Fetch("swaps", item.item, item.origin, TRANSACTION_HISTORY)
    fetch.resume_before_time, fetch.resume_since_time = item.resume_before_time, item.resume_since_time
    stretches = []
    if item.resume_before_time is not None:
        stretches.append((item.resume_before_time, item.resume_since_time))
    if item.resume_before_time is None or item.newest_known_time is not None:
        stretches.append((as_of + 1, _since(item, settings, as_of)))
    is_known = item.newest_known_time is not None
    return fetch, lambda client, made: _SwapWalk(client, made, settings, as_of, is_known=is_known).stretches(stretches)


def _since(item: WorkItem, settings: LoaderSettings, as_of: int) -> int | None:
    """Return how far back new swaps are looked for; None is to the wallet's first one."""
    if item.newest_known_time is not None:
        return item.newest_known_time - settings.refetch_overlap_hours * HOUR_S
    return None if settings.history_days is None else as_of - settings.history_days * 24 * HOUR_S


class _SwapWalk:
    """Pages a wallet's swaps by time."""

    def __init__(
        self, client: BirdeyeClient, fetch: Fetch, settings: LoaderSettings, as_of: int, *, is_known: bool
    ) -> None:
        self._as_of = as_of
        self._is_known = is_known
        self._client = client
        self._fetch = fetch
        self._settings = settings
        self._seen: set[RowKey] = set()
        # equal rows met under one `before_time`, over its offsets
        self._met: Counter[RowKey] = Counter()

    def stretches(self, stretches: list[tuple[int, int | None]]) -> None:
        """Walk stretches of time one after the other, as far as the budgets allow."""
        for before, since in stretches:
            # rows of one stretch do not come again in another: nothing to remember
            self._seen.clear()
            if not self._stretch(before, since):
                return
            self._fetch.resume_before_time = self._fetch.resume_since_time = None

    def _stretch(self, before: int, since: int | None) -> bool:
        """Walk from one moment back to another; returns whether it came there."""
        offset = 0
        self._met.clear()
        while True:
            if offset == 0 and (reason := self._budget_reached()):
                self._fetch.outcome, self._fetch.error = "partial", reason
                self._fetch.resume_before_time, self._fetch.resume_since_time = before, since
                return False
            page = self._page(before, offset)
            times = [int(row["block_unix_time"]) for row in page.rows]
            if _is_last(page, PAGE_ROWS):
                self._fetch.reached_oldest = True
                return True
            if not times:
                return True
            if since is not None and min(times) < since:
                return True
            # the whole second of the oldest row is asked again: a page may end in the middle of it
            if min(times) + 1 < before:
                before, offset = min(times) + 1, 0
                self._met.clear()
                self._seen = {key for key in self._seen if key.time <= before}
            else:
                offset += PAGE_ROWS
                if offset + PAGE_ROWS > MAX_REACH:
                    raise RequestRefusedError(
                        f"{SWAPS}: wallet {self._fetch.item} has over {MAX_REACH} rows in second {before - 1}",
                        "the API gives no way to read them all; take the wallet off the list",
                        SWAPS,
                        None,
                    )
            # from here on an end, wanted or not, leaves this to do
            self._fetch.resume_before_time, self._fetch.resume_since_time = before, since

    def _budget_reached(self) -> str | None:
        if self._fetch.pages >= self._settings.max_pages_per_wallet:
            return f"the budget of {self._settings.max_pages_per_wallet} pages is used up"
        if self._fetch.rows > self._settings.max_swaps_per_wallet:
            return f"the wallet has more than {self._settings.max_swaps_per_wallet} swaps"
        return None

    def _page(self, before: int, offset: int) -> Page:
        """Read one page and keep the rows that are new."""
        fetch = self._fetch
        query = {
            "address": fetch.item,
            "tx_type": "swap",
            "before_time": before,
            "offset": offset,
            "limit": PAGE_ROWS,
        }
        where = f"swaps of {fetch.item}"
        page = read_page(self._client.get(SWAPS, query, fetch.tally), where)
        if self._is_known or fetch.pages:
            _refuse_missing(page, SWAPS, where)
        # the types are checked before anything is computed with them
        table = page_table(fetch.table, page, where, {})
        kept, occurrences, times = [], [], []
        for index, key in enumerate(row_keys(page.rows)):
            numbered = key
            if not key.is_numbered:
                self._met[key] += 1
                numbered = key._replace(occurrence=self._met[key])
            # whether the bound itself is in or out is not documented, so a younger row may come
            if numbered not in self._seen and key.time <= self._as_of:
                self._seen.add(numbered)
                kept.append(index)
                times.append(key.time)
                occurrences.append(numbered.occurrence)
        table = table.take(pa.array(kept, pa.int64()))
        table = table.append_column("occurrence", pa.array(occurrences, pa.int64()))
        fetch.parts.append(table)
        fetch.pages += 1
        if times:
            fetch.newest_time = max(times) if fetch.newest_time is None else max(max(times), fetch.newest_time)
            fetch.oldest_time = min(times) if fetch.oldest_time is None else min(min(times), fetch.oldest_time)
        return page
