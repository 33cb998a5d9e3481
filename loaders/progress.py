"""Shows how a long load goes: a live bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from loaders.client import UnitMeter
from smart_trader.console import report_line

LINE_EVERY_S = 15.0


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
        self._items = 0
        self._rows = 0
        self._is_live = sys.stderr.isatty()
        self._bar = tqdm(total=total, desc=what, unit="item", disable=not self._is_live, dynamic_ncols=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, rows: int) -> None:
        """Count one finished item and its rows."""
        self._items += 1
        self._rows += rows
        self._bar.update(1)
        self.tick()

    def tick(self) -> None:
        """Show how things are, if it is time to."""
        seconds = time.monotonic() - self._started
        rate = self._meter.requests / seconds if seconds else 0.0
        figures = f"{self._rows} rows, {self._meter.requests} requests, {self._meter.spent} CU, {rate:.1f} requests/s"
        if self._is_live:
            self._bar.set_postfix_str(figures, refresh=False)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            left = (self._total - self._items) * seconds / self._items if self._items else 0.0
            eta = f", about {left:.0f} s left" if self._items else ""
            report_line(f"{self._what}: {self._items} of {self._total}, {figures}{eta}")
