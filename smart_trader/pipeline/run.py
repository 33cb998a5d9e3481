"""One run: load tokens, build, load whales, build, load transactions, build and test; under one lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loaders.bronze import Bronze
from loaders.errors import TerminalApiError
from loaders.jobs import Api, Job, check_lake, run_job
from loaders.retry import RETRY
from loaders.run import Report
from loaders.settings import LoaderSettings
from loaders.tables import FETCH_LOG, PIPELINE_RUNS, TRANSACTION_HISTORY
from smart_trader.delta import read_table
from smart_trader.errors import SmartTraderError
from smart_trader.lake_lock import lock_lake
from smart_trader.pipeline.builds import Builds, Built
from smart_trader.pipeline.changes import Changes
from smart_trader.pipeline.engine import EMBEDDED, Choice, Engine, choose_engine, lake_engine
from smart_trader.pipeline.evidence import ENGINE, Evidence
from smart_trader.pipeline.given import untracked_text
from smart_trader.pipeline.integrity import record_checksums
from smart_trader.pipeline.lake_version import upgrade_lake
from smart_trader.pipeline.reading import Lake
from smart_trader.pipeline.sources import Wanted, serving_api
from smart_trader.pipeline.steps import CALCULATIONS, READERS, STEPS, Step, stops
from smart_trader.pipeline.upkeep import check_disk
from smart_trader.schemas import schema_name
from smart_trader.settings import LakehouseSettings

Tell = Callable[[str], None]
# The sandbox has no plan to keep to, and answers at once.
OWN_SERVER_RATE = 200.0
OWN_SERVER_PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do.

    Attributes:
        wanted: Whom it asks.
        as_of: Its moment.
        run_id: Its name, on every row it makes.
        step: One step alone, or None for all.
        tokens: Tokens whose holders are fetched as well: file, `-` or list.
        wallets: Wallets that are tracked as well.
        variables: Settings of this run alone.
        with_tests: Whether what is built is tested.
    """

    wanted: Wanted
    as_of: datetime
    run_id: str
    step: str | None = None
    tokens: str | None = None
    wallets: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    with_tests: bool = True

    @property
    def steps(self) -> list[Step]:
        """The steps to do, in order."""
        return [step for step in STEPS if self.step in (None, step.name)]

    @property
    def builds(self) -> bool:
        """Whether one of them calls dbt; a load alone needs no engine."""
        return any(step.is_build for step in self.steps)


@dataclass(slots=True)
class StepRecord:
    """What is kept of a step: a row of `bronze.pipeline_runs`."""

    step: str
    started_at: datetime
    outcome: str = "complete"
    rows: int | None = None
    requests: int | None = None
    cu: int | None = None
    seconds: float = 0.0
    error: str | None = None


class LoadsFailedError(SmartTraderError):
    """Loads failed as a whole; what had landed is built and ranked all the same.

    Attributes:
        records: What each step did.
    """

    def __init__(self, failures: list[SmartTraderError], records: list[StepRecord]) -> None:
        self.records = records
        built = "\nwhat had landed before is built and ranked" if any(_is_built(record) for record in records) else ""
        super().__init__(
            "\n".join(failure.what for failure in failures) + built,
            "; ".join(dict.fromkeys(failure.fix for failure in failures)),
        )


def _is_built(record: StepRecord) -> bool:
    return record.step.startswith("build_") and record.outcome in ("complete", "skipped")


def run_pipeline(order: Order, settings: LoaderSettings, machine: LakehouseSettings, tell: Tell) -> list[StepRecord]:
    """Run the steps and land their record, on failure too.

    Returns:
        What each step did.

    Raises:
        LoadsFailedError: The API ended the run, or an endpoint answered for nobody; what had landed is built.
        SmartTraderError: A step failed; those before it are landed and built, and the next run goes on from there.
    """
    paths = machine.paths
    order.wanted.check()
    with lock_lake(paths, f"run {order.run_id}") as lock:
        check_disk(paths, settings.disk_warn_percent, settings.disk_refuse_percent, tell)
        bronze = Bronze(paths, schema_name("bronze"))
        bronze.finish_pending()
        check_lake(bronze, order.wanted.data_source, order.as_of)
        choice = choose_engine(machine)
        if order.builds:
            tell(str(choice))
            _advise(choice, Lake(paths), settings.embedded_max_swaps, tell)
        upgrade_lake(machine, tell, choice, order.variables)
        records: list[StepRecord] = []
        try:
            with lake_engine(machine, tell, choice) as engine:
                run = _Run(order, settings, Lake(paths), bronze, tell, engine)
                with run.getting_ready():
                    run.all(records)
        finally:
            # once the lock is lost another may write, whatever error it ended in
            if lock.lost is None:
                _land_records(bronze, order, records, tell)
        record_checksums(Lake(paths))
        if run.failures:
            raise LoadsFailedError(run.failures, records)
    return records


