"""How long the steps of a lake's last whole run took: the only thing that is known of how long the next will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.steps import STEP_NAMES
from smart_trader.reports.run_history import step_rows


@dataclass(frozen=True, slots=True)
class LastTimes:
    """Seconds of each step of the last whole run, in order; empty where no run did every step.

    Attributes:
        seconds: By step.
    """

    seconds: dict[str, float]

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """Return those of a lake; none where what it keeps of its runs cannot be read, which must stop no run."""
        by_run: dict[str, dict[str, float]] = {}
        try:
            rows = step_rows(lake)
        except SmartTraderError:
            return cls({})
        for row in rows:
            if row["outcome"] in ("complete", "partial"):
                by_run.setdefault(row["run_id"], {})[row["step"]] = row["seconds"]
        whole = [seconds for seconds in by_run.values() if set(seconds) == set(STEP_NAMES)]
        return cls(whole[-1] if whole else {})

    def seconds_from(self, step: str, names: Sequence[str] = STEP_NAMES) -> float | None:
        """Return the seconds from the begin of a step to the end; None where no run is known."""
        if not self.seconds:
            return None
        return sum(self.seconds[name] for name in names[names.index(step) :])
