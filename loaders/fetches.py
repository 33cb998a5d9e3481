"""Walks the pages of one work item: the token list, a token's holders, a wallet's swaps.

A walk never raises: its `Fetch` says how far it came, and what was read before the API failed is kept. A page that
cannot be true, such as an empty one where rows are known to be, is no answer: taken at its word, it would end a history
for good.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
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
    UnusableAnswerError,
)
from loaders.queues import WorkItem
from loaders.settings import LoaderSettings
from loaders.swap_rows import RowKey, row_keys
from loaders.tables import TOKEN_METRICS, TRANSACTION_HISTORY, WHALE_HOLDERS, NewColumns, Table
from loaders.wire import Page, page_table, read_page, readable_table
from smart_trader.birdeye import MAX_OFFSET, PAGE_ROWS, TOKEN_HOLDERS, TOKEN_LIST, WALLET_SWAPS
from smart_trader.console import one_line
from smart_trader.errors import SmartTraderError

logger = logging.getLogger(__name__)

HOUR_S = 3600
SHOWN_SET_APART = 5


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
        is_defect: It failed by a defect of the loader.
        set_apart: What was left out of it, row by row or page by page, with the reason; everything else is there.
        new_columns: Decides which unknown fields land; None admits a table's worth of them.
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
    is_defect: bool = False
    set_apart: list[str] = field(default_factory=list)
    new_columns: NewColumns | None = None
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
        _fail_whole(fetch, error.what, resume)
    except Exception as error:
        # what no walk expects is a defect of ours; the other items do not depend on it
        logger.debug("%s %s", fetch.kind, fetch.item, exc_info=True)
        _fail_whole(fetch, f"a defect in the loader: {type(error).__name__}: {one_line(str(error))[:300]}", resume)
        fetch.is_defect = True
    if fetch.outcome == "complete" and fetch.set_apart:
        shown = "; ".join(fetch.set_apart[:SHOWN_SET_APART])
        fetch.error = f"{len(fetch.set_apart)} set apart: {shown}"
    return fetch


def _fail_whole(fetch: Fetch, error: str, resume: tuple[int | None, int | None]) -> None:
    """Let nothing of an item land, as if it had not been asked."""
    fetch.outcome, fetch.error, fetch.parts = "failed", error, []
    fetch.oldest_time = fetch.newest_time = None
    fetch.reached_oldest = False
    fetch.resume_before_time, fetch.resume_since_time = resume


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
        client, made, TOKEN_HOLDERS, {"address": item.item}, limit, "token_account", stamps
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
    """Page a listing by offset. The list moves between pages, so a row may come twice: the first one counts.

    For the same reason nothing tells an empty page that lies from a list that has become shorter; the whole list is
    read again in a later run.
    """
    seen: set[Any] = set()
    reach = min(limit, MAX_OFFSET)
    for offset in range(0, reach, PAGE_ROWS):
        asked = min(PAGE_ROWS, reach - offset)
        where = f"{fetch.kind} of {fetch.item}"

        def read(data: bytes, offset: int = offset, asked: int = asked, where: str = where) -> tuple[pa.Table, Page]:
            page = read_page(data, where, asked, sets_apart=True)
            _refuse_missing(page, endpoint, where, has_rows=bool(fetch.pages))

            def stamped(page: Page) -> dict[str, pa.Array]:
                positions = [offset + number for number in page.numbers]
                shared = {name: pa.repeat(pa.scalar(value), len(positions)) for name, value in stamps.items()}
                return {"list_position": pa.array(positions, pa.int64()), **shared}

            table, page = readable_table(fetch.table, page, where, stamped, fetch.new_columns)
            if seen and len(page.rows) == asked and seen.issuperset(row[key] for row in page.rows):
                raise UnusableAnswerError(f"{where}: the rows at offset {offset} are all rows of the pages before")
            return table, page

        table, page = client.ask(endpoint, {**query, "offset": offset, "limit": asked}, fetch.tally, read)
        _note_left_out(fetch, page, where, asked)
        kept = []
        for index, row in enumerate(page.rows):
            if row[key] not in seen:
                seen.add(row[key])
                kept.append(index)
        fetch.parts.append(table.take(pa.array(kept, pa.int64())))
        fetch.pages += 1
        if not page.rows or _is_last(page, asked):
            return


def _note_left_out(fetch: Fetch, page: Page, where: str, asked: int) -> None:
    fetch.set_apart += [odd.what for odd in page.odd]
    if page.surplus:
        fetch.set_apart.append(f"{where}: {page.surplus} rows beyond the {asked} that were asked for")


def _refuse_missing(page: Page, endpoint: str, where: str, *, has_rows: bool) -> None:
    """Refuse what says nothing: taken for an empty list, it would say that nothing older follows.

    Args:
        page: The answer.
        endpoint: Path that was asked.
        where: What was asked.
        has_rows: Whether the listing is known to have rows.

    Raises:
        NoAnswerError: There is null in place of a listing that has rows, or an empty page says that more follows.
    """
    if page.is_missing and has_rows:
        why = "null in place of a listing that has rows"
    elif not page.rows and not page.odd and page.has_next:
        why = "an empty page says that more follows"
    else:
        return
    raise NoAnswerError(f"{endpoint}: {where}: {why}", "the item stays pending; run again later", endpoint, None)


def _is_last(page: Page, asked: int) -> bool:
    return not page.has_next if page.has_next is not None else len(page.rows) + len(page.odd) < asked


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


@dataclass(frozen=True, slots=True)
class _SwapPage:
    """A page of swaps, its types checked.

    Attributes:
        page: As it came.
        table: Its rows in columns.
        keys: Identity of each row.
    """

    page: Page
    table: pa.Table
    keys: list[RowKey]

    @property
    def times(self) -> list[int]:
        """Each row's block time."""
        return [key.time for key in self.keys]


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
        # pages read under one `before_time`, the rows of the last one and whether it said that more follows
        self._bound_pages = 0
        self._last_rows: Counter[RowKey] = Counter()
        self._is_more_said = False
        # rows that the next page must show again, at least one of them
        self._overlap: set[RowKey] = set()

    def stretches(self, stretches: list[tuple[int, int | None]]) -> None:
        """Walk stretches of time one after the other, as far as the budgets allow."""
        for before, since in stretches:
            # rows of one stretch do not come again in another: nothing to remember
            self._seen.clear()
            self._overlap.clear()
            if not self._stretch(before, since):
                return
            self._fetch.resume_before_time = self._fetch.resume_since_time = None

    def _stretch(self, before: int, since: int | None) -> bool:
        """Walk from one moment back to another; returns whether it came there."""
        offset = 0
        self._begin_bound()
        while True:
            if reason := self._budget_reached(before):
                self._fetch.outcome, self._fetch.error = "partial", reason
                self._fetch.resume_before_time, self._fetch.resume_since_time = before, since
                return False
            read = self._page(before, offset)
            if _is_last(read.page, PAGE_ROWS):
                self._fetch.reached_oldest = True
                return True
            oldest = min(read.times, default=None)
            if oldest is None or (since is not None and oldest < since):
                return True
            # the whole second of the oldest row is asked again: a page may end in the middle of it
            if oldest + 1 < before:
                before, offset = oldest + 1, 0
                self._begin_bound()
                self._overlap = {key for key in read.keys if key.time == oldest}
                self._seen = {key for key in self._seen if key.time <= before}
            else:
                offset += PAGE_ROWS
                if offset + PAGE_ROWS > MAX_OFFSET:
                    raise self._crowded(before, f"over {MAX_OFFSET} rows", "the API gives no way to read them all")
            # from here on an end, wanted or not, leaves this to do
            self._fetch.resume_before_time, self._fetch.resume_since_time = before, since

    def _begin_bound(self) -> None:
        self._met.clear()
        self._bound_pages = 0
        self._last_rows = Counter()

    def _budget_reached(self, before: int) -> str | None:
        """Return which budget is used up, if one is.

        Raises:
            RequestRefusedError: One second took all of it: a later run would come no further.
        """
        pages, swaps = self._settings.max_pages_per_wallet, self._settings.max_swaps_per_wallet
        if self._fetch.pages >= pages:
            reason, setting = f"the budget of {pages} pages is used up", "max_pages_per_wallet"
        elif self._fetch.rows > swaps:
            reason, setting = f"the wallet has more than {swaps} swaps", "max_swaps_per_wallet"
        else:
            return None
        if self._bound_pages == self._fetch.pages:
            rows = self._bound_pages * PAGE_ROWS
            raise self._crowded(before, f"{rows} rows and more", f"{reason}, raise {setting}")
        return reason

    def _crowded(self, before: int, rows: str, why: str) -> RequestRefusedError:
        return RequestRefusedError(
            f"{WALLET_SWAPS}: wallet {self._fetch.item} has {rows} in second {before - 1}: {why}",
            "take the wallet off the list where that does not help",
            WALLET_SWAPS,
            None,
        )

    def _page(self, before: int, offset: int) -> _SwapPage:
        """Read one page and keep the rows that are new."""
        fetch = self._fetch
        query = {
            "address": fetch.item,
            "tx_type": "swap",
            "before_time": before,
            "offset": offset,
            "limit": PAGE_ROWS,
        }
        read = self._client.ask(WALLET_SWAPS, query, fetch.tally, lambda data: self._checked(data, before, offset))
        kept, occurrences, times = [], [], []
        for index, key in enumerate(read.keys):
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
        table = read.table.take(pa.array(kept, pa.int64()))
        table = table.append_column("occurrence", pa.array(occurrences, pa.int64()))
        fetch.parts.append(table)
        fetch.pages += 1
        self._bound_pages += 1
        self._last_rows, self._is_more_said = Counter(read.keys), bool(read.page.has_next)
        _note_left_out(fetch, read.page, f"swaps of {fetch.item}", PAGE_ROWS)
        if times:
            fetch.newest_time = max(times) if fetch.newest_time is None else max(max(times), fetch.newest_time)
            fetch.oldest_time = min(times) if fetch.oldest_time is None else min(min(times), fetch.oldest_time)
        return read

    def _checked(self, data: bytes, before: int, offset: int) -> _SwapPage:
        """Take a page apart, and refuse one that cannot be true.

        Raises:
            UnusableAnswerError: It lacks rows that must be there, or has some that must not; another try may be right.
            NoAnswerError: It says nothing, or its rows are in an order that leaves no way to page.
            RowRefusedError: A row cannot be read.
        """
        where = f"swaps of {self._fetch.item}"
        has_rows = self._is_known or bool(self._fetch.pages)
        page = read_page(data, where, PAGE_ROWS)
        _refuse_missing(page, WALLET_SWAPS, where, has_rows=has_rows)
        # the types are checked before anything is computed with them
        table = page_table(self._fetch.table, page, where, {}, self._fetch.new_columns)
        read = _SwapPage(page, table, row_keys(table))
        if why := self._untrue(read, before, offset, has_rows=has_rows):
            raise UnusableAnswerError(f"{where}: {why}")
        if not _is_last(page, PAGE_ROWS) and any(newer > older for older, newer in pairwise(read.times)):
            raise NoAnswerError(
                f"{WALLET_SWAPS}: {where}: the page is not newest first, so what lies between its rows is not known",
                "nothing of this page was landed; report it if it stays so: the API has changed",
                WALLET_SWAPS,
                None,
            )
        return read

    def _untrue(self, read: _SwapPage, before: int, offset: int, *, has_rows: bool) -> str | None:
        """Return why a page cannot be what was asked for, or None."""
        times, rows = read.times, Counter(read.keys)
        if not times:
            # where a full page says nothing of what follows, it may have been the last one
            is_known = has_rows and (offset == 0 or self._is_more_said)
            return "an empty page where rows are known to be" if is_known else None
        is_first = not self._overlap and offset == 0
        if not is_first and max(times) > before:
            return f"the page asked for before {before} has a swap at {max(times)}"
        if offset == 0 and self._overlap:
            # a bound that is itself included may fill the page before the overlap comes
            is_before = len(times) == PAGE_ROWS and min(times) >= before
            if not is_before and self._overlap.isdisjoint(rows):
                return f"the page lacks the swaps of second {before - 1}, with which the page before it ended"
        # nothing tells the same page from the next one where all rows of both are equal
        if offset and rows == self._last_rows and (len(rows) > 1 or read.keys[0].is_numbered):
            return f"the page at offset {offset} is the page before it"
        return None
