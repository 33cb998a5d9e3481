"""The loaders' settings come from dbt_project.yml, and a wrong one is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from loaders.settings import PLANS, LoaderSettings, api_key, loader_settings
from smart_trader.errors import SettingsError


def test_the_projects_own_vars_are_all_known_and_in_range() -> None:
    settings = loader_settings()
    assert settings.birdeye_plan == "starter"
    assert set(settings.cu_prices) == {"/defi/v3/token/list", "/defi/v3/token/holder", "/trader/txs/seek_by_time"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param({"birdeye_plan": "gold"}, "birdeye_plan = 'gold'", id="unknown-plan"),
        pytest.param({"requests_per_second": -3}, "requests_per_second = -3", id="negative-rate"),
        pytest.param({"requests_per_minute": 0}, "requests_per_minute = 0", id="no-requests"),
        pytest.param({"cu_budget": "many"}, "cu_budget = 'many'", id="no-number"),
        pytest.param({"cu_prices": {"/x": -1}}, "cu_prices./x = -1", id="negative-price"),
        pytest.param({"cu_buget": 5}, "cu_buget is no setting .did you mean cu_budget", id="misspelt"),
    ],
)
def test_a_wrong_value_is_refused_by_name(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        loader_settings(overrides)


def test_every_plan_is_a_choice() -> None:
    for plan in PLANS:
        assert isinstance(loader_settings({"birdeye_plan": plan}), LoaderSettings)


def test_no_key_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDEYE_API_KEY", " ")
    with pytest.raises(SettingsError, match="no BIRDEYE_API_KEY"):
        api_key()
