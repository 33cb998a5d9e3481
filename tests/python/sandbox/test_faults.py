"""What goes wrong on demand, and rate limits that really refuse."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
import requests

from smart_trader.errors import SettingsError
from smart_trader.sandbox.faults import KINDS, fault_named, fault_of
from smart_trader.sandbox.limits import RATES, Rate, RateLimiter, plan_rate
from smart_trader.sandbox.market.market_source import MarketSource
from smart_trader.sandbox.replay import Recordings, parse
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

from .sandboxes import CLOCK, GENESIS, HOLDER, LIST, SORTED, SWAPS, get, make_market


@pytest.fixture
def url(source: MarketSource) -> Iterator[str]:
    with serving(sandbox_app(source, clock=CLOCK)) as url:
        yield url


def set_faults(url: str, *specs: dict[str, object]) -> requests.Response:
    return requests.post(f"{url}/sandbox/faults", json=list(specs), timeout=10)


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("bad_request", 400, "Bad request"),
        ("cu_exhausted", 400, "Compute units usage limit exceeded"),
        ("unauthorized", 401, "Unauthorized"),
        ("plan", 401, "upgrade to a higher plan"),
        ("forbidden", 403, "Access Denied"),
        ("rate_limited", 429, "Too many requests"),
        ("internal_error", 500, "Internal Server Error"),
        ("server_error", 500, "<!DOCTYPE html>"),
        ("bad_gateway", 502, "<title>502 Bad Gateway</title>"),
        ("redirect", 302, ""),
    ],
)
def test_a_fault_takes_the_place_of_so_many_answers(url: str, kind: str, status: int, message: str) -> None:
    set_faults(url, {"fault": kind, "times": 2})
    answers = [get(url, LIST, **SORTED) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert message in answers[0].text
    assert ("json" in answers[0].headers.get("content-type", "")) == (
        kind not in ("server_error", "bad_gateway", "redirect")
    )


def test_a_refusal_for_rate_names_when_to_come_back(url: str) -> None:
    set_faults(url, {"fault": "rate_limited"})
    headers = get(url, LIST, **SORTED).headers
    assert headers["Retry-After"] == "1"
    assert headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(headers["X-RateLimit-Reset"]) - time.time() + 1 < 4
    assert requests.get(f"{url}/sandbox/info", timeout=10).json()["refused_for_rate"] == 1


def test_truncated_json_is_half_an_answer(url: str) -> None:
    whole = get(url, LIST, **SORTED).text
    set_faults(url, {"fault": "truncated"})
    half = get(url, LIST, **SORTED)
    assert half.status_code == 200
    assert half.text == whole[: len(whole) // 2]
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        half.json()


def test_changed_key_order_changes_no_value(url: str, source: MarketSource) -> None:
    query = {"address": source.wallets[0]}
    plain = get(url, SWAPS, **query)
    set_faults(url, {"fault": "key_order"})
    turned = get(url, SWAPS, **query)
    assert parse(turned.text) == parse(plain.text)
    assert list(turned.json()["data"]["items"][0]) == list(plain.json()["data"]["items"][0])[::-1]


def test_has_next_can_be_spelt_the_other_way_and_data_can_be_null(url: str, source: MarketSource) -> None:
    set_faults(url, {"fault": "has_next"}, {"fault": "null_data", "after": 1})
    assert set(get(url, LIST, **SORTED).json()["data"]) == {"items", "hasNext"}
    # the second fault let one request through only when the first no longer answered
    assert set(get(url, LIST, **SORTED).json()["data"]) == {"items", "has_next"}
    assert get(url, LIST, **SORTED).json() == {"success": True, "data": None}


def test_slow_answers_come_and_hanging_ones_run_into_a_timeout(url: str) -> None:
    set_faults(url, {"fault": "slow", "seconds": 0.3}, {"fault": "timeout"})
    begun = time.monotonic()
    assert get(url, LIST, **SORTED).status_code == 200
    assert time.monotonic() - begun >= 0.3
    with pytest.raises(requests.Timeout):
        requests.get(f"{url}{LIST}", params=SORTED, headers={"X-API-KEY": "k"}, timeout=0.2)
    assert get(url, LIST, **SORTED).status_code == 200


def test_a_fault_strikes_only_where_it_is_set(url: str, source: MarketSource) -> None:
    one, other = source.wallets[:2]
    set_faults(url, {"fault": "forbidden", "times": None, "endpoint": SWAPS, "address": one, "after": 1})
    statuses = [
        get(url, path, **query).status_code
        for path, query in [
            (SWAPS, {"address": one}),
            (SWAPS, {"address": other}),
            (HOLDER, {"address": one}),
            (SWAPS, {"address": one}),
            (SWAPS, {"address": one}),
        ]
    ]
    assert statuses == [200, 200, 200, 403, 403]
    requests.delete(f"{url}/sandbox/faults", timeout=10)
    assert get(url, SWAPS, address=one).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[{"fault": "slwo"}]', "choose one of bad_request"),
        ('[{"fault": "slow", "tmes": 1}]', "no field 'tmes'"),
        ('[{"fault": "slow", "times": -1}]', "cannot be used"),
        ('[{"fault": "slow", "seconds": "x"}]', "cannot be used"),
        ('{"fault": "slow"}', "a list of objects"),
        ("[", "not JSON"),
    ],
)
def test_a_fault_that_is_none_is_refused(url: str, body: str, message: str) -> None:
    answer = requests.post(f"{url}/sandbox/faults", data=body, timeout=10)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_faults_on_the_command_line() -> None:
    assert fault_named("slow:3").times == 3
    assert fault_named("slow").times is None
    for text in ("slow:x", "slwo:1"):
        with pytest.raises(SettingsError):
            fault_named(text)
    assert all(fault_of({"fault": kind}).kind == kind for kind in KINDS)


def test_the_clock_goes_on_and_never_back(url: str) -> None:
    source = make_market(wallets=20, days=0)
    with serving(sandbox_app(source, clock=GENESIS)) as url:
        moved = requests.post(f"{url}/sandbox/clock", json={"now": GENESIS + 7200}, timeout=10)
        assert moved.json()["clock"] == GENESIS + 7200
        for wrong in (GENESIS, "soon", True, None, GENESIS + 500 * 86_400):
            assert requests.post(f"{url}/sandbox/clock", json={"now": wrong}, timeout=10).status_code == 400
        info = requests.get(f"{url}/sandbox/info", timeout=10).json()
    assert info == {
        "data_source": "sandbox", "seed": 7, "wallets": 20, "genesis": GENESIS, "clock": GENESIS + 7200, "requests": 0,
        "refused_for_rate": 0,
    }  # fmt: skip


def test_requests_are_logged_without_the_key(url: str) -> None:
    requests.get(f"{url}{LIST}", params={"limit": "5"}, headers={"X-API-KEY": "very-secret"}, timeout=10)
    requests.get(f"{url}{HOLDER}", timeout=10)
    log = requests.get(f"{url}/sandbox/requests", timeout=10)
    assert "very-secret" not in log.text
    assert [(line["endpoint"], line["query"], line["status"]) for line in log.json()] == [
        (LIST, {"limit": "5"}, 400),
        (HOLDER, {}, 401),
    ]


@pytest.mark.parametrize("plan", [plan for plan in RATES if plan != "none"])
def test_each_plan_admits_exactly_its_rate(plan: str) -> None:
    now = 0.0
    limiter = RateLimiter(plan_rate(plan), lambda: now)
    rate = limiter.rate
    assert rate.per_second is not None
    # as fast as allowed: nothing is refused within the first minute's allowance
    admitted = 0
    for number in range(min(3 * rate.per_second, rate.per_minute or 10**9)):
        now = number * (1.0 + 1e-6) / rate.per_second
        admitted += limiter.wait() == 0
    assert admitted == min(3 * rate.per_second, rate.per_minute or 10**9)
    # at once: exactly the rate
    burst = RateLimiter(rate, lambda: now)
    assert [burst.wait() == 0 for _ in range(rate.per_second + 5)] == [True] * rate.per_second + [False] * 5


def test_a_refused_request_keeps_its_slot_busy() -> None:
    now = 0.0
    limiter = RateLimiter(RATES["standard"], lambda: now)
    waits = []
    for now in (0.0, 0.6, 1.2, 1.8, 2.9):  # noqa: B007  the limiter reads it
        waits.append(limiter.wait())
    # a client that requests again too soon is refused until he has been silent for a second
    assert [wait == 0 for wait in waits] == [True, False, False, False, True]


def test_the_minute_is_a_limit_of_its_own() -> None:
    now = 0.0
    limiter = RateLimiter(Rate(50, 1000), lambda: now)
    for number in range(1000):
        now = number / 49
        assert limiter.wait() == 0
    now += 1.0
    assert limiter.wait() == 60 - int(now)
    now = 1000 / 49 + 62
    assert limiter.wait() == 0


def test_a_served_plan_refuses_over_http() -> None:
    with serving(sandbox_app(Recordings(), rate=plan_rate("starter"))) as url, requests.Session() as session:
        session.headers["X-API-KEY"] = "k"
        statuses = [session.get(f"{url}{HOLDER}?address=a", timeout=10).status_code for _ in range(20)]
        assert statuses == [200] * 15 + [429] * 5
        assert requests.get(f"{url}/sandbox/info", timeout=10).json()["refused_for_rate"] == 5
        time.sleep(1.05)
        assert session.get(f"{url}{HOLDER}?address=a", timeout=10).status_code == 200


def test_ones_own_rate_takes_the_plans_place() -> None:
    assert plan_rate("standard", 200, 9000) == Rate(200, 9000)
    with pytest.raises(SettingsError, match="standard, lite, starter, premium, business"):
        plan_rate("premuim")


def test_two_faults_strike_one_after_the_other(url: str) -> None:
    set_faults(url, {"fault": "bad_gateway"}, {"fault": "unauthorized", "times": 2})
    assert list(itertools.islice((get(url, LIST, **SORTED).status_code for _ in range(4)), 4)) == [502, 401, 401, 200]
