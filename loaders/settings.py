"""The loaders' settings: the `vars` of dbt_project.yml, checked by name and range, and the key from the environment."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loaders.pacing import Pacer
from smart_trader.errors import SettingsError
from smart_trader.paths import PROJECT_FILE, project_root
from smart_trader.settings import birdeye_api_key

KEY_VARIABLE = "BIRDEYE_API_KEY"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a BirdEye plan allows an account."""

    per_second: float
    per_minute: int | None


PLANS = {
    "standard": Plan(1, None),
    "lite": Plan(15, None),
    "starter": Plan(15, None),
    "premium": Plan(50, 1000),
    "business": Plan(100, 1500),
}

TOKEN_FILTERS = (
    "min_liquidity",
    "max_liquidity",
    "min_volume_1h_usd",
    "min_price_change_2h_percent",
    "min_price_change_24h_percent",
)
# The longest latency a plan's pace is kept at: so many requests must be in flight at once.
LATENCY_S = 0.6
MOST_PARALLEL = 64

Rate = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class LoaderSettings(BaseModel):
    """Settings of one run; each is a var of the same name, documented where it is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    birdeye_plan: Literal["standard", "lite", "starter", "premium", "business"]
    requests_per_second: Rate | None
    requests_per_minute: Count | None
    wallet_requests_per_minute: Count
    cu_budget: Annotated[int, Field(ge=0)] | None
    cu_prices: dict[str, Annotated[int, Field(ge=0)]]
    max_request_tries: Count
    max_parallel_requests: Annotated[int, Field(ge=1, le=MOST_PARALLEL)] | None
    token_sort_by: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    token_sort_type: Literal["desc", "asc"]
    token_limit: Annotated[int, Field(ge=1, le=10_000)]
    min_liquidity: Annotated[float, Field(ge=0)] | None
    max_liquidity: Annotated[float, Field(ge=0)] | None
    min_volume_1h_usd: Annotated[float, Field(ge=0)] | None
    min_price_change_2h_percent: float | None
    min_price_change_24h_percent: float | None
    max_whales_per_token: Annotated[int, Field(ge=1, le=10_000)]
    max_pages_per_wallet: Count
    max_swaps_per_wallet: Count
    refetch_overlap_hours: Annotated[int, Field(ge=1)]
    history_days: Count | None
    land_rows: Annotated[int, Field(ge=1, le=50_000)]
    land_seconds: Rate

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
        SettingsError: The file cannot be read, or a name is unknown, missing or out of range; names each.
    """
    path = project_root() / PROJECT_FILE
    try:
        variables = yaml.safe_load(path.read_text())["vars"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise SettingsError(f"cannot read the vars of {path}: {error!r}", "restore the file") from None
    try:
        return LoaderSettings(**{**variables, **(overrides or {})})
    except ValidationError as error:
        faults = "; ".join(
            _fault(fault["loc"], fault["type"], fault["msg"], fault["input"]) for fault in error.errors()
        )
        raise SettingsError(f"settings that cannot be used: {faults}", f"correct them under vars: in {path}") from None


def _fault(where: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    name = ".".join(map(str, where))
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, LoaderSettings.model_fields, 1)
        return f"{name} is no setting" + (f" (did you mean {near[0]}?)" if near else "")
    return f"{name} = {value!r}: {message}" if kind != "missing" else f"{name} is missing"


def api_key() -> str:
    """Return the API key.

    Raises:
        SettingsError: There is none; no made-up data takes its place.
    """
    key = birdeye_api_key()
    if key is None:
        raise SettingsError(f"no {KEY_VARIABLE} in the environment or .env", "set it, or name the sandbox explicitly")
    return key
