"""The pipeline's settings: the `vars` of dbt_project.yml, checked by name and range. dbt reads the same lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smart_trader.config.paths import PROJECT_FILE, project_root
from smart_trader.errors import SettingsError, closest

MOST_PARALLEL = 64

# at most a century: what is longer leads to dates that neither Python nor an engine has
MOST_DAYS = 36_500


def _in(unit: str, **bounds: Any) -> Any:
    """Return the bounds of a setting, with the unit that `smart-trader config` shows."""
    return Field(json_schema_extra={"unit": unit}, **bounds)


Rate = Annotated[float, _in("requests/s", gt=0)]
RatePerMinute = Annotated[int, _in("requests/min", ge=1)]
Units = Annotated[int, _in("CU", ge=0)]
Count = Annotated[int, Field(ge=1)]
# none of them switches what is looked up off
Lookups = Annotated[int, _in("tokens", ge=0)]
Hours = Annotated[int, _in("hours", ge=1, le=MOST_DAYS * 24)]
Days = Annotated[int, _in("days", ge=1, le=MOST_DAYS)]
Seconds = Annotated[int, _in("seconds", ge=1, le=MOST_DAYS * 86_400)]
Share = Annotated[float, _in("share", ge=0, le=1)]
Usd = Annotated[float, _in("USD", ge=0)]
Percent = Annotated[float, _in("percent", ge=0, le=100)]
PriceChange = Annotated[float, _in("percent")]


class ProjectVariables(BaseModel):
    """Every var of the project; each is documented where it is set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # the API: pace and cost
    birdeye_plan: Literal["standard", "lite", "starter", "premium", "business"]
    requests_per_second: Rate | None
    requests_per_minute: RatePerMinute | None
    cu_budget: Units | None
    cu_prices: dict[str, Units]
    max_request_tries: Count
    max_parallel_requests: Annotated[int, Field(ge=1, le=MOST_PARALLEL)] | None

    # what is requested
    token_sort_by: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    token_sort_type: Literal["desc", "asc"]
    token_limit: Annotated[int, _in("tokens", ge=1, le=10_000)]
    max_whales_per_token: Annotated[int, _in("holders", ge=1, le=10_000)]
    max_pages_per_wallet: Count
    max_swaps_per_wallet: Count
    max_priced_tokens: Lookups
    max_launch_lookups: Lookups
    launch_lookups_per_wallet: Count
    refetch_overlap_hours: Hours
    history_days: Days | None
    land_rows: Annotated[int, _in("rows", ge=1, le=50_000)]
    land_seconds: Annotated[float, _in("seconds", gt=0, le=86_400)]

    # which tokens are tracked
    min_liquidity: Usd | None
    max_liquidity: Usd | None
    min_volume_1h_usd: Usd | None
    min_price_change_2h_percent: PriceChange | None
    min_price_change_24h_percent: PriceChange | None
    tracked_min_liquidity: Usd | None

    # when work is due again
    whale_refresh_hours: Hours
    transactions_refresh_hours: Hours
    pnl_refresh_hours: Hours
    launch_retry_days: Days
    max_fetch_attempts: Count
    exhausted_retry_days: Days
    retry_pause_hours: Hours

    # profit and loss
    win_threshold_usd: Usd
    dust_share: Annotated[float, _in("share", ge=0, lt=1)]
    max_leg_disagreement: Annotated[float, Field(ge=1)]
    max_price_age_hours: Hours
    max_trade_age_hours: Hours
    require_history_complete: bool
    min_basis_coverage: Share

    # positions' returns and wallets' flags
    min_position_usd: Annotated[float, _in("USD", gt=0)]
    max_position_return: Annotated[float, Field(gt=0)]
    arbitrage_min_share: Share
    arbitrage_min_trades: Count
    machine_pace_min_share: Share
    machine_pace_min_transactions: Annotated[int, Field(ge=2)]
    launch_max_seconds: Seconds
    launch_min_profit_share: Share
    launch_min_win_share: Share
    launch_min_wins: Count
    launch_best_tokens: Count
    launch_known_min_share: Share
    launch_telling_tokens: Count
    launch_known_min_token_share: Share
    wash_pair_max_seconds: Seconds
    wash_pair_min_size_ratio: Share
    wash_pair_min_trades: Count
    wash_pair_min_share: Share
    unmatched_max_share: Share
    martingale_max_price_ratio: Share
    martingale_min_size_ratio: Annotated[float, Field(gt=0)]
    martingale_min_rungs: Count
    martingale_min_share: Share
    followed_late_seconds: Seconds
    followed_min_delay_seconds: Seconds
    followed_max_delay_seconds: Seconds
    followed_min_crowd: Count
    followed_min_growth: Annotated[float, Field(ge=1)]
    followed_min_buys: Count
    followed_min_share: Share
    one_hit_min_share: Share
    one_hit_min_positions: Annotated[int, Field(ge=2)]
    churn_min_trades_per_token: Annotated[float, Field(ge=1)]
    churn_min_trades: Count
    churn_max_hours: Hours
    churn_max_return: Share
    dormant_days: Days

    # skill and what it comes to
    skill_window_days: Days
    skill_peer_positions: Annotated[int, Field(ge=2)]
    skill_variance_positions: Count
    skill_bound_95: Annotated[float, Field(ge=0)]
    skill_bound_90: Annotated[float, Field(ge=0)]
    skill_period_days: Days
    grade_a_positions: Count
    grade_b_positions: Count
    grade_c_positions: Count
    grade_a_periods: Count
    grade_a_good_share: Share
    luck_permutations: Annotated[int, Field(ge=1, le=1000)]
    calibration_window_days: Days
    calibration_min_cost_usd: Usd
    calibration_min_buys: Count

    # maintenance
    embedded_max_swaps: Count
    disk_warn_percent: Percent
    disk_refuse_percent: Percent
    vacuum_retention_hours: Annotated[int, _in("hours", ge=168, le=MOST_DAYS * 24)]

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        """Refuse pairs that leave nothing between them."""
        for low, high in (
            ("min_liquidity", "max_liquidity"),
            ("followed_min_delay_seconds", "followed_max_delay_seconds"),
            ("disk_warn_percent", "disk_refuse_percent"),
        ):
            bounds = getattr(self, low), getattr(self, high)
            if None not in bounds and bounds[0] > bounds[1]:
                raise ValueError(f"{low} = {bounds[0]:g} is above {high} = {bounds[1]:g}")
        return self


