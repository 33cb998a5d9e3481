"""Fetches items, several at once, and notes what became of each.

A fetch never raises for its item's sake: its result shows how far it came, and what was read before the API failed is
kept.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from loaders.client import BirdeyeClient, RequestCost
from loaders.errors import (
    BudgetReachedError,
    ItemBudgetReachedError,
    NoAnswerError,
    RequestRefusedError,
    RowRefusedError,
    RunStoppedError,
    TerminalApiError,
)
from loaders.pages import FetchedPage, ItemClient
from loaders.resources import Resource
from loaders.settings import LoaderSettings
from loaders.tables import NewColumns, Table
from loaders.work_items import TimeWindow, WorkItem
from smart_trader.console import one_line
from smart_trader.errors import SmartTraderError

logger = logging.getLogger(__name__)

Work = TypeVar("Work")
Result = TypeVar("Result")

TICK_S = 1.0
SHOWN_SET_APART = 5


@dataclass(slots=True)
class FetchResult:
    """What became of one work item.

    Attributes:
        kind: tokens, holders, swaps, prices or launches.
        item: What was fetched: `token_list`, a mint or a wallet.
        origin: filter, queue or given.
        table: Where its rows belong.
        left_over: Where the next fetch goes on; None where nothing is left over.
        cost: What it cost; a request for several items is on the first of them.
        outcome: complete; partial (stopped by a budget, goes on next time); failed.
        error: Why it is not complete.
        parts: Its rows, page by page, without the stamps that all rows share.
        pages: Pages read.
        oldest_time: Block time of the oldest row, for swaps.
        newest_time: Block time of the newest row, for swaps.
        reached_oldest: The API reported that nothing older follows.
        stop: The error that ends the whole run.
        is_defect: It failed by a defect of the loader.
        set_apart: What was left out of it, row by row or page by page, with the reason; everything else is there.
    """

    kind: str
    item: str
    origin: str
    table: Table
    left_over: TimeWindow | None = None
    cost: RequestCost = field(default_factory=RequestCost)
    outcome: str = "complete"
    error: str | None = None
    parts: list[pa.Table] = field(default_factory=list)
    pages: int = 0
    oldest_time: int | None = None
    newest_time: int | None = None
    reached_oldest: bool = False
    stop: SmartTraderError | None = None
    is_defect: bool = False
    set_apart: list[str] = field(default_factory=list)
    fetch_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(part.num_rows for part in self.parts)

    @property
    def is_known(self) -> bool:
        """False for an item the run never reached; it is neither logged nor reported."""
        return self.stop is None or self.pages > 0

    @property
    def resume_before_time(self) -> int | None:
        """Newest end of what is left over."""
        return self.left_over.before if self.left_over else None

    @property
    def resume_since_time(self) -> int | None:
        """Oldest end of what is left over; None is to the wallet's first swap."""
        return self.left_over.since if self.left_over else None

    def add(self, page: FetchedPage) -> None:
        """Take a page in."""
        self.parts.append(page.rows)
        self.pages += 1
        self.set_apart += page.set_apart
        self.left_over = page.left_over
        self.reached_oldest = self.reached_oldest or page.reached_oldest
        if page.block_times is not None:
            oldest, newest = page.block_times
            self.oldest_time = oldest if self.oldest_time is None else min(oldest, self.oldest_time)
            self.newest_time = newest if self.newest_time is None else max(newest, self.newest_time)

    def fail_whole(self, error: str, left_over: TimeWindow | None = None) -> None:
        """Let nothing of the item land, as if it had not been fetched.

        Args:
            error: Why.
            left_over: What an earlier fetch has left over.
        """
        self.outcome, self.error, self.parts = "failed", error, []
        self.oldest_time = self.newest_time = None
        self.reached_oldest = False
        self.left_over = left_over


def fetch_item(
    resource: Resource,
    item: WorkItem,
    client: BirdeyeClient,
    settings: LoaderSettings,
    as_of: int,
    new_columns: NewColumns | None = None,
) -> FetchResult:
    """Read an item's pages, and note how that ended.

    Args:
        resource: What the item is one of.
        item: What to fetch.
        client: Sends the requests.
        settings: Budgets and filters.
        as_of: The run's time, unix seconds.
        new_columns: Decides which unknown fields land; None admits a table's worth of them.
    """
    fetch = _begin(resource, item)
    where = f"{resource.kind} of {item.item}"
    item_client = ItemClient(client, resource.endpoint, resource.table, where, settings, as_of, fetch.cost, new_columns)
    with _noting_the_end([fetch], where):
        for page in resource.pages(item_client, item) if resource.pages else ():
            fetch.add(page)
    if fetch.outcome == "complete" and fetch.set_apart:
        shown = "; ".join(fetch.set_apart[:SHOWN_SET_APART])
        fetch.error = f"{len(fetch.set_apart)} set apart: {shown}"
    return fetch


