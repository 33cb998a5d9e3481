"""The loaders' settings: the `vars` of dbt_project.yml, checked by name and range, and the key from the environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loaders.pacing import Pacer
from smart_trader.errors import SettingsError
from smart_trader.paths import PROJECT_FILE, project_root

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

    def pacer(self) -> Pacer:
        """Return the pace of this run: the plan's, or what overrides it."""
        plan = PLANS[self.birdeye_plan]
        return Pacer(self.requests_per_second or plan.per_second, self.requests_per_minute or plan.per_minute)


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
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise SettingsError(f"no {KEY_VARIABLE} in the environment", "set it, or name the sandbox explicitly")
    return key
