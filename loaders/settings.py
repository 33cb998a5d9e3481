"""What the loaders read out of the project's vars: pace, filters, and the key from the environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from loaders.pacing import Pacer
from smart_trader.birdeye import PLANS, Plan
from smart_trader.config.settings import birdeye_api_key
from smart_trader.config.variables import MOST_PARALLEL, ProjectVariables, read_variables
from smart_trader.errors import SettingsError

KEY_VARIABLE = "BIRDEYE_API_KEY"


TOKEN_FILTERS = (
    "min_liquidity",
    "max_liquidity",
    "min_volume_1h_usd",
    "min_price_change_2h_percent",
    "min_price_change_24h_percent",
)
# The longest latency a plan's pace is kept at: so many requests must be in flight at once.
LATENCY_S = 0.6


class LoaderSettings(ProjectVariables):
    """The vars, with what a loader makes of them."""

    @property
    def plan(self) -> Plan:
        """The pace of this run: the plan's, or what overrides it."""
        plan = PLANS[self.birdeye_plan]
        return Plan(self.requests_per_second or plan.per_second, self.requests_per_minute or plan.per_minute)

    @property
    def parallel(self) -> int:
        """Requests in flight at once, so that a slow API does not slow the pace."""
        return self.max_parallel_requests or min(MOST_PARALLEL, math.ceil(self.plan.per_second * LATENCY_S) + 1)

    def pacer(self) -> Pacer:
        """Return what spaces this run's requests."""
        return Pacer(self.plan.per_second, self.plan.per_minute)

    def token_query(self) -> dict[str, Any]:
        """Return the token list's sorting and filters; a filter of null is left out."""
        filters = {name: getattr(self, name) for name in TOKEN_FILTERS if getattr(self, name) is not None}
        return {
            "sort_by": self.token_sort_by,
            "sort_type": self.token_sort_type,
            **{name: format(Decimal(str(value)).normalize(), "f") for name, value in filters.items()},
        }


def loader_settings(overrides: Mapping[str, Any] | None = None) -> LoaderSettings:
    """Read the vars of the project.

    Args:
        overrides: Values of this run alone, by the vars' names.

    Raises:
        SettingsError: A name is unknown, missing or out of range; names each.
    """
    return read_variables(LoaderSettings, overrides)


def api_key() -> str:
    """Return the API key.

    Raises:
        SettingsError: There is none; no made-up data takes its place.
    """
    key = birdeye_api_key()
    if key is None:
        raise SettingsError(f"no {KEY_VARIABLE} in the environment or .env", "set it, or name the sandbox explicitly")
    return key
