"""What is recorded is what was served, to the last digit; the key is nowhere."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.sandbox.faults import Fault
from smart_trader.sandbox.market.market_source import MarketSource
from smart_trader.sandbox.recorder import Recorder, record
from smart_trader.sandbox.replay import load_recordings, parse
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import clean_environment, run_module

from .sandboxes import CLOCK, HOLDER, LIST, SORTED, SWAPS, get

KEY = "a-key-that-must-not-show"


def quick(url: str, key: str = KEY) -> Recorder:
    return Recorder(key, url, sleep=lambda _: None)


def test_a_recorded_market_is_replayed_to_the_last_digit(market_url: str, source: MarketSource, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    token = source.tokens_at(CLOCK)[5]["address"]
    owners = source.wallets[:6]
    files = list(record(quick(market_url), folder, [token], owners, 20))
    assert len(files) >= 9
    assert not any(KEY in path.read_text() for path in files)
    with serving(sandbox_app(load_recordings(folder))) as url:
        queries: list[tuple[str, dict[str, Any]]] = [(LIST, SORTED), (LIST, {**SORTED, "offset": 100})]
        queries += [
            (HOLDER, {"address": token}),
            *((SWAPS, {"address": owner, "before_time": CLOCK}) for owner in owners),
        ]
        for path, query in queries:
            one, other = (parse(get(endpoint, path, **query).text)["data"] for endpoint in (market_url, url))
            if path == SWAPS:
                # rows of one second have no order of their own
                for data in (one, other):
                    data["items"].sort(key=lambda row: (row["block_unix_time"], str(row)))
            assert one == other


def test_nothing_is_overwritten(market_url: str, tmp_path: Path) -> None:
    list(record(quick(market_url), tmp_path / "new", [], [], 1))
    with pytest.raises(SmartTraderError, match="is not empty"):
        list(record(quick(market_url), tmp_path / "new", [], [], 1))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("forbidden", "/defi/v3/token/list 0: status 403"),
        ("bad_gateway", "status 502"),
        ("redirect", "status 302"),
        ("truncated", "no JSON answer with data at offset 0"),
        ("null_data", ""),
    ],
)
def test_a_refusal_names_endpoint_and_status(source: MarketSource, tmp_path: Path, kind: str, message: str) -> None:
    with serving(sandbox_app(source, clock=CLOCK, faults=[Fault(kind)])) as url:
        if not message:
            assert len(list(record(quick(url), tmp_path / "new", [], [], 1))) == 1
            return
        with pytest.raises(SmartTraderError, match=message):
            list(record(quick(url), tmp_path / "new", [], [], 1))


def test_a_key_that_the_server_echoes_is_not_stored(tmp_path: Path) -> None:
    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f'{{"data": {{"items": [], "note": "{self.headers["X-API-KEY"]}"}}}}'.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        files = list(record(quick(f"http://127.0.0.1:{server.server_port}"), tmp_path / "new", [], [], 1))
    finally:
        server.shutdown()
        server.server_close()
    assert "[key]" in files[0].read_text()
    assert KEY not in files[0].read_text()


def test_the_key_never_goes_unencrypted_to_the_network() -> None:
    with pytest.raises(SettingsError, match="use https"):
        Recorder(KEY, "http://public-api.birdeye.so")
    assert KEY not in str(SettingsError("x"))


def test_one_request_a_second_by_default(market_url: str, tmp_path: Path) -> None:
    waits: list[float] = []
    list(record(Recorder(KEY, market_url, sleep=waits.append), tmp_path / "new", [], [], 2))
    assert waits == [1.05, 1.05]


def test_recording_from_the_command_line(market_url: str, source: MarketSource, tmp_path: Path) -> None:
    arguments = [
        "smart_trader.cli",
        "sandbox",
        "record",
        str(tmp_path / "new"),
        "--wallets",
        ",".join(source.wallets[:2]),
    ]
    without = run_module(*arguments, env=clean_environment())
    assert (without.returncode, without.stderr.startswith("error: BIRDEYE_API_KEY is not set")) == (2, True)
    done = run_module(
        *arguments, "--url", market_url, "--requests-per-second", "100", "--pages", "1",
        env=clean_environment(BIRDEYE_API_KEY=KEY),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(os.listdir(tmp_path / "new")) == 3
    assert KEY not in done.stderr + done.stdout
