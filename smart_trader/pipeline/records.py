"""What a run notes of its steps in `bronze.pipeline_runs`, and how its loads can fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from loaders.bronze import Bronze
from loaders.report import Report
from loaders.resources import TOKENS, Resource
from loaders.tables import PIPELINE_RUNS
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.pipeline.request import RunRequest


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

    def add(self, report: Report) -> None:
        """Count a load in."""
        self.rows = (self.rows or 0) + report.rows
        self.requests = (self.requests or 0) + report.requests
        self.cu = (self.cu or 0) + report.cu
        outcome, error = outcome_of(report)
        if error is not None:
            self.outcome, self.error = outcome, "; ".join(filter(None, (self.error, error)))


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
    return _builds(record) and record.outcome in ("complete", "skipped")


def _builds(record: StepRecord) -> bool:
    return record.step.startswith("build_")


def is_idle(records: Iterable[StepRecord]) -> bool:
    """Whether a whole run built nothing, and failed in nothing."""
    return all(
        record.outcome == "skipped" or (record.outcome == "complete" and not _builds(record)) for record in records
    )


def whole_failure(resource: Resource, report: Report) -> SmartTraderError | None:
    """Return what failed a load as a whole, or None: a wallet that fails is one of many, and tried again later."""
    if resource is not TOKENS or not report.failures:
        return report.whole_failure
    # the list is its load's only item
    item, error = report.failures[0]
    return SmartTraderError(f"{report.kind}: {item} failed: {error}", "run again when the API answers")


def outcome_of(report: Report) -> tuple[str, str | None]:
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


def land_records(bronze: Bronze, request: RunRequest, records: list[StepRecord], progress: ProgressFn) -> None:
    """Land what the steps did; a lake that cannot be written must not hide why the run failed."""
    landed_at = datetime.now(UTC)
    rows = [
        {
            "run_id": request.run_id,
            "step": record.step,
            "outcome": record.outcome,
            "data_source": request.source.data_source,
            "as_of": request.as_of,
            "started_at": record.started_at,
            "landed_at": landed_at,
            "rows": record.rows,
            "requests": record.requests,
            "cu": record.cu,
            "seconds": f"{record.seconds:.3f}",
            "error": record.error,
        }
        for record in records
    ]
    try:
        if rows:
            bronze.prepare()
            bronze.land({PIPELINE_RUNS: PIPELINE_RUNS.table_of(rows)})
    except SmartTraderError as error:
        progress(f"the record of this run could not be landed: {error}")
