"""The loaders as functions: what `python -m loaders` and the pipeline call."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from loaders.apis import Api
from loaders.bronze import LINEAGE_HINTS, Bronze
from loaders.budget import spent_units
from loaders.client import BirdeyeClient, UnitMeter
from loaders.errors import RunStoppedError
from loaders.fetching import FetchResult, fetch_all, fetch_batch
from loaders.landing import BackgroundWriter, Chunk, LoadMetadata
from loaders.progress import Progress
from loaders.queues import queued_items, with_known_swaps
from loaders.report import Report
from loaders.resources import TOKENS, TRANSACTIONS, Resource
from loaders.settings import LoaderSettings
from loaders.tables import FETCH_LOG, NewColumns, Table
from loaders.work_items import TOKEN_LIST_ITEM, WorkItem
from smart_trader.clock import check_as_of, check_follows
from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.console import report_line
from smart_trader.lake.delta import open_table
from smart_trader.lake.identity import other_source
from smart_trader.lake.object_lock import LockLostError

# With so many failures and no answer at all nothing more is requested: each further item would cost all its tries.
ENOUGH_OF_OUTAGE = 20


@dataclass(frozen=True, slots=True)
class Job:
    """One loader's run.

    Attributes:
        resource: What it loads.
        settings: The vars of the project.
        paths: The lake.
        as_of: The run's time.
        limit: Items, or tokens, at most.
        given: Addresses that stand in for the work list; None takes dbt's queue.
        with_queue: What is due in the queue is fetched as well as what is given.
        run_id: Names the run in every row; what it has spent counts against the budget.
        tables: The tables it writes, if the caller has them open: dlt takes a while to get ready.
    """

    resource: Resource
    settings: LoaderSettings
    paths: LakePaths
    as_of: datetime
    limit: int | None = None
    given: Sequence[str] | None = None
    with_queue: bool = False
    run_id: str = ""
    tables: Bronze | None = None

    @property
    def bronze(self) -> Bronze:
        """The tables it writes."""
        return self.tables or Bronze(self.paths, schema_name("bronze"))

    @property
    def stamped_run_id(self) -> str:
        """The run's name, or one made up for a run that stands alone."""
        return self.run_id or f"{self.resource.name}-{self.as_of:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def work_items(job: Job) -> list[WorkItem]:
    """Return what a run would request, in its order; the token list is one item.

    Raises:
        SmartTraderError: There is no work list yet.
    """
    if job.resource.queue is None:
        return [TOKEN_LIST_ITEM]
    given = _make_given_items(job)
    if given and not job.with_queue:
        return given[: job.limit]
    known = {item.item for item in given}
    queue = job.paths.table(schema_name("silver"), job.resource.queue)
    queued = queued_items(queue, job.as_of, job.resource.queue_columns, job.bronze.has(FETCH_LOG))
    due = [item for item in queued if item.item not in known][: job.resource.max_items(job.settings)]
    return [*given, *due][: job.limit]


def _make_given_items(job: Job) -> list[WorkItem]:
    """Return what is given, with what earlier fetches know of it."""
    items = [WorkItem(address, "given") for address in job.given or ()]
    log = job.bronze.location(FETCH_LOG)
    return with_known_swaps(items, log) if job.resource is TRANSACTIONS and job.bronze.has(FETCH_LOG) else items


def run_job(job: Job, api: Api, on_work: Callable[[list[WorkItem]], None] = lambda _: None) -> Report:
    """Fetch and land everything a job names. The caller holds the lake's lock.

    Args:
        job: What to do.
        api: The API to use.
        on_work: Gets the work list before the first request.

    Returns:
        How it went.

    Raises:
        SmartTraderError: Nothing could be started: another source's lake, a time before the lake's newest, no work
            list, a lake that cannot be written.
    """
    # Arrow's own pool keeps what it once had; the system's gives it back between chunks
    pa.set_memory_pool(pa.system_memory_pool())
    bronze = job.bronze
    # what waits lands first: it has a source and a time as well
    bronze.finish_pending()
    check_lake(bronze, api.data_source, job.as_of)
    bronze.prepare()
    items = work_items(job)
    on_work(items)
    settings = _apply_limit(job)
    spent = spent_units(bronze, job.run_id) if job.run_id and settings.cu_budget is not None else 0
    meter = UnitMeter(settings.cu_prices, settings.cu_budget, spent=spent)
    client = BirdeyeClient(api.url, api.key, settings.pacer(), meter, settings.max_request_tries, settings.parallel)
    metadata = LoadMetadata(job.as_of, api.data_source, job.stamped_run_id)
    return fetch_and_land(job.resource, items, client, meter, bronze, settings, metadata)


