"""Shows how a long load goes: a live bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from loaders.client import UnitMeter
from smart_trader.console import report_line

LINE_EVERY_S = 10.0


def _make_bar() -> Bar:
    """Return a bar for stderr that is gone when the load ends: the load's own line has all that it showed."""
    return Bar(
        TextColumn("      {task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[figures]}"),
        console=Console(stderr=True, highlight=False),
        expand=True,
        transient=True,
    )


class Progress:
    """Progress over work items; used by one thread.

    Args:
        what: What is fetched, e.g. `holders`.
        total: Work items.
        meter: Knows requests and compute units.
    """

    def __init__(self, what: str, total: int, meter: UnitMeter) -> None:
        self._what = what
        self._total = total
        self._meter = meter
        self._started = self._last_line = time.monotonic()
        self._spent = meter.spent
        self._items = 0
        self._rows = 0
        self._bar = _make_bar() if sys.stderr.isatty() else None
        self._task = self._bar.add_task(what, total=total, figures="") if self._bar else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, rows: int) -> None:
        """Count one item that was fetched, and its rows; one that the run never reached is not counted."""
        self._items += 1
        self._rows += rows
        self.tick()

    def tick(self) -> None:
        """Show how things are, if it is time to."""
        if self._bar is not None and self._task is not None:
            figures = f"{self._rows:,} rows {self._meter.spent - self._spent:,} CU"
            self._bar.update(self._task, completed=self._items, figures=figures)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            report_line(self._line(self._last_line - self._started))

    def _line(self, seconds: float) -> str:
        """Write how things are after some seconds."""
        spent, requests = self._meter.spent - self._spent, self._meter.requests
        rate = requests / seconds if seconds else 0.0
        left = f", about {(self._total - self._items) * seconds / self._items:,.0f} s left" if self._items else ""
        return (
            f"      {self._what}: {self._items:,} of {self._total:,}, {self._rows:,} rows, {requests:,} requests, "
            f"{spent:,} CU, {rate:.1f} requests/s{left}"
        )