Variables = TypeVar("Variables", bound=ProjectVariables)


def read_variables(kind: type[Variables], overrides: Mapping[str, Any] | None = None) -> Variables:
    """Read the vars of the project.

    Args:
        kind: Class to make of them.
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
        return kind(**{**variables, **(overrides or {})})
    except ValidationError as error:
        faults = "; ".join(
            _describe_fault(fault["loc"], fault["type"], fault["msg"], fault["input"]) for fault in error.errors()
        )
        raise SettingsError(
            f"settings that cannot be used: {faults}",
            f"correct them where they are set, with --var or under vars: in {path}; all of them: smart-trader config",
        ) from None


def check_variables(overrides: Mapping[str, Any]) -> None:
    """Refuse vars that cannot be used; dbt calls this before each build.

    Args:
        overrides: Values from the command line, by the vars' names.

    Raises:
        SettingsError: A name is unknown, missing or out of range; names each.
    """
    read_variables(ProjectVariables, overrides)


def _describe_fault(where: tuple[int | str, ...], kind: str, message: str, value: Any) -> str:
    name = ".".join(map(str, where))
    if kind == "extra_forbidden":
        near = closest(name, ProjectVariables.model_fields)
        return f"{name} is no setting" + (f" (did you mean {near}?)" if near else "")
    if not name:
        return message.removeprefix("Value error, ")
    return f"{name} = {value!r}: {message}" if kind != "missing" else f"{name} is missing"


def parse_variables(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read `name=value` pairs; values are YAML, as in dbt_project.yml.

    Raises:
        SettingsError: A pair has no `=`, or its value is no YAML.
    """
    found = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        try:
            if not sign or not name.strip():
                raise ValueError(pair)
            found[name.strip()] = yaml.safe_load(text)
        except (ValueError, yaml.YAMLError):
            raise SettingsError(f"--var {pair!r} cannot be read", "write it as name=value") from None
    return found
