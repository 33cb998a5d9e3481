"""The client against a real HTTP server that misbehaves on demand."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from loaders import client as client_module
from loaders.client import BirdeyeClient, UnitMeter
from loaders.errors import BudgetReachedError, NoAnswerError, RequestRefusedError, TerminalApiError
from loaders.pacing import SPACING, Pacer

NOW = 1_750_000_000
KEY = "secret-key-of-the-test"
LIST = "/defi/v3/token/list"
GOOD = (200, {}, json.dumps({"data": {"items": [1]}, "success": True}))
Reply = tuple[int, dict[str, str], str]


class Script:
    """A server that gives the next reply of a list; the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [GOOD]
        self.seen: list[tuple[float, dict[str, str]]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.seen.append((time.monotonic(), dict(self.headers)))
                status, headers, body = script.replies[min(len(script.seen), len(script.replies)) - 1]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def script() -> Iterator[Script]:
    running = Script()
    yield running
    running.server.shutdown()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)


def make(script: Script, **meter: Any) -> BirdeyeClient:
    return BirdeyeClient(script.url, KEY, Pacer(1000), UnitMeter({LIST: 60}, **meter), max_tries=3)


def error(status: int, message: str) -> Reply:
    return status, {}, json.dumps({"success": False, "message": message})


@pytest.mark.parametrize(
    ("first", "tries"),
    [
        pytest.param(GOOD, 1, id="at-once"),
        pytest.param((500, {}, "<html>Internal Server Error</html>"), 2, id="500-html"),
        pytest.param((502, {}, ""), 2, id="502-empty"),
        pytest.param((200, {}, '{"success": true, "data": {"ite'), 2, id="cut-json"),
        pytest.param((200, {"Content-Length": "9999"}, "{}"), 2, id="cut-connection"),
        pytest.param((200, {}, '{"success": false, "message": "odd"}'), 2, id="no-success"),
        pytest.param((200, {}, '{"success": false, "message": "Too many requests"}'), 2, id="429-with-status-200"),
        pytest.param((408, {}, ""), 2, id="408"),
        pytest.param((429, {}, ""), 2, id="429-without-headers"),
    ],
)
def test_what_may_pass_is_requested_again(script: Script, first: Reply, tries: int) -> None:
    script.replies = [first, GOOD]
    assert json.loads(make(script).get(LIST, {"limit": 1})) == {"items": [1]}
    assert len(script.seen) == tries


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        pytest.param(error(400, "Compute units usage limit exceeded"), TerminalApiError, "units are used up", id="cu"),
        pytest.param(error(401, "Unauthorized"), TerminalApiError, "BIRDEYE_API_KEY", id="401"),
        pytest.param(error(403, "Access Denied"), TerminalApiError, "access denied", id="403"),
        pytest.param(error(400, "sort_by invalid format"), RequestRefusedError, "sort_by invalid format", id="400"),
        pytest.param(error(404, "Not found"), RequestRefusedError, "refused with 404", id="404"),
        pytest.param((422, {}, "no json"), RequestRefusedError, "refused with 422", id="422"),
        pytest.param(
            error(200, "address is invalid format"), RequestRefusedError, "address is invalid format", id="200-refusal"
        ),
        pytest.param(
            error(200, "Compute units usage limit exceeded"), TerminalApiError, "units are used up", id="200-cu"
        ),
        pytest.param(error(200, "Unauthorized"), TerminalApiError, "BIRDEYE_API_KEY", id="200-401"),
        pytest.param(error(200, "Access Denied"), TerminalApiError, "access denied", id="200-403"),
        pytest.param(error(401, "\x1b]52;c;eA==\x07\n"), TerminalApiError, r"\\x1b\]52;c;eA==\\x07\\n", id="escapes"),
    ],
)
def test_what_is_refused_is_not_requested_again(
    script: Script, reply: Reply, kind: type[Exception], message: str
) -> None:
    script.replies = [reply]
    with pytest.raises(kind, match=message):
        make(script).get(LIST, {})
    assert len(script.seen) == 1


def test_a_request_is_given_up_after_its_tries(script: Script) -> None:
    script.replies = [(503, {}, "")]
    with pytest.raises(NoAnswerError, match="no answer in 3 tries, the last one: status 503") as failed:
        make(script).get(LIST, {})
    assert (len(script.seen), failed.value.status) == (3, 503)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("<html>", "the body is not JSON", id="html"),
        pytest.param('{"success":false}', "the body is no successful envelope", id="no-success"),
        pytest.param('{"success":false,"message":"odd"}', "the API says: odd", id="message-kept"),
        pytest.param('{"success":false,"message":{"a":1}}', "no successful envelope", id="message-no-text"),
        pytest.param('{"success":true}', "no successful envelope", id="no-data"),
        pytest.param('{"success":true,"data":{"items":[NaN', "the body is not JSON", id="cut-behind-NaN"),
        pytest.param('{"success":true,"data":' + "[" * 100_000, "the body is nested too deep", id="nested"),
    ],
)
def test_a_body_that_is_no_answer_is_distinguished(script: Script, body: str, why: str) -> None:
    script.replies = [(200, {}, body)]
    with pytest.raises(NoAnswerError, match=why):
        make(script).get(LIST, {})


