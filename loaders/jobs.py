"""The loaders as functions: what `python -m loaders` and the pipeline call."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pyarrow as pa
import requests

from loaders import fetches
from loaders.bronze import Bronze
from loaders.budget import spent_units
from loaders.client import BirdeyeClient, UnitMeter
from loaders.queues import WorkItem, given_items, queued_items, with_known_swaps
from loaders.run import Report, Stamp, Work, fetch_and_land
from loaders.settings import LoaderSettings, api_key
from loaders.tables import FETCH_LOG
from loaders.transport import BodyTooLargeError, ExchangeFailedError, Transport
from smart_trader.clock import check_as_of, check_follows
from smart_trader.errors import SmartTraderError
from smart_trader.lake_identity import other_source
from smart_trader.paths import LakePaths
from smart_trader.schemas import schema_name

LIVE_URL = "https://public-api.birdeye.so"
SANDBOX_KEY = "sandbox"
QUEUES = {"whales": "whale_fetch_queue", "transactions": "transaction_fetch_queue"}
ENDPOINTS = {"tokens": fetches.TOKEN_LIST, "whales": fetches.HOLDERS, "transactions": fetches.SWAPS}


@dataclass(frozen=True, slots=True)
class Api:
    """Which API a run asks.

    Attributes:
        url: Its root.
        key: The key.
        data_source: birdeye, sandbox or replay; stamped on every row.
    """

    url: str
    key: str
    data_source: str

    def __repr__(self) -> str:
        return f"Api({self.url}, ***, {self.data_source})"


def live_api() -> Api:
    """Return BirdEye itself.

    Raises:
        SettingsError: There is no key.
    """
    return Api(LIVE_URL, api_key(), "birdeye")


def sandbox_api(url: str) -> Api:
    """Return a sandbox that runs at an address; asks it what it serves. The real key never goes there.

    Raises:
        SmartTraderError: No sandbox answers there.
    """
    url = url.rstrip("/")
    try:
        reply = Transport(url).get("/sandbox/info")
        source = json.loads(reply.body)["data_source"] if reply.status == requests.codes.ok else None
    except (ExchangeFailedError, BodyTooLargeError, ValueError, KeyError, TypeError):
        source = None
    if source is None:
        raise SmartTraderError(
            f"no sandbox answers at {url}", "start one: smart-trader sandbox serve --seed 7, and give its address"
        )
    if source not in ("sandbox", "replay"):
        raise SmartTraderError(f"what answers at {url} serves {str(source)[:60]!r}", "give the address of a sandbox")
    return Api(url, SANDBOX_KEY, source)


@dataclass(frozen=True, slots=True)
class Job:
    """One loader's run.

    Attributes:
        loader: tokens, whales or transactions.
        settings: The vars of the project.
        paths: The lake.
        as_of: The run's moment.
        limit: Items, or tokens, at most.
        given: Addresses that stand in for the work list: file, `-` or list; None takes dbt's queue.
        with_queue: What is due in the queue is fetched as well as what is given.
        run_id: Names the run in every row; what it has spent counts against the budget.
    """

    loader: str
    settings: LoaderSettings
    paths: LakePaths
    as_of: datetime
    limit: int | None = None
    given: str | None = None
    with_queue: bool = False
    run_id: str = ""

    @property
    def bronze(self) -> Bronze:
        """The tables it writes."""
        return Bronze(self.paths, schema_name("bronze"))

    @property
    def stamped_run_id(self) -> str:
        """The run's name, or one made up for a run that stands alone."""
        return self.run_id or f"{self.loader}-{self.as_of:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def work_items(job: Job) -> list[WorkItem]:
    """Return what a run would ask for, in its order; the token list is one item.

    Raises:
        SmartTraderError: There is no work list yet, or what is given cannot be read.
    """
    if job.loader == "tokens":
        return [WorkItem("token_list", "filter")]
    given = _given(job)
    if given and not job.with_queue:
        return given[: job.limit]
    known = {item.item for item in given}
    queue = job.paths.table(schema_name("silver"), QUEUES[job.loader])
    queued = queued_items(queue, job.as_of, job.bronze.has(FETCH_LOG))
    return [*given, *(item for item in queued if item.item not in known)][: job.limit]


def _given(job: Job) -> list[WorkItem]:
    """Return what is given, with what earlier fetches know of it."""
    if job.given is None:
        return []
    items = given_items(job.given, "--tokens" if job.loader == "whales" else "--wallets")
    log = job.bronze.location(FETCH_LOG)
    return with_known_swaps(items, log) if job.loader == "transactions" and job.bronze.has(FETCH_LOG) else items


def run_job(job: Job, api: Api, on_work: Callable[[list[WorkItem]], None] = lambda _: None) -> Report:
    """Fetch and land everything a job asks for. The caller holds the lake's lock.

    Args:
        job: What to do.
        api: Whom to ask.
        on_work: Is told the work list before the first request.

    Returns:
        How it went.

    Raises:
        SmartTraderError: Nothing could be started: another source's lake, a moment before the lake's newest, no work
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
    settings = _limited(job)
    spent = spent_units(bronze, job.run_id) if job.run_id and settings.cu_budget is not None else 0
    meter = UnitMeter(settings.cu_prices, settings.cu_budget, spent=spent)
    client = BirdeyeClient(api.url, api.key, settings.pacer(), meter, settings.max_request_tries, settings.parallel)
    stamp = Stamp(job.as_of, api.data_source, job.stamped_run_id)
    return fetch_and_land(job.loader, _work(job, settings, items), client, meter, bronze, settings, stamp)


def _limited(job: Job) -> LoaderSettings:
    if job.loader != "tokens" or job.limit is None:
        return job.settings
    return job.settings.model_copy(update={"token_limit": min(job.limit, job.settings.token_limit)})


def _work(job: Job, settings: LoaderSettings, items: list[WorkItem]) -> list[Callable[[], Work]]:
    moment = int(job.as_of.timestamp())
    makers: dict[str, Callable[[WorkItem], Work]] = {
        "tokens": lambda _: fetches.token_list(settings),
        "whales": lambda item: fetches.token_holders(item, settings),
        "transactions": lambda item: fetches.wallet_swaps(item, settings, moment),
    }
    return [partial(makers[job.loader], item) for item in items]


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
    """Tell what a run would ask, without asking anything."""
    settings = _limited(job)
    most_pages = {
        "tokens": math.ceil(settings.token_limit / fetches.PAGE_ROWS),
        "whales": math.ceil(settings.max_whales_per_token / fetches.PAGE_ROWS),
        "transactions": settings.max_pages_per_wallet,
    }[job.loader]
    price = UnitMeter(settings.cu_prices).price(ENDPOINTS[job.loader])
    least, most = len(items), len(items) * most_pages
    return Estimate((least, most), (least * price, most * price), most / settings.plan.per_second)