def _advise(choice: Choice, lake: Lake, most_swaps: int, tell: Tell) -> None:
    """Say so where Spark would serve a lake of this size better; a run never starts a server that nobody asked for."""
    if choice.name != EMBEDDED or not lake.has("bronze", TRANSACTION_HISTORY.name):
        return
    swaps = lake.row_count("bronze", TRANSACTION_HISTORY.name)
    if swaps > most_swaps:
        tell(
            f"warning: {swaps:,} swaps, more than embedded_max_swaps = {most_swaps:,}: this engine works on, in one "
            "process and within its memory limit; Spark (--engine spark) uses all cores for each table"
        )


class _Run:
    """Does the steps of one run."""

    def __init__(
        self,
        order: Order,
        settings: LoaderSettings,
        lake: Lake,
        bronze: Bronze,
        tell: Tell,
        engine: Engine,
    ) -> None:
        self._order = order
        self._settings = settings
        self._lake = lake
        self._bronze = bronze
        self._tell = tell
        self._engine = engine
        self._evidence = Evidence(lake)
        self._builds = Builds(lake.paths, engine, order.as_of.isoformat(), order.run_id, order.variables, tell)
        self._changes = Changes(self._builds, self._evidence, order.variables, order.with_tests)
        self.failures: list[SmartTraderError] = []
        # what this run has built, and what of it nothing has changed since
        self._built: set[str] = set()
        self._fresh: set[str] = set()
        self._is_deferred = False
        self._defects: list[str] = []

    @contextmanager
    def getting_ready(self) -> Iterator[None]:
        """Read the project, and start a server, beside the first load; where no build is sure to come, later."""
        builds = [step for step in self._order.steps if step.is_build]
        is_sure = any(
            self._evidence.is_first(step) or self._evidence.is_due(step, self._order.as_of) for step in builds
        )
        if not builds or not (is_sure or self._is_calculation_due()):
            yield
            return
        self._engine.begin()
        with self._builds.beginning():
            yield

    def all(self, records: list[StepRecord]) -> None:
        """Do the steps that are asked for, in order."""
        steps = self._order.steps
        with serving_api(self._order.wanted, self._lake.paths, self._order.as_of) as api:
            for number, step in enumerate(steps, 1):
                self._tell(f"[{number}/{len(steps)}] {step.name}")
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
            self._tell("      not asked: the API takes no further request of this run")
            return
        given = {"whales": self._order.tokens, "transactions": self._order.wallets}.get(str(step.loader))
        job = Job(
            str(step.loader),
            self._load_settings(),
            self._lake.paths,
            self._order.as_of,
            given=given,
            with_queue=True,
            run_id=self._order.run_id,
        )
        report = run_job(job, api)
        self._defects += report.defects
        record.rows, record.requests, record.cu = report.rows, report.requests, report.cu
        record.outcome, record.error = _outcome(report)
        self._tell(f"      {report}")
        if given and step.loader == "whales" and (untracked := untracked_text(self._lake, self._order.run_id)):
            self._tell(f"      {untracked}")
        failure = _whole_failure(step, report)
        if failure is not None:
            record.outcome, record.error = "failed", failure.what
            self.failures.append(failure)
            if not self._has_answers():
                # a new lake: there is nothing to build
                raise failure
            self._tell("      failed; what has landed is built")
        elif record.error:
            self._tell(f"      {record.outcome}: {record.error}")

    def _has_answers(self) -> bool:
        """Whether the API ever answered for anything in this lake."""
        is_answer = ~pc.field("outcome").isin(["failed", RETRY])
        return bool(read_table(self._bronze.location(FETCH_LOG), ["outcome"], is_answer).num_rows)

    def _load_settings(self) -> LoaderSettings:
        """Return the settings of the next load: at our own server's pace where that is asked."""
        settings = self._settings
        if self._order.wanted.data_source != "birdeye" and settings.requests_per_second is None:
            settings = settings.model_copy(
                update={
                    "requests_per_second": OWN_SERVER_RATE,
                    "max_parallel_requests": settings.max_parallel_requests or OWN_SERVER_PARALLEL,
                }
            )
        return settings

    def _build(self, step: Step, record: StepRecord) -> None:
        """Build what landed can have changed and is not built yet, and what an edit of the project made old."""
        for kind in self._evidence.note_landed():
            if self._fresh:
                self._fresh -= self._reach(kind)
        is_first = self._evidence.is_first(step)
        stale = self._changes.stale(step)
        pending = self._pending_kinds(step)
        if not is_first and not pending and not stale:
            record.outcome = "skipped"
            self._tell("      nothing landed or changed, nothing to build")
            return
        if stale and not is_first:
            self._tell(f"      {self._changes.told()}")
        self._engine.begin()
        self._restore_views(step)
        wanted = self._scope(step) if is_first else self._changed(step, pending)
        seeds = self._changes.stale_seeds()
        tests = self._changes.nodes.tests_of(self._built) if step.queue is None and self._order.with_tests else set()
        chosen = (wanted - self._fresh) | stale | seeds
        if chosen or tests:
            self._tell(f"      {self._do(step, chosen | tests)}")
        self._evidence.mark(step.name, True)
        if step.queue is None:
            self._evidence.mark_pending({})
            self._changes.note_end()

    def _do(self, step: Step, keys: set[str]) -> Built:
        """Build nodes, and test them at the end of the run or of a step alone."""
        command = ["build", "--exclude-resource-type", "unit_test"]
        if not self._order.with_tests or (step.queue is not None and self._order.step is None):
            command.append("test")
        elif step.queue is not None:
            # a step alone has no end to wait for; what later steps build may not be there yet
            command += ["--indirect-selection", "cautious"]
        built = self._invoke(step.name, *command, "--select", *self._changes.nodes.names(keys))
        self._built |= self._builds.made
        self._fresh |= self._builds.made
        self._evidence.mark_pending(
            {kind: known | self._builds.made for kind, known in self._evidence.pending().items()}
        )
        return built

    def _pending_kinds(self, step: Step) -> list[str]:
        """Return the kinds of what landed that ask for a step's build."""
        pending = self._evidence.pending()
        if step.queue is None:
            if self._is_calculation_due():
                return [*pending, CALCULATIONS]
            return [] if set(pending) == {"tokens"} and not pending["tokens"] and self._is_deferred else list(pending)
        if self._evidence.is_first(step):
            return list(pending)
        if step.kind not in pending or self._changes.is_built(step.queue, pending[step.kind]):
            return []
        self._is_deferred = step.kind == "tokens" and self._evidence.brings_no_work(step, self._order.as_of)
        return [] if self._is_deferred else list(pending)

    def _reach(self, kind: str) -> set[str]:
        """Return what a kind of load can change."""
        return self._changes.nodes.below(READERS[kind], stops(kind))

    def _changed(self, step: Step, kinds: list[str]) -> set[str]:
        """Return what has landed can have changed, and is not built since."""
        built = self._evidence.pending()
        changed: set[str] = set()
        for kind in kinds:
            changed |= self._reach(kind) - built.get(kind, set())
        return changed & self._scope(step)

    def _scope(self, step: Step) -> set[str]:
        """Return all models and snapshots that a step builds."""
        nodes = self._changes.nodes
        kept = nodes.keys("model", "snapshot")
        return kept & nodes.above(step.queue) if step.queue else kept

    def _restore_views(self, step: Step) -> None:
        """Build the views once more where another engine built the lake last: each keeps its own."""
        name = self._engine.choice.name
        known = self._evidence.engine()
        if known == name:
            return
        if known is not None and self._evidence.has_leaderboard():
            views = self._changes.nodes.views()
            built = self._invoke("views", "run", "--select", *self._changes.nodes.names(views))
            self._tell(f"      the lake was built by {known}; views: {built}")
        self._evidence.mark(ENGINE, name)

    def _is_calculation_due(self) -> bool:
        """Whether time or another formula makes a wallet's profit and loss due."""
        as_of = self._order.as_of
        return self._evidence.has_due_calculations(
            as_of, self._settings.pnl_refresh_hours
        ) or self._evidence.has_outdated_calculations(as_of, self._changes.formula_version)

    def _invoke(self, what: str, *arguments: str) -> Built:
        """Run dbt, and note by which code it built what it built."""
        try:
            return self._builds.invoke(what, *arguments, remade=self._changes.remade())
        finally:
            self._changes.note_built()


