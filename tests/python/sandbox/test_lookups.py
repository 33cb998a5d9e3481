"""Creations, prices of several tokens, transfers and credits: the vendor's schemas, the known quirks, the market's truth."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import requests

from smart_trader import birdeye
from smart_trader.sandbox.market.lookups import PriceBook, creation_row
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.passing import TransferBook
from smart_trader.sandbox.market.prices import asset_numbers, price_at
from smart_trader.sandbox.market.spec import MARKETS, WorldSpec
from smart_trader.sandbox.market.state import Transfer
from smart_trader.sandbox.replay import load_recordings
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from smart_trader.sandbox.source import TransferQuery

from .sandboxes import CLOCK, DAY, GENESIS, QUOTES, SORTED, get
from .test_served_rows import ERROR, SHARED

CREATION, PRICES, TRANSFERS, CREDITS = (
    "/defi/token_creation_info", "/defi/multi_price", "/wallet/v2/transfer", "/utils/v1/credits",
)  # fmt: skip
OWN = {
    CREATION: {"tokenAddress": "string", "blockUnixTime": "integer", "slot": "integer", "decimals": "integer"},
    CREDITS: {"start_time": "integer", "end_time": "integer", "usage": "object"},
}
TRANSFER_KEYS = [
    "time", "block_number", "unix_time", "token_address", "from_address", "to_address", "from_token_account",
    "to_token_account", "amount", "ui_amount", "price", "value", "tx_hash", "flow", "token_info", "action",
]  # fmt: skip


@pytest.fixture(scope="module")
def mints(source: MarketSource) -> list[str]:
    return [token["address"] for token in source.tokens_at(CLOCK)]


@pytest.fixture
def fresh(source: MarketSource) -> Iterator[str]:
    """A server that nothing was get of yet."""
    with serving(sandbox_app(source, clock=CLOCK)) as url:
        yield url


def posted(url: str, path: str, **body: object) -> requests.Response:
    return requests.post(f"{url}{path}", json=body, headers={"X-API-KEY": "k"}, timeout=10)


@cache
def schemas(path: str, method: str, status: int) -> tuple[dict[str, Any], ...]:
    """The vendor's schemas, relaxed where they contradict its own words and examples.

    Prices of unknown tokens are null in an example; a hundred may be get for where the schema has ten at most; the
    transfers of the example are a list where the schema wants an object.
    """
    found = []
    for file in sorted((SHARED / "openapi").glob("*.json")):
        answer = (
            json.loads(file.read_text())["paths"].get(path, {}).get(method, {}).get("responses", {}).get(str(status))
        )
        if answer is None:
            continue
        schema = deepcopy(answer["content"]["application/json"]["schema"])
        data = schema["properties"].get("data", {})
        if path == PRICES and data:
            data.pop("maxProperties", None)
            data["additionalProperties"]["type"] = ["object", "null"]
        if path == CREATION and data:
            data["type"] = ["object", "null"]
        if path == TRANSFERS and data:
            data["type"] = "array"
        found.append(schema)
    return tuple(found)


def check(path: str, answer: requests.Response, method: str = "get") -> Any:
    body = answer.json()
    for schema in schemas(path, method, answer.status_code):
        jsonschema.validate(body, schema)
    if answer.status_code >= 400:
        jsonschema.validate(body, ERROR)
        return None
    assert body["success"] is True
    for key, kind in OWN.get(path, {}).items():
        if body["data"] is not None:
            jsonschema.validate(body["data"][key], {"type": kind})
    return body["data"]


def test_a_token_tells_when_it_was_made(market_url: str, source: MarketSource, mints: list[str]) -> None:
    launches = {token.mint: token for token in source.world.tokens}
    found = {mint: check(CREATION, get(market_url, CREATION, address=mint)) for mint in mints}
    known = {mint: row for mint, row in found.items() if row is not None}
    for mint, row in known.items():
        assert (row["tokenAddress"], row["decimals"]) == (mint, launches[mint].decimals)
        assert row["blockUnixTime"] == launches[mint].launched_at
        assert row["blockHumanTime"].endswith(".000Z")
    assert len({row["txHash"] for row in known.values()}) == len(known)
    # money has no record, nor have some tokens; some do not say who made them
    assert not QUOTES & known.keys()
    assert len(found) - len(known) > len(QUOTES)
    assert 0 < sum("owner" not in row for row in known.values()) < len(known) / 5


def test_what_is_not_launched_yet_is_not_known(source: MarketSource, mints: list[str]) -> None:
    latest = max(source.world.tokens, key=lambda token: token.launched_at)
    assert source.creation_at(latest.mint, latest.launched_at - 1) is None
    assert source.price_at(latest.mint, latest.launched_at - 1) is None
    assert source.creation_at("nobody", CLOCK) is None


@pytest.mark.parametrize("method", ["get", "post"])
def test_prices_are_the_markets_own(market_url: str, source: MarketSource, mints: list[str], method: str) -> None:
    chosen = mints[:100]
    query = {"list_address": ",".join(chosen), "include_liquidity": "true"}
    answer = posted(market_url, PRICES, **query) if method == "post" else get(market_url, PRICES, **query)
    found = check(PRICES, answer, method)
    numbers = asset_numbers(source.world)
    assert set(found) == set(chosen)
    for mint, row in found.items():
        assert row["value"] == price_at(source.world, numbers[mint], [CLOCK])[0]
        assert CLOCK - DAY < row["updateUnixTime"] <= CLOCK
        assert row["liquidity"] >= 0
    sol = found["So11111111111111111111111111111111111111112"]
    assert sol["priceInNative"] == 1
    changed = [row["priceChange24h"] for row in found.values()]
    assert any(change > 0 for change in changed)
    assert any(change < 0 for change in changed)


def test_prices_carry_liquidity_only_where_it_is_asked_for(market_url: str, mints: list[str]) -> None:
    plain = check(PRICES, posted(market_url, PRICES, list_address=mints[5]), "post")[mints[5]]
    scaled = check(PRICES, posted(market_url, PRICES, list_address=mints[5], ui_amount_mode="scaled"), "post")[mints[5]]
    rich = check(PRICES, posted(market_url, PRICES, list_address=mints[5], include_liquidity=True), "post")[mints[5]]
    assert "liquidity" not in plain
    assert set(scaled) - set(plain) == {"scaledValue", "multiplier", "scaledPriceInNative"}
    thin = posted(market_url, PRICES, list_address=mints[5], check_liquidity=rich["liquidity"] + 1)
    assert check(PRICES, thin, "post") == {mints[5]: None}


def test_unknown_tokens_are_null_or_missing(market_url: str, mints: list[str]) -> None:
    strange = [f"unknown{number}" for number in range(40)]
    found = check(PRICES, posted(market_url, PRICES, list_address=",".join([mints[0], *strange])), "post")
    assert found.pop(mints[0]) is not None
    assert set(found.values()) == {None}
    assert 0 < len(found) < len(strange)


def test_airdrops_are_transfers_in(market_url: str, source: MarketSource) -> None:
    airdrops = [transfer for transfer in source.world.transfers if transfer.time <= CLOCK]
    counts = Counter(transfer.wallet for transfer in airdrops)
    wallet = max((number for number in counts if counts[number] <= 100), key=lambda number: counts[number])
    rows = check(TRANSFERS, posted(market_url, TRANSFERS, wallet=source.wallets[wallet]), "post")
    assert [list(row) for row in rows] == [TRANSFER_KEYS] * counts[wallet]
    times = [row["unix_time"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert sorted((row["unix_time"], row["token_address"], row["amount"]) for row in rows) == sorted(
        (transfer.time, source.world.tokens[transfer.asset].mint, str(transfer.amount))
        for transfer in airdrops
        if transfer.wallet == wallet
    )
    for row in rows:
        assert row["to_address"] == source.wallets[wallet] != row["from_address"]
        assert (row["flow"], row["action"], isinstance(row["amount"], str)) == ("in", "transfer", True)


def test_a_transfer_between_wallets_shows_at_both_ends(source: MarketSource) -> None:
    """The world notes what one gave and what the other got; for the API it is one transaction."""
    one, other = source.wallets[:2]
    world = SimpleNamespace(
        seed=source.world.seed, tokens=source.world.tokens,
        transfers=[Transfer(CLOCK - 9, 1, 5, 70), Transfer(CLOCK - 9, 0, 5, -70), Transfer(CLOCK - 8, 1, 5, 70)],
    )  # fmt: skip
    book = TransferBook(world, source.wallets, PriceBook(source.world))  # type: ignore[arg-type]

    def rows(wallet: int, flow: str | None = None) -> list[dict[str, Any]]:
        return book.page(wallet, TransferQuery(source.wallets[wallet], None, flow, 0, None, 0, 100), CLOCK)[0]

    assert [(row["flow"], row["to_address"]) for row in rows(0)] == [("out", other)]
    assert [(row["flow"], row["from_address"] == one) for row in rows(1)] == [("in", False), ("in", True)]
    assert rows(0)[0]["tx_hash"] == rows(1)[1]["tx_hash"] != rows(1)[0]["tx_hash"]
    assert {**rows(0)[0], "flow": "in"} == rows(1)[1]
    assert [row["flow"] for row in rows(0, "out")] == ["out"]
    assert rows(0, "in") == rows(1, "out") == []


def test_transfers_are_filtered_and_paged_by_cursor(market_url: str, source: MarketSource) -> None:
    counts = Counter(transfer.wallet for transfer in source.world.transfers if transfer.time <= CLOCK)
    busiest = source.wallets[max(counts, key=lambda number: counts[number])]
    assert posted(market_url, TRANSFERS, wallet=busiest).json()["cursor"] == "100"
    owner = source.wallets[next(number for number in counts if 5 < counts[number] <= 100)]
    whole = posted(market_url, TRANSFERS, wallet=owner).json()
    assert "cursor" not in whole
    rows, body = [], {"cursor": "0"}
    while "cursor" in body:
        body = posted(market_url, TRANSFERS, wallet=owner, limit=2, cursor=body["cursor"]).json()
        rows += body["data"]
    assert rows == whole["data"]
    middle = rows[len(rows) // 2]
    bounds = {"time_from": middle["unix_time"], "time_to": middle["unix_time"]}
    assert middle in posted(market_url, TRANSFERS, wallet=owner, **bounds).json()["data"]
    only = posted(market_url, TRANSFERS, wallet=owner, token_address=middle["token_address"]).json()["data"]
    assert {row["token_address"] for row in only} == {middle["token_address"]}
    assert posted(market_url, TRANSFERS, wallet=owner, flow="out").json()["data"] == []
    assert posted(market_url, TRANSFERS, wallet="nobody").json()["data"] == []


def test_credits_count_what_was_asked(fresh: str, mints: list[str]) -> None:
    begun = check(CREDITS, get(fresh, CREDITS))
    assert begun["usage"] == {"total": 0, "api": 0, "ws": 0}
    assert (begun["end_time"], begun["end_time"] - begun["start_time"]) == (CLOCK, 30 * DAY)
    get(fresh, birdeye.TOKEN_LIST, **SORTED)
    get(fresh, CREATION, address=mints[0])
    posted(fresh, PRICES, list_address=",".join(mints[:20]))
    get(fresh, CREATION)
    month = check(CREDITS, get(fresh, CREDITS))
    # the credits before, a list, a creation and 20 prices; what is refused costs nothing
    cost = 1 + 100 + 80 + math.ceil(3 * 20**0.8)
    assert month["usage"]["api"] == cost
    assert begun["remaining"]["total"] - month["remaining"]["total"] == cost
    # outside the month nothing is left
    before = check(CREDITS, get(fresh, CREDITS, time_from=CLOCK - DAY, time_to=CLOCK - 1))
    assert before == {"start_time": CLOCK - DAY, "end_time": CLOCK - 1, "usage": {"total": 0, "api": 0, "ws": 0}}


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        pytest.param("get", CREATION, {}, id="no-address"),
        pytest.param("post", PRICES, {}, id="no-list"),
        pytest.param("post", PRICES, {"list_address": ["a"]}, id="list-is-no-text"),
        pytest.param("post", PRICES, {"list_address": ",".join(map(str, range(101)))}, id="too-many"),
        pytest.param("get", PRICES, {"list_address": "a", "include_liquidity": "perhaps"}, id="liquidity"),
        pytest.param("get", PRICES, {"list_address": "a", "check_liquidity": "much"}, id="check-liquidity"),
        pytest.param("get", PRICES, {"list_address": "a", "ui_amount_mode": "half"}, id="mode"),
        pytest.param(
            "post", PRICES, {"list_address": "a", "check_liquidity": 10**400}, id="check-liquidity-beyond-floats"
        ),
        pytest.param("post", TRANSFERS, {}, id="no-wallet"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "flow": "up"}, id="flow"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "limit": 101}, id="limit"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "limit": 1.5}, id="half-a-limit"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "limit": 10**400}, id="limit-beyond-floats"),
        pytest.param("get", "/trader/txs/seek_by_time", {"address": "a", "offset": "1" * 5000}, id="endless-offset"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "time_from": True}, id="time"),
        pytest.param("post", TRANSFERS, {"wallet": "a", "cursor": "xxx"}, id="cursor"),
        pytest.param("get", CREDITS, {"time_from": "yesterday"}, id="credits-time"),
        pytest.param("get", CREDITS, {"time_from": 5, "time_to": 4}, id="credits-order"),
    ],
)
def test_what_cannot_be_answered_is_refused(market_url: str, method: str, path: str, query: dict[str, Any]) -> None:
    answer = posted(market_url, path, **query) if method == "post" else get(market_url, path, **query)
    assert answer.status_code == 400, answer.text
    check(path, answer, method)


def test_half_a_sign_in_an_address_is_an_unknown_token(market_url: str) -> None:
    answer = posted(market_url, PRICES, list_address="\ud800")
    assert answer.status_code == 200
    assert set(answer.json()["data"].values()) <= {None}


def test_a_token_of_a_known_deployer_names_its_wallet() -> None:
    source = market(WorldSpec("hard", 7, 200, GENESIS), CLOCK)
    deployers = source.world.deployers
    assert deployers
    for asset, wallet in deployers.items():
        assert source.world.members()[wallet].kind == "deployer"
        row = creation_row(source.world, asset)
        assert row is None or row.get("owner", source.wallets[wallet]) == source.wallets[wallet]


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"[" * 100_000], ids=["empty", "list", "no-json", "deep"])
def test_a_body_that_is_no_object_is_refused(market_url: str, body: bytes) -> None:
    answer = requests.post(f"{market_url}{PRICES}", data=body, headers={"X-API-KEY": "k"}, timeout=10)
    assert (answer.status_code, answer.json()["message"]) == (400, "Bad request")


def test_a_path_with_another_method_is_not_found(market_url: str) -> None:
    assert get(market_url, TRANSFERS).status_code == posted(market_url, CREATION).status_code == 404
    assert get(market_url, TRANSFERS).json() == {"success": False, "message": "Not found"}


def test_nothing_is_made_up_beside_recordings(tmp_path: Any) -> None:
    row = {"address": "a" * 40, "symbol": "A", "liquidity": 1, "price": 1}
    (tmp_path / "tokens.json").write_text(json.dumps({"data": {"items": [row]}}))
    with serving(sandbox_app(load_recordings(tmp_path), clock=CLOCK)) as url:
        assert check(CREATION, get(url, CREATION, address=row["address"])) is None
        assert check(PRICES, posted(url, PRICES, list_address=row["address"]), "post") in ({}, {row["address"]: None})
        assert check(TRANSFERS, posted(url, TRANSFERS, wallet="a" * 40), "post") == []
        assert check(CREDITS, get(url, CREDITS))["usage"]["api"] > 0


@pytest.mark.parametrize("name", MARKETS)
def test_every_market_passes_the_schemas(name: str) -> None:
    clock = GENESIS + 3 * DAY
    source = market(WorldSpec(name, 5, 150, GENESIS), clock)
    mints = [token["address"] for token in source.tokens_at(clock)]
    movers = {transfer.wallet for transfer in source.world.transfers if transfer.time <= clock}
    with serving(sandbox_app(source, clock=clock)) as url:
        created = [check(CREATION, get(url, CREATION, address=mint)) for mint in mints]
        priced = check(PRICES, posted(url, PRICES, list_address=",".join(mints[-100:]), include_liquidity=True), "post")
        passed = [check(TRANSFERS, posted(url, TRANSFERS, wallet=source.wallets[wallet]), "post") for wallet in movers]
    assert sum(row is not None for row in created) > len(mints) / 2
    assert set(priced) == set(mints[-100:])
    assert all(row["value"] > 0 for row in priced.values())
    # what one wallet gives another gets, under one hash
    ends = Counter((row["tx_hash"], row["flow"]) for rows in passed for row in rows)
    assert ends
    assert max(ends.values()) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not beside this checkout")
@pytest.mark.parametrize(
    ("path", "method"), [(CREATION, "get"), (PRICES, "get"), (PRICES, "post"), (TRANSFERS, "post"), (CREDITS, "get")]
)
def test_the_vendor_publishes_a_schema_of_each(path: str, method: str) -> None:
    assert schemas(path, method, 200)
    assert schemas(path, method, 400)