def _apply_limit(job: Job) -> LoaderSettings:
    if job.resource is not TOKENS or job.limit is None:
        return job.settings
    return job.settings.model_copy(update={"token_limit": min(job.limit, job.settings.token_limit)})


def fetch_and_land(
    resource: Resource,
    items: Sequence[WorkItem],
    client: BirdeyeClient,
    meter: UnitMeter,
    bronze: Bronze,
    settings: LoaderSettings,
    metadata: LoadMetadata,
) -> Report:
    """Fetch items, several at once, and land them in chunks while fetching goes on.

    Args:
        resource: What is fetched.
        items: The items; the rows of one are let go when they have landed.
        client: Sends the requests.
        meter: Counts what that costs.
        bronze: Where rows land.
        settings: How many at once, and when to land.
        metadata: What all rows share.

    Returns:
        How it went; an early end by the API or by the budget is in it, with everything fetched until then landed.

    Raises:
        SmartTraderError: The lake cannot be written.
    """
    report = Report(resource.name)
    started, spent = time.monotonic(), meter.spent
    as_of = int(metadata.as_of.timestamp())
    with BackgroundWriter(bronze.land) as writer, Progress(resource.name, len(items), meter) as progress:
        chunk = Chunk(settings, metadata, writer.submit)

        def tick() -> None:
            progress.tick()
            chunk.land_if_old()

        try:
            columns = _new_columns(bronze, resource.table)

            def fetch_some(batch: Sequence[WorkItem]) -> list[FetchResult]:
                return fetch_batch(resource, batch, client, settings, as_of, columns)

            for fetches in fetch_all(_batches(resource, items), fetch_some, settings.parallel, tick):
                for fetch in fetches:
                    if fetch.stop is not None:
                        report.stop = report.stop or fetch.stop
                    if fetch.is_known:
                        progress.advance(fetch.rows)
                        report.add(fetch)
                        chunk.add(fetch)
                    else:
                        report.not_reached += 1
                _stop_at_outage(report, client)
        except BaseException as error:
            _stop_at_error(error, client, chunk)
            raise
        finally:
            # also when a person stops the run: what is fetched is paid for
            chunk.land()
    report.requests, report.cu, report.seconds = meter.requests, meter.spent - spent, time.monotonic() - started
    return report


def _batches(resource: Resource, items: Sequence[WorkItem]) -> list[Sequence[WorkItem]]:
    """Return items by the request that fetches them."""
    size = resource.batch_size
    return [items[start : start + size] for start in range(0, len(items), size)]


def _stop_at_outage(report: Report, client: BirdeyeClient) -> None:
    """Let no further request start where the endpoint answers for nobody."""
    if report.is_outage and len(report.failures) >= ENOUGH_OF_OUTAGE:
        failures = f"{ENOUGH_OF_OUTAGE} items failed, and none was answered"
        client.stop(RunStoppedError(f"{report.kind}: {failures}"))


def _stop_at_error(error: BaseException, client: BirdeyeClient, chunk: Chunk) -> None:
    """End the requests under way; what is fetched still lands, unless another may write already."""
    client.stop(RunStoppedError("the run was stopped"), at_once=True)
    if isinstance(error, LockLostError):
        chunk.drop()
    elif isinstance(error, KeyboardInterrupt):
        report_line("stopping: what is fetched is landed first")


def _new_columns(bronze: Bronze, table: Table) -> NewColumns:
    """Return what decides about unknown fields, with the columns that earlier ones made."""
    present = open_table(bronze.location(table)).schema().fields if bronze.has(table) else []
    return NewColumns(table, (found.name for found in present if found.name not in LINEAGE_HINTS))


def check_lake(bronze: Bronze, data_source: str, as_of: datetime) -> None:
    """Refuse a run that would mix sources, go back in time or be ahead of it.

    Raises:
        SettingsError: The lake holds rows of another source, or newer ones; or the run's time is in the future.
    """
    held = bronze.data_source()
    if held is not None and held != data_source:
        raise other_source(held, data_source)
    check_as_of(as_of, data_source)
    check_follows(as_of, bronze.newest_as_of(), data_source)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would cost: requests and compute units, at least and at most."""

    requests: tuple[int, int]
    cu: tuple[int, int]
    seconds: float


def estimate(job: Job, items: list[WorkItem]) -> Estimate:
    """Estimate what a run would cost, without a request."""
    settings = _apply_limit(job)
    meter, batches = UnitMeter(settings.cu_prices), _batches(job.resource, items)
    cu = sum(meter.price(job.resource.endpoint, len(batch)) for batch in batches)
    least, pages = len(batches), job.resource.max_pages(settings)
    return Estimate((least, least * pages), (cu, cu * pages), least * pages / settings.plan.per_second)
