"""One loader's run: fetch many items at once, land what is fetched in chunks, tell how it went."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from loaders.bronze import LINEAGE_HINTS, Bronze
from loaders.client import BirdeyeClient, UnitMeter
from loaders.errors import RunStoppedError, TerminalApiError
from loaders.fetches import Fetch, Walk, run_walk
from loaders.progress import Progress
from loaders.settings import LoaderSettings
from loaders.tables import FETCH_LOG, TABLES, NewColumns, Table
from smart_trader.console import say
from smart_trader.delta import open_table
from smart_trader.errors import SmartTraderError
from smart_trader.store_lock import LockLostError

TICK_S = 1.0
SHOWN_FAILURES = 5
# Failures of every item asked, from so many items on, tell of the endpoint; models/silver/loads/fetch_status.sql counts
# alike.
FEWEST_OF_OUTAGE = 2
# With so many and no answer at all nothing more is asked: each further item would cost all its tries.
ENOUGH_OF_OUTAGE = 20

Work = tuple[Fetch, Walk]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all rows of a run share.

    Attributes:
        as_of: The run's moment.
        data_source: birdeye, sandbox or replay.
        run_id: Names the run.
    """

    as_of: datetime
    data_source: str
    run_id: str


@dataclass(slots=True)
class Report:
    """How a run went.

    Attributes:
        kind: tokens, holders or swaps.
        outcomes: Number of items by outcome.
        failures: Item and error of the failed ones.
        defects: Items that failed by a defect of the loader; they are among the failures.
        set_apart: What was left out of items that are otherwise whole, with the reason.
        rows: Rows landed, without the fetch log.
        requests: Requests sent, tries included.
        cu: Compute units they cost.
        seconds: Wall time.
        unasked: Items that the load's end came before; nothing is known of them.
        stop: What ended the run early.
    """

    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    set_apart: list[str] = field(default_factory=list)
    rows: int = 0
    requests: int = 0
    cu: int = 0
    seconds: float = 0.0
    unasked: int = 0
    stop: SmartTraderError | None = None

    @property
    def is_outage(self) -> bool:
        """Whether all items that were asked for failed, and so the endpoint; one item alone does not tell."""
        return len(self.failures) == self.outcomes.total() >= FEWEST_OF_OUTAGE

    @property
    def whole_failure(self) -> SmartTraderError | None:
        """What failed the load as a whole: the API ended it, or its endpoint answered for no item."""
        if isinstance(self.stop, TerminalApiError):
            return self.stop
        if not self.is_outage:
            return None
        item, error = self.failures[0]
        return SmartTraderError(
            f"{self.kind}: the endpoint answered for none of {len(self.failures)} items, the first: {item}: {error}",
            "run again when the API answers: this counts as no attempt of any item",
        )

    def __str__(self) -> str:
        outcomes = [f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        if self.unasked:
            outcomes.append(f"{self.unasked} not asked")
        apart = f", {len(self.set_apart)} set apart ({self.set_apart[0]})" if self.set_apart else ""
        return (
            f"{self.kind}: {', '.join(outcomes) or 'nothing to do'}; {self.rows} rows landed{apart}, "
            f"{self.requests} requests, {self.cu} CU in {self.seconds:.1f} s"
        )

    def raise_if_failed(self) -> None:
        """Turn what went wrong into one error.

        Raises:
            SmartTraderError: The API ended the run, or items failed; names them.
        """
        if (failure := self.whole_failure) is not None:
            raise failure
        if self.failures:
            shown = "\n".join(f"  {item}: {error}" for item, error in self.failures[:SHOWN_FAILURES])
            more = len(self.failures) - SHOWN_FAILURES
            rest = f"\n  and {more} more, all in bronze.fetch_log" if more > 0 else ""
            raise SmartTraderError(
                f"{len(self.failures)} of {self.outcomes.total()} items of {self.kind} failed:\n{shown}{rest}",
                "they stay pending and everything else is landed; run again later"
                + ("; report the defects, with SMART_TRADER_DEBUG=1" if self.defects else ""),
            )


def fetch_and_land(
    kind: str,
    work: Sequence[Callable[[], Work]],
    client: BirdeyeClient,
    meter: UnitMeter,
    bronze: Bronze,
    settings: LoaderSettings,
    stamp: Stamp,
) -> Report:
    """Fetch items, several at once, and land them in chunks while fetching goes on.

    Args:
        kind: What is fetched, for the progress and the report.
        work: Makes each item's walk when its turn comes; a finished one holds its rows and is let go when they landed.
        client: Asks the API.
        meter: Counts what that costs.
        bronze: Where rows land.
        settings: How many at once, and when to land.
        stamp: What all rows share.

    Returns:
        How it went; an early end by the API or by the budget is in it, with everything fetched until then landed.

    Raises:
        SmartTraderError: The lake cannot be written.
    """
    report = Report(kind)
    started, spent = time.monotonic(), meter.spent
    with _lander() as land, Progress(kind, len(work), meter) as progress:
        chunk = _Chunk(settings, stamp, lambda tables: land(lambda: bronze.land(tables)))
        try:
            columns = _new_columns(bronze)
            for fetch in _finished(work, client, columns, settings.parallel, progress.tick, chunk.land_if_old):
                if fetch.stop is not None:
                    report.stop = report.stop or fetch.stop
                if fetch.asked:
                    progress.advance(fetch.rows)
                    _note(report, fetch)
                    chunk.add(fetch)
                else:
                    report.unasked += 1
                if report.is_outage and len(report.failures) >= ENOUGH_OF_OUTAGE:
                    client.stop(RunStoppedError(f"{kind}: {ENOUGH_OF_OUTAGE} items failed, and none was answered"))
        except BaseException as error:
            client.stop(RunStoppedError("the run was stopped"), at_once=True)
            if isinstance(error, LockLostError):
                # another may write already
                chunk.drop()
            elif isinstance(error, KeyboardInterrupt):
                say("stopping: what is fetched is landed first")
            raise
        finally:
            # also when a person stops the run: what is fetched is paid for
            chunk.land()
    report.requests, report.cu, report.seconds = meter.requests, meter.spent - spent, time.monotonic() - started
    return report


def _note(report: Report, fetch: Fetch) -> None:
    report.outcomes[fetch.outcome] += 1
    report.rows += fetch.rows
    if fetch.outcome == "failed":
        report.failures.append((fetch.item, fetch.error or ""))
    if fetch.is_defect:
        report.defects.append(fetch.item)
    if fetch.outcome != "failed":
        report.set_apart += fetch.set_apart


def _new_columns(bronze: Bronze) -> dict[Table, NewColumns]:
    """Return what decides about unknown fields, with the columns that earlier ones made."""
    made = {}
    for table in TABLES:
        present = open_table(bronze.location(table)).schema().fields if bronze.has(table) else []
        made[table] = NewColumns(table, (found.name for found in present if found.name not in LINEAGE_HINTS))
    return made


def _finished(
    work: Sequence[Callable[[], Work]],
    client: BirdeyeClient,
    columns: Mapping[Table, NewColumns],
    parallel: int,
    *every_second: Callable[[], None],
) -> Iterator[Fetch]:
    """Run walks in threads and yield each as it ends; few enough are started that memory stays flat.

    The threads are daemons: one that hangs, say in the system's name look-up, must not hold up the end of the process.
    """
    waiting = deque(work)
    done: queue.SimpleQueue[Fetch | BaseException] = queue.SimpleQueue()
    # no more than there are threads: what is fetched and not yet taken would fill memory
    free = threading.Semaphore(parallel)
    is_over = threading.Event()

    def fetch_some() -> None:
        while free.acquire() and not is_over.is_set():
            try:
                make = waiting.popleft()
            except IndexError:
                return
            try:
                done.put(_fetch(client, make, columns))
            except BaseException as error:
                done.put(error)

    for number in range(min(parallel, len(work))):
        threading.Thread(target=fetch_some, name=f"fetch-{number}", daemon=True).start()
    try:
        for _ in work:
            yield _next(done, every_second)
            free.release()
    finally:
        is_over.set()
        free.release(2 * parallel)


def _next(done: queue.SimpleQueue[Fetch | BaseException], every_second: Sequence[Callable[[], None]]) -> Fetch:
    """Wait for the next walk that ends."""
    while True:
        try:
            ended = done.get(timeout=TICK_S)
        except queue.Empty:
            continue
        finally:
            for call in every_second:
                call()
        if isinstance(ended, BaseException):
            raise ended
        return ended


def _fetch(client: BirdeyeClient, make: Callable[[], Work], columns: Mapping[Table, NewColumns]) -> Fetch:
    fetch, walk = make()
    fetch.new_columns = columns[fetch.table]
    return run_walk(client, fetch, walk)


@contextmanager
def _lander() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Give a way to run landings in one other thread, one at a time; a second one waits for the first."""
    with ThreadPoolExecutor(1, thread_name_prefix="land") as pool:
        under_way: list[Future[None]] = []

        def land(landing: Callable[[], None]) -> None:
            if under_way:
                under_way.pop().result()
            under_way.append(pool.submit(landing))

        yield land
        if under_way:
            under_way.pop().result()


class _Chunk:
    """Collects whole fetches until they are worth a load.

    A fetch's rows and its line in the log go into one load, so that the log never tells of rows that are not there.
    """

    def __init__(self, settings: LoaderSettings, stamp: Stamp, land: Callable[[dict[Table, pa.Table]], None]) -> None:
        self._settings = settings
        self._stamp = stamp
        self._land = land
        self._fetches: list[Fetch] = []
        self._rows = 0
        self._since = time.monotonic()

    def add(self, fetch: Fetch) -> None:
        """Take a fetch in, and land the chunk when it is full."""
        self._fetches.append(fetch)
        self._rows += fetch.rows
        if self._rows >= self._settings.land_rows:
            self.land()

    def land_if_old(self) -> None:
        """Land what has waited long enough, so that a long run keeps its progress."""
        if self._fetches and time.monotonic() - self._since >= self._settings.land_seconds:
            self.land()

    def drop(self) -> None:
        """Forget what is not landed: it is fetched again by the next run."""
        self._fetches, self._rows = [], 0

    def land(self) -> None:
        """Hand the chunk over, if there is anything in it."""
        fetches, self._fetches, self._rows, self._since = self._fetches, [], 0, time.monotonic()
        if fetches:
            self._land(_tables(fetches, self._stamp))


def _tables(fetches: list[Fetch], stamp: Stamp) -> dict[Table, pa.Table]:
    """Bring fetches into the shape of the bronze tables."""
    landed_at = datetime.now(UTC)
    tables: dict[Table, list[pa.Table]] = {}
    for fetch in fetches:
        shared = {
            "fetch_id": fetch.fetch_id,
            "data_source": stamp.data_source,
            "wallet_address": fetch.item,
            "observed_at": stamp.as_of,
            "fetched_at": stamp.as_of,
            "landed_at": landed_at,
        }
        tables.setdefault(fetch.table, []).extend(_stamped(part, fetch.table, shared) for part in fetch.parts)
    log = [_log_row(fetch, stamp, landed_at) for fetch in fetches]
    landed = {
        # hundreds of small pieces would make every later step slower
        table: pa.concat_tables(parts, promote_options="default").combine_chunks()
        for table, parts in tables.items()
        if any(part.num_rows for part in parts)
    }
    return {**landed, FETCH_LOG: pa.Table.from_pylist(log, FETCH_LOG.schema)}


def _stamped(part: pa.Table, table: Table, shared: dict[str, object]) -> pa.Table:
    """Add the stamps that all rows of a fetch share, and put the columns in their order."""
    for column in table.stamps:
        if column.name in shared and column.name not in part.column_names:
            value = pa.scalar(shared[column.name], column.field.type)
            part = part.append_column(column.field, pa.repeat(value, part.num_rows))
    known = table.schema.names
    return part.select([*known, *(name for name in part.column_names if name not in known)])


def _log_row(fetch: Fetch, stamp: Stamp, landed_at: datetime) -> dict[str, object]:
    row = {name: getattr(fetch, name, None) for name in FETCH_LOG.schema.names}
    return row | {
        "as_of": stamp.as_of,
        "landed_at": landed_at,
        "data_source": stamp.data_source,
        "run_id": stamp.run_id,
        "cu": fetch.tally.cu,
    }