def fetch_batch(
    resource: Resource,
    items: Sequence[WorkItem],
    client: BirdeyeClient,
    settings: LoaderSettings,
    as_of: int,
    new_columns: NewColumns | None = None,
) -> list[FetchResult]:
    """Read what one request brings of some items, and note for each how that ended; see `fetch_item`."""
    if resource.batch is None:
        return [fetch_item(resource, item, client, settings, as_of, new_columns) for item in items]
    fetches = {item.item: _begin(resource, item) for item in items}
    where = f"{resource.kind} of {len(items)} items from {items[0].item} on"
    cost = fetches[items[0].item].cost
    item_client = ItemClient(client, resource.endpoint, resource.table, where, settings, as_of, cost, new_columns)
    with _noting_the_end(list(fetches.values()), where):
        for name, found in resource.batch(item_client, items):
            if isinstance(found, RowRefusedError):
                fetches[name].fail_whole(found.what)
            else:
                fetches[name].add(found)
    return list(fetches.values())


def _begin(resource: Resource, item: WorkItem) -> FetchResult:
    return FetchResult(resource.kind, item.item, item.origin, resource.table, item.left_over)


@contextmanager
def _noting_the_end(fetches: Sequence[FetchResult], where: str) -> Iterator[None]:
    """Note what ended some fetches before their time; raises nothing for its sake."""
    begun_with = [fetch.left_over for fetch in fetches]
    try:
        yield
    except ItemBudgetReachedError as end:
        for fetch in fetches:
            fetch.outcome, fetch.error, fetch.left_over = "partial", end.what, end.left_over
    except (BudgetReachedError, RunStoppedError, TerminalApiError) as end:
        for fetch in fetches:
            fetch.outcome, fetch.error, fetch.stop = "partial", end.what, end
    except (NoAnswerError, RequestRefusedError) as error:
        for fetch in fetches:
            fetch.outcome, fetch.error = "failed", error.what
    except RowRefusedError as error:
        # half a fetch around a row that nobody understands is worth less than none
        for fetch, left_over in zip(fetches, begun_with, strict=True):
            fetch.fail_whole(error.what, left_over)
    except Exception as error:
        # what no resource expects is a defect of ours; the other items do not depend on it
        logger.debug("%s", where, exc_info=True)
        problem = f"a defect in the loader: {type(error).__name__}: {one_line(str(error))[:300]}"
        for fetch, left_over in zip(fetches, begun_with, strict=True):
            fetch.fail_whole(problem, left_over)
            fetch.is_defect = True


def fetch_all(
    items: Sequence[Work],
    fetch: Callable[[Work], Result],
    parallel: int,
    on_tick: Callable[[], None],
) -> Iterator[Result]:
    """Fetch items in threads and yield each as it ends; few enough are started that memory stays flat.

    The threads are daemons: one that hangs, say in the system's name look-up, must not hold up the end of the process.

    Args:
        items: What to fetch, in this order: items, or batches of them.
        fetch: Fetches one of them.
        parallel: Threads.
        on_tick: Called every second, and after each item.
    """
    waiting = deque(items)
    done: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    # no more than there are threads: what is fetched and not yet taken would fill memory
    free = threading.Semaphore(parallel)
    is_over = threading.Event()

    def fetch_some() -> None:
        while free.acquire() and not is_over.is_set():
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                done.put(fetch(item))
            except BaseException as error:
                done.put(error)

    for number in range(min(parallel, len(items))):
        threading.Thread(target=fetch_some, name=f"fetch-{number}", daemon=True).start()
    try:
        for _ in items:
            yield _take_next(done, on_tick)
            free.release()
    finally:
        is_over.set()
        free.release(2 * parallel)


def _take_next(done: queue.SimpleQueue[Result | BaseException], on_tick: Callable[[], None]) -> Result:
    """Wait for the next fetch that ends."""
    while True:
        try:
            ended = done.get(timeout=TICK_S)
        except queue.Empty:
            continue
        finally:
            on_tick()
        if isinstance(ended, BaseException):
            raise ended
        return ended
