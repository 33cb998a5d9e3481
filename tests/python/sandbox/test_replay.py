"""Replay: what is recorded comes back whole, under the API's rules, over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.replay import load_recordings, parse
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import PROJECT, clean_environment, run_module

SAMPLES = PROJECT.parent / "shared" / "birdeye" / "samples"

TOKENS = """{"success": true, "data": {"items": [
 {"address": "A", "symbol": "a ", "liquidity": 1500000.10, "price": 9.7e-05, "price_change_24h_percent": null},
 {"address": "B", "symbol": null, "liquidity": 2500000.123456789012345678, "price": 1, "price_change_24h_percent": 31},
 {"address": "C", "symbol": "c", "liquidity": 900000, "price": 2.50, "price_change_24h_percent": 45.5}]}}"""
HOLDERS = """{"data": {"items": [
 {"amount": "7", "decimals": 0, "mint": "A", "owner": "w1", "token_account": "t1", "ui_amount": 7},
 {"amount": "99999999999999999999", "decimals": 0, "mint": "A", "owner": "w2", "token_account": "t2", "ui_amount": 1}]}}"""


def swap(time: int, tx: str, amount: str = "1") -> str:
    """One swap row with an amount exactly as written."""
    leg = f'{{"address": "A", "amount": {amount}, "type_swap": "from"}}'
    return f'{{"quote": {leg}, "base": {leg}, "tx_hash": "{tx}", "block_unix_time": {time}, "tx_type": "swap", "owner": "w1"}}'


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    folder = tmp_path / "recorded"
    (folder / "deep").mkdir(parents=True)
    (folder / "tokens.json").write_text(TOKENS)
    (folder / "deep" / "holders.json").write_text(HOLDERS)
    # equal rows within one page are real (openbook); the same row in two files is one row
    fractional = swap(300, "y", "499899173.99999994")
    (folder / "page1.json").write_text(f"[{swap(400, 'x')}, {fractional}, {fractional}]")
    (folder / "page2.json").write_text(f"[{fractional}, {swap(200, 'z')}]")
    (folder / "v1.json").write_text('[{"txHash": "q", "blockUnixTime": 1}]')
    (folder / "notes.json").write_text("{")
    return folder


@pytest.fixture
def url(recorded: Path) -> Iterator[str]:
    yield from served(recorded)


def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of loopback and stop afterwards."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(sandbox_app(load_recordings(folder)), log_level="warning")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not running.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        running.should_exit = True
        thread.join(10)


def get_json(url: str, path: str, **query: object) -> tuple[int, dict[str, Any]]:
    answer = requests.get(f"{url}{path}", params=query, headers={"X-API-KEY": "k"}, timeout=10)
    return answer.status_code, parse(answer.text)


LIST, HOLDER, SWAPS = "/defi/v3/token/list", "/defi/v3/token/holder", "/trader/txs/seek_by_time"
SORTED = {"sort_by": "liquidity", "sort_type": "desc"}


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        pytest.param(LIST, SORTED, ["B", "A", "C"], id="tokens-by-liquidity"),
        pytest.param(LIST, {**SORTED, "sort_type": "asc"}, ["C", "A", "B"], id="ascending"),
        pytest.param(LIST, {**SORTED, "limit": 2, "offset": 1}, ["A", "C"], id="a-page"),
        pytest.param(LIST, {**SORTED, "min_liquidity": 900000, "max_liquidity": 1500000.1}, ["A", "C"], id="inclusive"),
        pytest.param(LIST, {**SORTED, "min_price_change_24h_percent": 31}, ["B", "C"], id="null-passes-no-filter"),
        pytest.param(
            LIST, {"sort_by": "price_change_24h_percent", "sort_type": "desc"}, ["C", "B", "A"], id="nulls-last"
        ),
        pytest.param(HOLDER, {"address": "A"}, ["w2", "w1"], id="holders-largest-first"),
        pytest.param(HOLDER, {"address": "nobody"}, [], id="unknown-token"),
        pytest.param(SWAPS, {"address": "w1"}, ["x", "y", "y", "z"], id="swaps-newest-first"),
        pytest.param(SWAPS, {"address": "w1", "before_time": 300}, ["y", "y", "z"], id="before-is-inclusive"),
        pytest.param(SWAPS, {"address": "w1", "after_time": 300}, ["x", "y", "y"], id="after-is-inclusive"),
        pytest.param(SWAPS, {"address": "w1", "tx_type": "add"}, [], id="other-kind"),
        pytest.param(SWAPS, {"address": "nobody"}, [], id="unknown-wallet"),
    ],
)
def test_answers_follow_the_contract(url: str, path: str, query: dict[str, object], found: list[str]) -> None:
    status, body = get_json(url, path, **query)
    assert (status, body["success"]) == (200, True)
    name = {LIST: "address", HOLDER: "owner", SWAPS: "tx_hash"}[path]
    assert [item[name] for item in body["data"]["items"]] == found


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        pytest.param(LIST, {"sort_type": "desc"}, 400, "sort_by invalid format", id="no-sort"),
        pytest.param(LIST, {**SORTED, "sort_type": "up"}, 400, "sort_type invalid format", id="sort-type"),
        pytest.param(LIST, {**SORTED, "limit": 101}, 400, "limit should be integer, range 1-100", id="limit"),
        pytest.param(LIST, {**SORTED, "min_liquidity": "x"}, 400, "min_liquidity invalid format", id="filter"),
        pytest.param(HOLDER, {}, 400, "address invalid format", id="no-address"),
        pytest.param(HOLDER, {"address": "A", "offset": 9950}, 400, "offset + limit should", id="too-far"),
        pytest.param(
            SWAPS, {"address": "w1", "before_time": 1, "after_time": 1}, 422, "Invalid data", id="both-bounds"
        ),
        pytest.param("/nowhere", {}, 404, "Not found", id="unknown-route"),
    ],
)
def test_bad_requests_are_refused_as_the_api_does(
    url: str, path: str, query: dict[str, object], status: int, message: str
) -> None:
    found, body = get_json(url, path, **query)
    assert (found, body["success"]) == (status, False)
    assert body["message"].startswith(message)


def test_a_request_without_a_key_is_unauthorized(url: str) -> None:
    answer = requests.get(f"{url}{LIST}", timeout=10)
    assert (answer.status_code, answer.json()) == (401, {"success": False, "message": "Unauthorized"})


def test_has_next_shows_whether_there_is_more(url: str) -> None:
    assert get_json(url, SWAPS, address="w1", limit=3)[1]["data"]["has_next"] is True
    assert get_json(url, SWAPS, address="w1", limit=4)[1]["data"]["has_next"] is False
    assert "has_next" not in get_json(url, HOLDER, address="A")[1]["data"]


def test_numbers_keep_every_digit(url: str) -> None:
    token = get_json(url, LIST, **SORTED)[1]["data"]["items"][0]
    assert token["liquidity"] == Decimal("2500000.123456789012345678")
    swaps = get_json(url, SWAPS, address="w1")[1]["data"]["items"]
    assert swaps[1]["base"]["amount"] == Decimal("499899173.99999994")
    assert get_json(url, HOLDER, address="A")[1]["data"]["items"][0]["amount"] == "99999999999999999999"


def openbook(price: str, amount: str = "5", ins_index: str = "null") -> str:
    """One fill of an order book; only its prices differ between two recordings."""
    legs = [f'{{"address": "{mint}", "amount": {amount}, "nearest_price": {price}}}' for mint in "AB"]
    return (
        f'{{"tx_hash": "t", "owner": "w", "address": "pool", "block_unix_time": 1, "ins_index": {ins_index}, '
        f'"base": {legs[0]}, "quote": {legs[1]}}}'
    )


@pytest.mark.parametrize(
    ("files", "prices"),
    [
        pytest.param([[openbook("1")], [openbook("2")]], ["2"], id="another-nearest-price-is-the-same-fill"),
        pytest.param([[openbook("1"), openbook("1")], [openbook("2")]], ["2", "1"], id="two-fills-of-one-page"),
        pytest.param([[openbook("1")], [openbook("2", "5.0")]], ["2"], id="an-amount-spelt-otherwise"),
        pytest.param([[openbook("1")], [openbook("2", "6")]], ["1", "2"], id="another-amount"),
        pytest.param([[openbook("1", ins_index="3"), openbook("2", ins_index="3")]], ["2"], id="an-index-counts-once"),
    ],
)
def test_a_swap_recorded_again_is_one_swap(tmp_path: Path, files: list[list[str]], prices: list[str]) -> None:
    for number, rows in enumerate(files):
        (tmp_path / f"{number}.json").write_text(f"[{', '.join(rows)}]")
    found = load_recordings(tmp_path).swaps["w"]
    assert [str(row["base"]["nearest_price"]) for row in found] == prices


@pytest.mark.parametrize(
    ("stamps", "amount"),
    [((None, None), "9"), ((200, 100), "7"), ((100, 200), "9"), ((100, None), "7")],
    ids=["by-file", "first-is-newest", "second-is-newest", "a-time-is-newer-than-none"],
)
def test_of_an_account_recorded_at_several_times_the_newest_amount_counts(
    tmp_path: Path, stamps: tuple[int | None, int | None], amount: str
) -> None:
    account = {"mint": "A", "owner": "w", "token_account": "t", "decimals": 0}
    for name, stamp, units in zip("ab", stamps, ("7", "9"), strict=True):
        body = {"recorded_at": stamp, "data": {"items": [{**account, "amount": units}]}}
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    (found,) = load_recordings(tmp_path).holders["A"]
    assert found["amount"] == amount


@pytest.mark.parametrize(
    "change",
    [{"address": "0x" + "a" * 40}, {"logoURI": "x"}, {"address": "0x" + "a" * 40, "priceChange24h": 1}],
    ids=["another-chain", "camel-case", "both"],
)
def test_rows_of_other_chains_and_versions_are_no_tokens(recorded: Path, change: dict[str, Any]) -> None:
    row = {"address": "D", "symbol": "d", "liquidity": 1, "price": 1} | change
    (recorded / "other.json").write_text(json.dumps([row]))
    found = load_recordings(recorded)
    assert [token["address"] for token in found.tokens] == ["A", "B", "C"]
    assert "other.json: no token, holder or swap among 1 rows" in found.skipped


def test_every_skipped_file_is_named(recorded: Path) -> None:
    skipped = load_recordings(recorded).skipped
    assert [line.split(":")[0] for line in skipped] == ["notes.json", "v1.json"]
    assert "no token, holder or swap among 1 rows" in skipped[1]


@pytest.mark.parametrize("made", [True, False], ids=["empty-folder", "no-folder"])
def test_nothing_to_serve_is_an_error(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "none"
    if made:
        folder.mkdir()
    with pytest.raises(SmartTraderError, match=str(folder)):
        load_recordings(folder)
    done = run_module("smart_trader.cli", "sandbox", "serve", "--replay", str(folder), env=clean_environment())
    assert done.returncode == 1
    assert done.stderr.startswith("error: no ")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared recordings are not beside this checkout")
def test_the_shared_recordings_are_served_whole() -> None:
    recordings = load_recordings(SAMPLES)
    for path in (SAMPLES / "wallets").glob("*.json"):
        rows = json.loads(path.read_text())
        served_hashes = {row["tx_hash"] for row in recordings.swaps[path.stem]}
        assert {row["tx_hash"] for row in rows} <= served_hashes
    assert all(line.startswith(("txs_token/", "errors/")) for line in recordings.skipped)
    assert len(recordings.skipped) == 14
    assert sum(map(len, recordings.holders.values())) == 2
