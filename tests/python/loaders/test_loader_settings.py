"""The loaders' settings come from dbt_project.yml, and a wrong one is refused by name."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from loaders.resources import RESOURCES
from loaders.settings import LoaderSettings, api_key, loader_settings
from smart_trader.birdeye import PLANS, PRICES_CU
from smart_trader.config.settings import store_settings
from smart_trader.errors import SettingsError


def test_the_projects_own_vars_are_all_known_and_in_range() -> None:
    settings = loader_settings()
    assert settings.birdeye_plan == "starter"
    assert set(settings.cu_prices) == {resource.endpoint for resource in RESOURCES}
    assert settings.cu_prices.items() <= PRICES_CU.items()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param({"birdeye_plan": "gold"}, "birdeye_plan = 'gold'", id="unknown-plan"),
        pytest.param({"requests_per_second": -3}, "requests_per_second = -3", id="negative-rate"),
        pytest.param({"requests_per_minute": 0}, "requests_per_minute = 0", id="no-requests"),
        pytest.param({"cu_budget": "many"}, "cu_budget = 'many'", id="no-number"),
        pytest.param({"cu_prices": {"/x": -1}}, "cu_prices./x = -1", id="negative-price"),
        pytest.param({"pnl_refresh_hours": 99_999_999_999}, "pnl_refresh_hours = 99999999999", id="beyond-any-date"),
        pytest.param({"history_days": 10_000_000}, "history_days = 10000000", id="before-any-date"),
        pytest.param({"land_seconds": 1e300}, "land_seconds = 1e.300", id="longer-than-a-wait-may-be"),
        pytest.param({"cu_buget": 5}, "cu_buget is no setting .did you mean cu_budget", id="misspelt"),
    ],
)
def test_a_wrong_value_is_refused_by_name(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        loader_settings(overrides)


def test_every_plan_is_a_choice() -> None:
    for plan in PLANS:
        assert isinstance(loader_settings({"birdeye_plan": plan}), LoaderSettings)


def test_no_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDEYE_API_KEY", " ")
    with pytest.raises(SettingsError, match="no BIRDEYE_API_KEY"):
        api_key()


KEYS = {
    "second-line": "SECRETSECRETSECRET\nSECOND",
    "carriage-return": "SECRETSECRETSECRET\rSECOND",
    "blank-inside": "SECRETSECRETSECRET SECOND",
    "smart-quotes": "\u201cSECRETSECRETSECRET\u201d",
    "letter-outside-ascii": "SECRETSECRETSECR\u00c9T",
    "escape": "SECRETSECRETSECRET\x1b[2J",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("BIRDEYE_API_KEY", key)
    with pytest.raises(
        SettingsError, match="BIRDEYE_API_KEY holds a line break, a blank or a letter outside"
    ) as refused:
        api_key()
    shown = "".join(traceback.format_exception(refused.value))
    assert "SECRET" not in shown
    assert "SECOND" not in shown


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_so_is_a_key_of_a_store(monkeypatch: pytest.MonkeyPatch, name: str, key: str) -> None:
    for other in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(other, "good")
    monkeypatch.setenv(name, key)
    with pytest.raises(SettingsError, match=name) as refused:
        store_settings()
    assert "SECRETSECRET" not in "".join(traceback.format_exception(refused.value))


def test_blanks_around_a_key_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIRDEYE_API_KEY", " key-1234567890-abcdef\n")
    assert api_key() == "key-1234567890-abcdef"
