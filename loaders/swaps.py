"""A wallet's swaps, newest first, paged by time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from loaders.errors import ItemBudgetReachedError, NoAnswerError, RequestRefusedError, UnusableAnswerError
from loaders.pages import FetchedPage, ItemClient, is_last
from loaders.responses import Page, page_table, read_page
from loaders.settings import LoaderSettings
from loaders.swap_keys import RowKey, row_keys
from loaders.work_items import TimeWindow, WorkItem
from smart_trader.birdeye import MAX_OFFSET, PAGE_ROWS

HOUR_S = 3600


def is_too_active(swaps: int, settings: LoaderSettings) -> bool:
    """Whether a wallet trades too much to be followed; `silver.whale_wallets` marks it by the same rule."""
    return swaps > settings.max_swaps_per_wallet


def wallet_swaps(client: ItemClient, wallet: WorkItem) -> Iterator[FetchedPage]:
    """Yield a wallet's swaps, newest first.

    What an earlier fetch left over comes first, then what is new since the newest known swap, with the overlap in which
    late rows appear. Swaps younger than the run belong to the next run.

    Raises:
        ItemBudgetReachedError: The wallet's budget of pages or swaps is used up before all is read.
    """
    paging = _TimePaging(client, wallet)
    for window in _list_windows(client, wallet):
        yield from paging.paginate(window)


def _list_windows(client: ItemClient, wallet: WorkItem) -> list[TimeWindow]:
    """Return the time windows to read."""
    windows = [wallet.left_over] if wallet.left_over is not None else []
    if wallet.resume_before_time is None or wallet.newest_known_time is not None:
        windows.append(TimeWindow(client.as_of + 1, _find_since(wallet, client.settings, client.as_of)))
    return windows


def _find_since(wallet: WorkItem, settings: LoaderSettings, as_of: int) -> int | None:
    """Return how far back new swaps are looked for; None is to the wallet's first one."""
    if wallet.newest_known_time is not None:
        return wallet.newest_known_time - settings.refetch_overlap_hours * HOUR_S
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


