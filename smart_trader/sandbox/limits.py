"""Each plan's rate limits, enforced."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from smart_trader.birdeye import PLANS
from smart_trader.errors import SettingsError


class Rate(NamedTuple):
    """Requests allowed in any second and in any minute; None is no limit."""

    per_second: int | None
    per_minute: int | None


NO_LIMIT = Rate(None, None)
RATES = {"none": NO_LIMIT} | {name: Rate(int(plan.per_second), plan.per_minute) for name, plan in PLANS.items()}


def plan_rate(plan: str, per_second: int | None = None, per_minute: int | None = None) -> Rate:
    """Return a plan's rate, or one's own in its place.

    Raises:
        SettingsError: There is no such plan.
    """
    if plan not in RATES:
        raise SettingsError(f"no plan {plan!r}", f"choose one of {', '.join(RATES)}")
    rate = RATES[plan]
    return Rate(per_second or rate.per_second, per_minute or rate.per_minute)


class RateLimiter:
    """Counts requests over sliding windows. A refused request counts like any other, as on the real API.

    Args:
        rate: What is allowed.
        now: The clock, in seconds.
    """

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._now = now
        self._windows = [
            (limit, span, deque[float]())
            for limit, span in ((rate.per_second, 1.0), (rate.per_minute, 60.0))
            if limit is not None
        ]

    def wait(self) -> int:
        """Count a request; return 0 if it is allowed, else after how many whole seconds to come back."""
        now, waits = self._now(), 0.0
        for limit, span, past in self._windows:
            while past and past[0] <= now - span:
                past.popleft()
            if len(past) >= limit:
                waits = max(waits, past[-limit] + span - now)
            past.append(now)
        return math.ceil(waits)
