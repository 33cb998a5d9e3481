"""How a loader's run went, for people and for the exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loaders.errors import TerminalApiError
from loaders.fetching import FetchResult
from smart_trader.errors import SmartTraderError

SHOWN_FAILURES = 5
# Failures of every requested item, from this many items on, are the endpoint's;
# models/silver/loads/fetch_status.sql counts alike.
FEWEST_OF_OUTAGE = 2


@dataclass(slots=True)
class Report:
    """How a run went.

    Attributes:
        kind: What was loaded: tokens, whales or transactions.
        outcomes: Number of items by outcome.
        failures: Item and error of the failed ones.
        defects: Items that failed by a defect of the loader; they are among the failures.
        set_apart: What was left out of items that are otherwise whole, with the reason.
        rows: Rows landed, without the fetch log.
        requests: Requests sent, tries included.
        cu: Compute units they cost.
        seconds: Wall time.
        not_reached: Items that the load's end came before; nothing is known of them.
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
    not_reached: int = 0
    stop: SmartTraderError | None = None

    @property
    def is_outage(self) -> bool:
        """Whether all requested items failed, and so the endpoint; one item alone does not show it."""
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
        if self.not_reached:
            outcomes.append(f"{self.not_reached} not asked")
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

    def add(self, fetch: FetchResult) -> None:
        """Count what became of an item."""
        self.outcomes[fetch.outcome] += 1
        self.rows += fetch.rows
        if fetch.outcome == "failed":
            self.failures.append((fetch.item, fetch.error or ""))
        else:
            self.set_apart += fetch.set_apart
        if fetch.is_defect:
            self.defects.append(fetch.item)