class _TimePaging:
    """Pages a wallet's swaps by time."""

    def __init__(self, client: ItemClient, wallet: WorkItem) -> None:
        self._client = client
        self._wallet = wallet
        self._is_known = wallet.newest_known_time is not None
        self._left_over = wallet.left_over
        self._pages = 0
        self._rows = 0
        self._seen: set[RowKey] = set()
        # equal rows met under one `before_time`, over its offsets
        self._occurrences: Counter[RowKey] = Counter()
        # pages read under one `before_time`, the rows of the last one and whether it reported that more follows
        self._bound_pages = 0
        self._last_rows: Counter[RowKey] = Counter()
        self._has_more = False
        # rows that the next page must show again, at least one of them
        self._overlap: set[RowKey] = set()

    def paginate(self, window: TimeWindow) -> Iterator[FetchedPage]:
        """Yield the pages of a time window, from its newest swap to its oldest.

        Raises:
            ItemBudgetReachedError: The wallet's budget is used up; what is left of the window is in it.
            RequestRefusedError: One second has more swaps than the API gives a way to read.
        """
        # rows of one window do not come again in another: nothing to remember
        self._seen.clear()
        self._overlap.clear()
        before, since = window
        offset = 0
        self._begin_bound()
        while True:
            self._check_budget(TimeWindow(before, since))
            read = self._read(before, offset)
            new = self._keep_new(read)
            is_end = is_last(read.page, PAGE_ROWS)
            oldest = min(read.times, default=None)
            if is_end or oldest is None or (since is not None and oldest < since):
                self._left_over = None
                yield self._make_result(read, new, reached_oldest=is_end)
                return
            # the whole second of the oldest row is read again: a page may end in the middle of it
            if oldest + 1 < before:
                before, offset = oldest + 1, 0
                self._begin_bound()
                self._overlap = {key for key in read.keys if key.time == oldest}
                self._seen = {key for key in self._seen if key.time <= before}
            else:
                offset += PAGE_ROWS
                if offset + PAGE_ROWS > MAX_OFFSET:
                    yield self._make_result(read, new)
                    raise self._make_crowded_error(
                        before, f"over {MAX_OFFSET} rows", "the API gives no way to read them all"
                    )
            # from here on an end, wanted or not, leaves this to do
            self._left_over = TimeWindow(before, since)
            yield self._make_result(read, new)

    def _begin_bound(self) -> None:
        self._occurrences.clear()
        self._bound_pages = 0
        self._last_rows = Counter()

    def _check_budget(self, left_over: TimeWindow) -> None:
        """Stop where a budget of the wallet is used up.

        Raises:
            ItemBudgetReachedError: One is.
            RequestRefusedError: One second took all of it: a later run would come no further.
        """
        pages, swaps = self._client.settings.max_pages_per_wallet, self._client.settings.max_swaps_per_wallet
        if self._pages >= pages:
            reason, setting = f"the budget of {pages} pages is used up", "max_pages_per_wallet"
        elif is_too_active(self._rows, self._client.settings):
            reason, setting = f"the wallet has more than {swaps} swaps", "max_swaps_per_wallet"
        else:
            return
        if self._bound_pages == self._pages:
            rows = self._bound_pages * PAGE_ROWS
            raise self._make_crowded_error(left_over.before, f"{rows} rows and more", f"{reason}, raise {setting}")
        raise ItemBudgetReachedError(reason, left_over)

    def _make_crowded_error(self, before: int, rows: str, why: str) -> RequestRefusedError:
        endpoint = self._client.endpoint
        return RequestRefusedError(
            f"{endpoint}: wallet {self._wallet.item} has {rows} in second {before - 1}: {why}",
            "take the wallet off the list where that does not help",
            endpoint,
            None,
        )

    def _read(self, before: int, offset: int) -> _SwapPage:
        """Read one page."""
        query = {
            "address": self._wallet.item,
            "tx_type": "swap",
            "before_time": before,
            "offset": offset,
            "limit": PAGE_ROWS,
        }
        return self._client.execute(query, lambda data: self._parse(data, before, offset))

    def _keep_new(self, read: _SwapPage) -> list[tuple[int, RowKey]]:
        """Return index and key of a page's rows that were not read before, and remember them."""
        new = []
        for index, key in enumerate(read.keys):
            numbered = key
            if not key.is_numbered:
                self._occurrences[key] += 1
                numbered = key._replace(occurrence=self._occurrences[key])
            # whether the bound itself is in or out is not documented, so a younger row may come
            if numbered not in self._seen and key.time <= self._client.as_of:
                self._seen.add(numbered)
                new.append((index, numbered))
        self._pages += 1
        self._rows += len(new)
        self._bound_pages += 1
        self._last_rows, self._has_more = Counter(read.keys), bool(read.page.has_next)
        return new

    def _make_result(
        self, read: _SwapPage, new: list[tuple[int, RowKey]], *, reached_oldest: bool = False
    ) -> FetchedPage:
        """Return a page's new rows with what they show of the fetch."""
        rows = read.table.take(pa.array([index for index, _ in new], pa.int64()))
        rows = rows.append_column("occurrence", pa.array([key.occurrence for _, key in new], pa.int64()))
        times = [key.time for _, key in new]
        return FetchedPage(
            rows,
            self._client.list_left_out(read.page, PAGE_ROWS),
            (min(times), max(times)) if times else None,
            self._left_over,
            reached_oldest,
        )

    def _parse(self, data: bytes, before: int, offset: int) -> _SwapPage:
        """Take a page apart, and refuse one that cannot be true.

        Raises:
            UnusableAnswerError: It lacks rows that must be there, or has some that must not; another try may be right.
            NoAnswerError: It has no list, or its rows are in an order that leaves no way to page.
            RowRefusedError: A row cannot be read.
        """
        client = self._client
        has_rows = self._is_known or bool(self._pages)
        page = read_page(data, client.where, PAGE_ROWS)
        client.refuse_missing(page, has_rows=has_rows)
        # the types are checked before anything is computed with them
        table = page_table(client.table, page, client.where, {}, client.new_columns)
        read = _SwapPage(page, table, row_keys(table))
        if why := self._explain_untrue(read, before, offset, has_rows=has_rows):
            raise UnusableAnswerError(f"{client.where}: {why}")
        if not is_last(page, PAGE_ROWS) and any(newer > older for older, newer in pairwise(read.times)):
            raise NoAnswerError(
                f"{client.endpoint}: {client.where}: the page is not newest first, so what lies between its rows is "
                "not known",
                "nothing of this page was landed; report it if it stays so: the API has changed",
                client.endpoint,
                None,
            )
        return read

    def _explain_untrue(self, read: _SwapPage, before: int, offset: int, *, has_rows: bool) -> str | None:
        """Return why a page cannot be what was requested, or None."""
        times, rows = read.times, Counter(read.keys)
        if not times:
            # where a full page does not show what follows, it may have been the last one
            is_known = has_rows and (offset == 0 or self._has_more)
            return "an empty page where rows are known to be" if is_known else None
        is_first = not self._overlap and offset == 0
        if not is_first and max(times) > before:
            return f"the page asked for before {before} has a swap at {max(times)}"
        if offset == 0 and self._overlap:
            # a bound that is itself included may fill the page before the overlap comes
            is_before = len(times) == PAGE_ROWS and min(times) >= before
            if not is_before and self._overlap.isdisjoint(rows):
                return f"the page lacks the swaps of second {before - 1}, with which the page before it ended"
        # nothing distinguishes the same page from the next one where all rows of both are equal
        if offset and rows == self._last_rows and (len(rows) > 1 or read.keys[0].is_numbered):
            return f"the page at offset {offset} is the page before it"
        return None