def test_nobody_listening_is_given_up_too(script: Script) -> None:
    script.server.shutdown()
    script.server.server_close()
    with pytest.raises(NoAnswerError, match="ConnectionError"):
        make(script).get(LIST, {})


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(lambda: {"Retry-After": "2"}, id="retry-after"),
        pytest.param(lambda: {"X-RateLimit-Reset": str(time.time() + 2)}, id="reset-time"),
    ],
)
def test_after_a_429_nothing_is_requested_before_the_time_it_names(
    script: Script, headers: Callable[[], dict[str, str]]
) -> None:
    script.replies = [(429, headers(), ""), GOOD]
    client = make(script)
    client.get(LIST, {})
    assert script.seen[1][0] - script.seen[0][0] >= 1.8


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry-After": "90"}, 90, id="seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="parts-of-a-second"),
        pytest.param({"Retry-After": NOW + 90}, 90, id="date"),
        pytest.param({"X-RateLimit-Reset": NOW + 90}, 90, id="reset"),
        pytest.param({"X-RateLimit-Reset": (NOW + 90) * 1000}, 90, id="reset-in-milliseconds"),
        pytest.param({"Retry-After": "5", "X-RateLimit-Reset": NOW + 9000}, 5, id="both"),
        pytest.param({"Retry-After": "nan"}, 0, id="no-number"),
        pytest.param({"Retry-After": "inf"}, 0, id="no-end"),
        pytest.param({"Retry-After": "soon"}, 0, id="word"),
        pytest.param({}, 0, id="nothing"),
    ],
)
def test_the_pause_is_the_one_demanded(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, Any], seconds: float
) -> None:
    monkeypatch.setattr(client_module.time, "time", lambda: NOW)
    headers = {
        name: formatdate(value, usegmt=True) if name == "Retry-After" and isinstance(value, int) else str(value)
        for name, value in headers.items()
    }
    assert client_module._read_pause(CaseInsensitiveDict(headers)) == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_pause_is_waited_as_demanded(script: Script, status: int) -> None:
    held = []

    class Noting(Pacer):
        def hold_until(self, until: float) -> None:
            held.append(until - time.monotonic())

    script.replies = [(status, {"Retry-After": "90"}, ""), GOOD]
    BirdeyeClient(script.url, KEY, Noting(1000), UnitMeter({}), 2).get(LIST, {})
    assert held == [pytest.approx(90, abs=1)]


def test_a_pause_longer_than_a_run_waits_ends_the_run(script: Script) -> None:
    script.replies = [(429, {"Retry-After": "99999999"}, "")]
    with pytest.raises(TerminalApiError, match="asks to wait 99999999 s, longer than the 900 s"):
        make(script).get(LIST, {})
    assert len(script.seen) == 1


def test_the_pace_holds_across_threads(script: Script) -> None:
    starts = []

    class Noting(Pacer):
        def wait(self) -> None:
            super().wait()
            starts.append(time.monotonic())

    client = BirdeyeClient(script.url, KEY, Noting(40), UnitMeter({}), max_tries=1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get(LIST, {}), range(100)))
    starts.sort()
    # a thousandth of a second for noting it
    assert max(sum(start <= other < start + 0.999 for other in starts) for start in starts) <= 40
    assert 99 / (starts[-1] - starts[0]) > 0.9 * 40


def test_a_held_up_request_is_caught_up_with_but_no_second_is_overfilled() -> None:
    now = [0.0]
    pacer = Pacer(10, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    starts = []
    for number in range(60):
        pacer.wait()
        starts.append(now[0])
        # the machine stands still for a while, again and again
        now[0] += 0.25 if number % 7 == 0 else 0.0
    assert max(sum(start <= other < start + 1 for other in starts) for start in starts) <= 10
    assert 59 / (starts[-1] - starts[0]) > 0.95 * 10 / SPACING


def test_the_minutes_cap_holds() -> None:
    now = [0.0]
    pacer = Pacer(100, 10, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    starts = []
    for _ in range(35):
        pacer.wait()
        starts.append(now[0])
    assert max(sum(start <= other < start + 60 for other in starts) for start in starts) == 10


@pytest.mark.parametrize("rates", [(0, None), (-1, None), (1, 0)])
def test_a_rate_that_makes_no_sense_is_refused(rates: tuple[float, int | None]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pacer(*rates)


def test_the_budget_stops_before_it_is_exceeded(script: Script) -> None:
    client = make(script, budget=130)
    client.get(LIST, {})
    client.get(LIST, {})
    with pytest.raises(BudgetReachedError, match="budget of 130 compute units is reached: 120 spent"):
        client.get(LIST, {})
    assert len(script.seen) == 2


def test_a_redirect_does_not_carry_the_key_elsewhere(script: Script) -> None:
    elsewhere = Script()
    script.replies = [(302, {"Location": f"{elsewhere.url}/"}, "")]
    with pytest.raises(RequestRefusedError, match="refused with 302"):
        make(script).get(LIST, {})
    assert elsewhere.seen == []
    elsewhere.server.shutdown()


def test_the_key_travels_and_shows_nowhere(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script.replies = [(500, {}, ""), error(401, "Unauthorized")]
    client = make(script)
    with pytest.raises(TerminalApiError) as refused:
        client.get(LIST, {"address": "a"})
    headers = script.seen[0][1]
    assert (headers["X-API-KEY"], headers["x-chain"]) == (KEY, "solana")
    shown = [
        caplog.text,
        str(refused.value),
        repr(vars(client)),
        repr(vars(client._transport)),
        repr(client._transport._session.auth),
        repr(client._transport._session.headers),
    ]
    assert KEY not in "".join(shown)
