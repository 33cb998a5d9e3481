"""Spaces requests so that a plan's rate is never exceeded, however many threads send them."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

SECOND_S = 1.0
MINUTE_S = 60.0
# Requests reach the server less evenly than they leave: this keeps the last one of a second out of it.
SPACING = 1.035
# Requests that were held up on this machine are caught up with, this many at the most.
CATCH_UP = 3


class Pacer:
    """Hands out the times at which requests may start.

    Requests are spaced evenly within the second, since the API counts denied requests too: a burst that is cut off by
    a 429 costs more than waiting. No second and no minute, measured between the times at which requests really started
    at, holds more than is allowed.

    Args:
        per_second: Requests a second, above 0.
        per_minute: Requests in any minute, or None.
        clock: Seconds that only grow; a test gives its own.
        sleep: Waits some seconds; the default ends when `stop` is called.

    Raises:
        ValueError: A rate is not above 0.
    """

    def __init__(
        self,
        per_second: float,
        per_minute: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if per_second <= 0 or (per_minute is not None and per_minute <= 0):
            raise ValueError("a rate must be above 0")
        self._interval = SPACING / per_second
        windows = [(math.ceil(per_second), SECOND_S), (per_minute, MINUTE_S)]
        # the starts that fill each window, oldest first
        self._windows = [(deque[float](maxlen=count), seconds * SPACING) for count, seconds in windows if count]
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._next = self._held_until = clock()
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may start, or at once after `stop`."""
        # one at a time sleeps, the others queue behind it
        with self._turn:
            while (delay := self._earliest() - self._clock()) > 0 and not self._stopped.is_set():
                self._sleep(delay)
            start = self._clock()
            for starts, _ in self._windows:
                starts.append(start)
            self._next = max(self._next, start - CATCH_UP * self._interval) + self._interval

    def _earliest(self) -> float:
        full = (starts[0] + seconds for starts, seconds in self._windows if len(starts) == starts.maxlen)
        return max(self._next, self._held_until, *full)

    def hold_until(self, until: float) -> None:
        """Let no request start before a time of the clock: the server demanded a wait."""
        self._held_until = max(self._held_until, until)

    def pause(self, seconds: float) -> None:
        """Wait, or return at once after `stop`; holds up nobody else."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Let nobody wait any longer: no further request will start."""
        self._stopped.set()