def _whole_failure(step: Step, report: Report) -> SmartTraderError | None:
    """Return what failed a load as a whole, or None: a wallet that fails is one of many, and tried again later."""
    if step.loader != "tokens" or not report.failures:
        return report.whole_failure
    # the list is its load's only item
    item, error = report.failures[0]
    return SmartTraderError(f"{report.kind}: {item} failed: {error}", "run again when the API answers")


def _outcome(report: Report) -> tuple[str, str | None]:
    """Put how a load went into a word and a reason."""
    if report.stop is not None:
        return "partial", report.stop.what
    if report.failures:
        item, error = report.failures[0]
        return (
            "partial",
            f"{len(report.failures)} of {report.outcomes.total()} items failed, the first: {item}: {error}",
        )
    return "complete", None


def _land_records(bronze: Bronze, order: Order, records: list[StepRecord], tell: Tell) -> None:
    """Land what the steps did; a lake that cannot be written must not hide why the run failed."""
    landed_at = datetime.now(UTC)
    rows = [
        {name: getattr(record, name, None) for name in PIPELINE_RUNS.schema.names}
        | {
            "run_id": order.run_id,
            "data_source": order.wanted.data_source,
            "as_of": order.as_of,
            "landed_at": landed_at,
            "seconds": f"{record.seconds:.3f}",
        }
        for record in records
    ]
    try:
        if rows:
            bronze.prepare()
            bronze.land({PIPELINE_RUNS: pa.Table.from_pylist(rows, PIPELINE_RUNS.schema)})
    except SmartTraderError as error:
        tell(f"the record of this run could not be landed: {error}")
