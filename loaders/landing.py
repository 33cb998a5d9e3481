"""Lands what is fetched in chunks, while fetching goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import pyarrow as pa

from loaders.fetching import FetchResult
from loaders.settings import LoaderSettings
from loaders.tables import FETCH_LOG, Table

Tables = dict[Table, pa.Table]


@dataclass(frozen=True, slots=True)
class LoadMetadata:
    """What all rows of a run share.

    Attributes:
        as_of: The run's time.
        data_source: birdeye, sandbox or replay.
        run_id: Names the run.
    """

    as_of: datetime
    data_source: str
    run_id: str


class BackgroundWriter:
    """Runs writes in one other thread, one at a time: a second one waits for the first.

    Args:
        write: Writes tables.
    """

    def __init__(self, write: Callable[[Tables], None]) -> None:
        self._write = write
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="land")
        self._under_way: Future[None] | None = None

    def submit(self, tables: Tables) -> None:
        """Start a write when the one before it is done; raises what failed that one."""
        self._wait()
        self._under_way = self._pool.submit(self._write, tables)

    def close(self) -> None:
        """Wait for the last write; raises what failed it."""
        try:
            self._wait()
        finally:
            self._pool.shutdown()

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            # what ends the run is reported, not what it makes fail
            self._pool.shutdown()


class Chunk:
    """Collects whole fetches until they are worth a load.

    A fetch's rows and its line in the log go into one load, so that the log never counts rows that are not there.
    """

    def __init__(self, settings: LoaderSettings, metadata: LoadMetadata, land: Callable[[Tables], None]) -> None:
        self._settings = settings
        self._metadata = metadata
        self._land = land
        self._fetches: list[FetchResult] = []
        self._rows = 0
        self._since = time.monotonic()

    def add(self, fetch: FetchResult) -> None:
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
            self._land(_build_tables(fetches, self._metadata))


def _build_tables(fetches: list[FetchResult], metadata: LoadMetadata) -> Tables:
    """Bring fetches into the shape of the bronze tables."""
    landed_at = datetime.now(UTC)
    tables: dict[Table, list[pa.Table]] = {}
    for fetch in fetches:
        shared = {
            "fetch_id": fetch.fetch_id,
            "data_source": metadata.data_source,
            "wallet_address": fetch.item,
            "token_address": fetch.item,
            "observed_at": metadata.as_of,
            "fetched_at": metadata.as_of,
            "landed_at": landed_at,
        }
        tables.setdefault(fetch.table, []).extend(_stamp(part, fetch.table, shared) for part in fetch.parts)
    log = [_log_row(fetch, metadata, landed_at) for fetch in fetches]
    landed = {
        # hundreds of small pieces would make every later step slower
        table: pa.concat_tables(parts, promote_options="default").combine_chunks()
        for table, parts in tables.items()
        if any(part.num_rows for part in parts)
    }
    return {**landed, FETCH_LOG: FETCH_LOG.table_of(log)}


def _stamp(part: pa.Table, table: Table, shared: dict[str, object]) -> pa.Table:
    """Add the stamps that all rows of a fetch share, and put the columns in their order."""
    for column in table.stamps:
        if column.name in shared and column.name not in part.column_names:
            value = pa.scalar(shared[column.name], column.field.type)
            part = part.append_column(column.field, pa.repeat(value, part.num_rows))
    known = table.schema.names
    return part.select([*known, *(name for name in part.column_names if name not in known)])


def _log_row(fetch: FetchResult, metadata: LoadMetadata, landed_at: datetime) -> dict[str, object]:
    return {
        "fetch_id": fetch.fetch_id,
        "kind": fetch.kind,
        "item": fetch.item,
        "outcome": fetch.outcome,
        "origin": fetch.origin,
        "data_source": metadata.data_source,
        "run_id": metadata.run_id,
        "as_of": metadata.as_of,
        "landed_at": landed_at,
        "error": fetch.error,
        "pages": fetch.pages,
        "rows": fetch.rows,
        "cu": fetch.cost.cu,
        "oldest_time": fetch.oldest_time,
        "newest_time": fetch.newest_time,
        "resume_before_time": fetch.resume_before_time,
        "resume_since_time": fetch.resume_since_time,
        "reached_oldest": fetch.reached_oldest,
    }
