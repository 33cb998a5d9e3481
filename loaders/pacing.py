"""Spaces requests so that a plan's rate is never exceeded, however many threads ask."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE_S = 60.0
# Requests reach the server less evenly than they leave; three percent keep the last one of a second out of it.
SPACING = 1.03


class Pacer:
    """Hands out the moments at which requests may start.

    Requests are spaced evenly within the second, since the API counts denied requests too: a burst that is cut off by
    a 429 costs more than waiting.

    Args:
        per_second: Requests a second, above 0.
        per_minute: Requests in any minute, or None.
        clock: Seconds that only grow; a test gives its own.
        sleep: Waits some seconds.

    Raises:
        ValueError: A rate is not above 0.
    """

    def __init__(
        self,
        per_second: float,
        per_minute: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0 or (per_minute is not None and per_minute <= 0):
            raise ValueError("a rate must be above 0")
        self._interval = SPACING / per_second
        self._recent: deque[float] | None = deque(maxlen=per_minute) if per_minute else None
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may start."""
        with self._lock:
            start = max(self._clock(), self._next)
            if self._recent is not None and len(self._recent) == self._recent.maxlen:
                start = max(start, self._recent[0] + MINUTE_S * SPACING)
            if self._recent is not None:
                self._recent.append(start)
            self._next = start + self._interval
        # the place is taken, so that others may queue behind while this one sleeps
        delay = start - self._clock()
        if delay > 0:
            self._sleep(delay)

    def hold_until(self, moment: float) -> None:
        """Let no request start before a moment of the clock: the server asked to wait."""
        with self._lock:
            self._next = max(self._next, moment)
