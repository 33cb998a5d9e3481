"""One run: load and build in turns, from the tokens to the tested list, under one lock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from loaders.apis import Api
from loaders.bronze import Bronze
from loaders.errors import BudgetReachedError, TerminalApiError
from loaders.jobs import Job, check_lake, run_job
from loaders.resources import TRANSACTIONS, WHALES, Resource
from loaders.retry import RETRY
from loaders.settings import LoaderSettings
from loaders.tables import FETCH_LOG, TABLE_NAMES, TRANSACTION_HISTORY
from loaders.work_items import WorkItem
from smart_trader.config.schemas import schema_name
from smart_trader.config.settings import LakehouseSettings
from smart_trader.console import ProgressFn
from smart_trader.data_sources import BIRDEYE
from smart_trader.errors import SmartTraderError
from smart_trader.lake.checksums import record_checksums
from smart_trader.lake.delta import is_one_of, read_table
from smart_trader.lake.disk import check_disk
from smart_trader.lake.lock import lock_lake
from smart_trader.lake.reader import Lake
from smart_trader.lakehouse.session import EMBEDDED, Choice, Engine, choose_engine, lake_engine
from smart_trader.pipeline.builder import Builder
from smart_trader.pipeline.given_tokens import untracked_text
from smart_trader.pipeline.past_times import LastTimes
from smart_trader.pipeline.records import LoadsFailedError, StepRecord, land_records, whole_failure
from smart_trader.pipeline.request import RunRequest
from smart_trader.pipeline.sources import serving_api
from smart_trader.pipeline.steps import Step, load_words
from smart_trader.pipeline.upgrade import upgrade_lake
from smart_trader.reports.durations import short_duration

ENDS_EACH_LOAD = (TerminalApiError, BudgetReachedError)
# The sandbox has no plan to keep to, and answers at once.
OWN_SERVER_RATE = 200.0
OWN_SERVER_PARALLEL = 4


def run_pipeline(
    request: RunRequest, settings: LoaderSettings, machine: LakehouseSettings, progress: ProgressFn
) -> list[StepRecord]:
    """Run the steps and land their record, on failure too.

    Returns:
        What each step did.

    Raises:
        LoadsFailedError: The API ended the run, or an endpoint answered for nobody; what had landed is built.
        SmartTraderError: A step failed; those before it are landed and built, and the next run goes on from there.
    """
    paths = machine.paths
    request.source.check()
    with lock_lake(paths, f"run {request.run_id}") as lock:
        check_disk(paths, settings.disk_warn_percent, settings.disk_refuse_percent, progress)
        bronze = Bronze(paths, schema_name("bronze"))
        bronze.finish_pending()
        check_lake(bronze, request.source.data_source, request.as_of)
        choice = choose_engine(machine)
        if request.builds:
            progress(str(choice))
            _advise(choice, Lake(paths), settings.embedded_max_swaps, progress)
        upgrade_lake(machine, progress, choice, request.variables)
        records: list[StepRecord] = []
        try:
            with lake_engine(machine, progress, choice) as engine:
                run = _Run(request, settings, Lake(paths), bronze, progress, engine)
                with run.getting_ready():
                    run.all(records)
        finally:
            # once the lock is lost another may write, whatever error it ended in
            if lock.lost is None:
                land_records(bronze, request, records, progress)
        record_checksums(Lake(paths), TABLE_NAMES)
        if run.failures:
            raise LoadsFailedError(run.failures, records)
    return records


def _advise(choice: Choice, lake: Lake, most_swaps: int, progress: ProgressFn) -> None:
    """Report where Spark would serve a lake of this size better; a run never starts a server that nobody requested."""
    if choice.name != EMBEDDED or not lake.has("bronze", TRANSACTION_HISTORY.name):
        return
    swaps = lake.row_count("bronze", TRANSACTION_HISTORY.name)
    if swaps > most_swaps:
        progress(
            f"warning: {swaps:,} swaps, more than embedded_max_swaps = {most_swaps:,}: this engine works on, in one "
            "process and within its memory limit; Spark (--engine spark) uses all cores for each table"
        )


class _Run:
    """Does the steps of one run."""

    def __init__(
        self,
        request: RunRequest,
        settings: LoaderSettings,
        lake: Lake,
        bronze: Bronze,
        progress: ProgressFn,
        engine: Engine,
    ) -> None:
        self._request = request
        self._settings = settings
        self._lake = lake
        self._bronze = bronze
        self._progress = progress
        self._engine = engine
        self._builder = Builder(request, settings.pnl_refresh_hours, lake, engine, progress)
        self._last_times = LastTimes.of(lake)
        # the line that a step begins with, until it is shown
        self._head = ""
        self.failures: list[SmartTraderError] = []
        self._defects: list[str] = []

    @contextmanager
    def getting_ready(self) -> Iterator[None]:
        """Read the project, and start a server, beside the first load; where no build is sure to come, later."""
        builds = [step for step in self._request.steps if step.is_build]
        if not self._builder.is_sure_to_build(builds):
            yield
            return
        self._engine.begin()
        with self._builder.reading_the_project():
            yield

    def all(self, records: list[StepRecord]) -> None:
        """Do the requested steps, in order."""
        steps = self._request.steps
        with serving_api(self._request.source, self._lake.paths, self._request.as_of) as api:
            for number, step in enumerate(steps, 1):
                self._head = f"[{number}/{len(steps)}] {step.name}"
                if step.is_build:
                    self._begin(step, step.words)
                record = StepRecord(step.name, datetime.now(UTC))
                records.append(record)
                started = time.monotonic()
                try:
                    self._build(step, record) if step.is_build else self._load(step, record, api)
                except BaseException as error:
                    record.outcome = "failed"
                    record.error = (error.what if isinstance(error, SmartTraderError) else repr(error))[:2000]
                    raise
                finally:
                    record.seconds = time.monotonic() - started
        if self._defects:
            self.failures.append(
                SmartTraderError(
                    f"{len(self._defects)} items failed by a defect in the loader: {', '.join(self._defects[:5])}",
                    "everything else is landed and built; report it, with what SMART_TRADER_DEBUG=1 shows",
                )
            )

    def _load(self, step: Step, record: StepRecord, api: Api) -> None:
        """Run a loader; what fails it as a whole waits until what has landed is built."""
        if any(isinstance(failure, TerminalApiError) for failure in self.failures):
            record.outcome = "skipped"
            self._progress(self._head)
            self._progress("      not requested: the API takes no further request of this run")
            return
        failures = []
        for resource in step.resources:
            report = run_job(self._job(resource), api, partial(self._begin_load, step, resource))
            self._defects += report.defects
            record.add(report)
            self._progress(f"      {report}")
            failure = whole_failure(resource, report)
            if failure is not None:
                failures.append(failure)
            if isinstance(report.stop, ENDS_EACH_LOAD):
                break
        if self._request.tokens and WHALES in step.resources:
            self._show_untracked()
        if failures:
            self._fail(step, record, failures)
        elif record.error:
            self._progress(f"      {record.outcome}: {record.error}")

    def _begin_load(self, step: Step, resource: Resource, items: Sequence[WorkItem]) -> None:
        self._begin(step, load_words(resource.kind, len(items)))

    def _begin(self, step: Step, words: str) -> None:
        """Report what is begun: the step once, with how long the last run took from there, and each load of it."""
        head, self._head = self._head, ""
        left = self._last_times.seconds_from(step.name) if head and self._request.step is None else None
        past = f" (the last run took {short_duration(left)} from here)" if left is not None else ""
        self._progress(f"{head}: {words}{past}" if head else f"      {words}")

    def _job(self, resource: Resource) -> Job:
        return Job(
            resource,
            self._load_settings(),
            self._lake.paths,
            self._request.as_of,
            given={WHALES: self._request.tokens, TRANSACTIONS: self._request.wallets}.get(resource),
            with_queue=True,
            run_id=self._request.run_id,
            tables=self._bronze,
        )

    def _show_untracked(self) -> None:
        """Report which of the given tokens are not tracked."""
        if untracked := untracked_text(self._lake, self._request.run_id):
            self._progress(f"      {untracked}")

    def _fail(self, step: Step, record: StepRecord, failures: list[SmartTraderError]) -> None:
        """Note what failed a load as a whole; what has landed is built all the same."""
        record.outcome, record.error = "failed", "; ".join(failure.what for failure in failures)
        # a scheduler that calls the step alone is to try it again; a whole run ends with a list, which is what counts
        if step.is_optional and self._request.step is None:
            self._progress(f"      warning: {record.error}")
            self._progress("      the list is made without: marks by the wallets' own trades, launches unknown")
            return
        self.failures += failures
        if not self._has_answers():
            # a new lake: there is nothing to build
            raise failures[0]
        self._progress("      failed; what has landed is built")

    def _has_answers(self) -> bool:
        """Whether the API ever answered for anything in this lake."""
        is_answer = ~is_one_of("outcome", ["failed", RETRY])
        return bool(read_table(self._bronze.location(FETCH_LOG), ["outcome"], is_answer).num_rows)

    def _load_settings(self) -> LoaderSettings:
        """Return the settings of the next load: at our own server's pace where that is used."""
        settings = self._settings
        if self._request.source.data_source != BIRDEYE and settings.requests_per_second is None:
            settings = settings.model_copy(
                update={
                    "requests_per_second": OWN_SERVER_RATE,
                    "max_parallel_requests": settings.max_parallel_requests or OWN_SERVER_PARALLEL,
                }
            )
        return settings

    def _build(self, step: Step, record: StepRecord) -> None:
        if not self._builder.build(step):
            record.outcome = "skipped"
            self._progress("      nothing landed or changed, nothing to build")
