"""Launches and prices: what the API says of single tokens lands as it stood on the wire, and each token leaves a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from loaders.apis import Api
from loaders.bronze import Bronze
from loaders.budget import spent_units
from loaders.jobs import Job, estimate, work_items
from loaders.resources import LAUNCHES, PRICES, Resource
from loaders.settings import loader_settings
from smart_trader.birdeye import MULTI_PRICE, TOKEN_CREATION, multi_price_cu
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import SOL, address
from tests.python.support.loader_lake import AS_OF, Lake

TOKENS = [address(f"token{number}") for number in range(250)]
ONE, TWO, THREE = TOKENS[:3]


@dataclass
class Wire:
    """A server that answers with given texts, and keeps what it was asked.

    Attributes:
        creations: `data` of a token's creation, by mint; others are null.
        prices: Values of the map of prices, by mint; others are not in it.
        statuses: Statuses of the next answers in place of 200.
        asked: Method, path, query and body of each request.
    """

    creations: dict[str, str] = field(default_factory=dict)
    prices: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def creation(self, request: Request) -> Response:
        return await self._answer(request, self.creations.get(request.query_params["address"], "null"))

    async def priced(self, request: Request) -> Response:
        names = json.loads(await request.body())["list_address"].split(",")
        found = ",".join(f'"{name}":{self.prices[name]}' for name in names if name in self.prices)
        return await self._answer(request, f"{{{found}}}")

    async def _answer(self, request: Request, data: str) -> Response:
        body = json.loads(await request.body() or b"null")
        self.asked.append((request.method, request.url.path, dict(request.query_params), body))
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return JSONResponse({"success": False, "message": "an error"}, status)
        return Response(f'{{"success":true,"data":{data}}}', media_type="application/json")

    @property
    def api(self) -> Api:
        return Api(self.url, "a-key", "sandbox")


@pytest.fixture
def wire() -> Iterator[Wire]:
    answers = Wire()
    routes = [Route(TOKEN_CREATION, answers.creation), Route(MULTI_PRICE, answers.priced, methods=["POST"])]
    with serving(Starlette(routes=routes)) as answers.url:
        yield answers


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def lines(lake: Lake) -> dict[str, tuple[str, int, int]]:
    """Return outcome, rows and units of each item, by its name."""
    return {row["item"]: (row["outcome"], row["rows"], row["cu"]) for row in lake.rows("fetch_log")}


def made(token: str, **more: str) -> str:
    """Return how a token was made, as the API writes it."""
    fields = {
        "txHash": '"hash"', "slot": "223012712", "tokenAddress": json.dumps(token), "decimals": "5",
        "owner": json.dumps(SOL), "blockUnixTime": "1697044029", "blockHumanTime": '"2023-10-11T17:07:09.000Z"', **more,
    }  # fmt: skip
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items() if value) + "}"


def priced(value: str = "0.00001598090539282", **more: str) -> str:
    """Return a price, as the API writes it."""
    fields = {
        "isScaledUiToken": "false", "value": value, "updateUnixTime": "1726673192",
        "updateHumanTime": '"2024-09-18T15:26:32"', "priceInNative": "1.2583e-07",
        "priceChange24h": "-4.766925300538944", "liquidity": "1234414.10", **more,
    }  # fmt: skip
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text) + "}"


def test_a_launch_lands_as_served(lake: Lake, wire: Wire) -> None:
    wire.creations = {ONE: made(ONE, newField='{"a":1.50}'), TWO: made(TWO, owner="", blockUnixTime="null")}
    report = lake.load("launches", wire.api, [ONE, TWO, THREE])
    assert report.outcomes == {"complete": 3}
    rows = {row["token_address"]: row for row in lake.rows("token_creations")}
    assert sorted(rows) == sorted([ONE, TWO])
    one, two = rows[ONE], rows[TWO]
    assert (one["mint"], one["block_unix_time"], one["slot"], one["decimals"]) == (ONE, 1697044029, 223012712, 5)
    assert (one["tx_hash"], one["owner"], one["block_human_time"]) == ("hash", SOL, "2023-10-11T17:07:09.000Z")
    assert (one["item"], one["new_field"]) == (wire.creations[ONE], '{"a":1.50}')
    assert (one["observed_at"].timestamp(), one["data_source"]) == (AS_OF, "sandbox")
    assert (two["owner"], two["block_unix_time"]) == (None, None)
    # that nothing is known is an answer
    assert lines(lake) == {ONE: ("complete", 1, 80), TWO: ("complete", 1, 80), THREE: ("complete", 0, 80)}
    assert all(asked[:2] == ("GET", TOKEN_CREATION) for asked in wire.asked)


def test_prices_land_as_served_and_each_token_leaves_a_line(lake: Lake, wire: Wire) -> None:
    wire.prices = {ONE: priced(), TWO: "null"}
    report = lake.load("prices", wire.api, [ONE, TWO, THREE])
    assert report.outcomes == {"complete": 3}
    (row,) = lake.rows("token_prices")
    assert (row["token_address"], row["value"], row["liquidity"]) == (ONE, "0.00001598090539282", "1234414.10")
    assert (row["update_unix_time"], row["is_scaled_ui_token"], row["multiplier"]) == (1726673192, False, None)
    assert (row["price_change_24h_percent"], row["item"]) == ("-4.766925300538944", wire.prices[ONE])
    # null, and missing in the map; the request's units are on its first token
    assert lines(lake) == {ONE: ("complete", 1, 8), TWO: ("complete", 0, 0), THREE: ("complete", 0, 0)}
    assert wire.asked == [
        ("POST", MULTI_PRICE, {"include_liquidity": "true"}, {"list_address": ",".join([ONE, TWO, THREE])})
    ]


def test_a_hundred_tokens_are_asked_for_at_once(lake: Lake, wire: Wire) -> None:
    wire.prices = dict.fromkeys(TOKENS, priced())
    report = lake.load("prices", wire.api, TOKENS, run_id="R")
    sizes = sorted(len(asked[3]["list_address"].split(",")) for asked in wire.asked)
    assert sizes == [50, 100, 100]
    assert (report.outcomes, report.rows, report.requests) == ({"complete": 250}, 250, 3)
    spent = 2 * multi_price_cu(100) + multi_price_cu(50)
    assert report.cu == spent == sum(cu for _, _, cu in lines(lake).values())
    assert spent_units(Bronze(lake.paths), "R") == spent


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        pytest.param('{"value":"12"}', "field value", id="text-for-a-number"),
        pytest.param("[1]", "is no object", id="a-list"),
        pytest.param(priced("NaN"), "is no JSON value", id="no-json"),
        pytest.param(priced(updateUnixTime="17266731920000"), "field updateUnixTime", id="a-time-beyond-any"),
    ],
)
def test_an_odd_price_fails_its_token_alone(lake: Lake, wire: Wire, odd: str, error: str) -> None:
    wire.prices = {ONE: priced(), TWO: odd, THREE: priced()}
    report = lake.load("prices", wire.api, [ONE, TWO, THREE])
    assert report.outcomes == {"complete": 2, "failed": 1}
    ((item, why),) = report.failures
    assert item == TWO
    assert error in why
    assert report.whole_failure is None
    assert {row["token_address"] for row in lake.rows("token_prices")} == {ONE, THREE}


@pytest.mark.parametrize(
    ("creation", "outcome"),
    [
        pytest.param(made(TWO), "failed", id="of-another-token"),
        pytest.param("[]", "failed", id="a-list"),
        pytest.param(made(ONE, slot='"1"'), "failed", id="text-for-a-number"),
        pytest.param("{}", "complete", id="nothing-in-it"),
    ],
)
def test_an_untrue_launch_is_no_answer(lake: Lake, wire: Wire, creation: str, outcome: str) -> None:
    wire.creations = {ONE: creation}
    report = lake.load("launches", wire.api, [ONE], max_request_tries=1)
    assert report.outcomes == {outcome: 1}
    assert len(lake.rows("token_creations")) == (outcome == "complete")


@pytest.mark.parametrize(
    ("statuses", "tries", "outcomes"),
    [
        pytest.param([500], 2, {"complete": 2}, id="answered-when-repeated"),
        pytest.param([500, 500], 2, {"failed": 2}, id="given-up"),
        pytest.param([400], 1, {"failed": 2}, id="refused"),
    ],
)
@pytest.mark.parametrize("loader", ["prices", "launches"])
def test_a_post_is_repeated_and_refused_like_any_request(
    lake: Lake, wire: Wire, loader: str, statuses: list[int], tries: int, outcomes: dict[str, int]
) -> None:
    # one of a batch, both of them for single requests
    wire.statuses = statuses * (1 if loader == "prices" else 2)
    report = lake.load(loader, wire.api, [ONE, TWO], max_request_tries=tries, max_parallel_requests=1)
    # the first of two look-ups takes both errors where they are tried twice
    is_one_given_up = loader == "launches" and statuses == [500]
    assert report.outcomes == ({"complete": 1, "failed": 1} if is_one_given_up else outcomes)
    assert report.is_outage is ("failed" in report.outcomes and len(report.failures) == 2)
    assert report.requests == len(wire.asked)
    assert report.cu == sum(cu for _, _, cu in lines(lake).values()) > 0


def test_a_budget_leaves_the_rest_of_the_prices_for_later(lake: Lake, wire: Wire) -> None:
    budget = 2 * multi_price_cu(100)
    report = lake.load("prices", wire.api, TOKENS, max_parallel_requests=1, cu_budget=budget)
    assert (report.outcomes, report.not_reached, report.cu) == ({"complete": 200}, 50, budget)
    assert len(lines(lake)) == 200


@pytest.mark.parametrize(
    ("resource", "cap", "requests", "cu"),
    [
        pytest.param(PRICES, {"max_priced_tokens": 150}, 2, multi_price_cu(100) + multi_price_cu(50), id="prices"),
        pytest.param(LAUNCHES, {"max_launch_lookups": 3}, 3, 240, id="launches"),
        pytest.param(LAUNCHES, {"max_launch_lookups": 0}, 0, 0, id="switched-off"),
    ],
)
def test_a_run_takes_the_first_of_the_queue_up_to_its_cap(
    lake: Lake, resource: Resource, cap: dict[str, int], requests: int, cu: int
) -> None:
    at = datetime.fromtimestamp(AS_OF, UTC)
    due = [at - timedelta(hours=1)] * 200 + [at + timedelta(hours=1)] * 50
    queue = pa.table({"item": TOKENS, "due_at": due, "queue_rank": range(250, 0, -1)})
    write_deltalake(lake.paths.table("silver", str(resource.queue)), queue)
    job = Job(resource, loader_settings(cap), lake.paths, at)
    items = work_items(job)
    (most,) = cap.values()
    assert [item.item for item in items] == TOKENS[199::-1][:most]
    made_of = estimate(job, items)
    assert (made_of.requests, made_of.cu) == ((requests, requests), (cu, cu))


def test_the_sandboxs_market_is_looked_up(lake: Lake) -> None:
    source = market(WorldSpec("easy", 7, 20, AS_OF - 5 * 86_400), AS_OF)
    mints = [token["address"] for token in source.tokens_at(AS_OF)]
    unknown = [address("nobody"), address("nowhere")]
    with serving(sandbox_app(source, clock=AS_OF)) as url:
        reports = [lake.load(loader, url, [*mints, *unknown]) for loader in ("prices", "launches")]
    assert [report.outcomes for report in reports] == [{"complete": len(mints) + 2}] * 2
    prices = {row["token_address"]: row for row in lake.rows("token_prices")}
    assert set(prices) == set(mints)
    assert all(float(row["value"]) > 0 and float(row["liquidity"]) >= 0 for row in prices.values())
    creations = {row["token_address"]: row for row in lake.rows("token_creations")}
    assert set(creations) < set(mints)
    assert creations
    assert all(row["block_unix_time"] < AS_OF for row in creations.values())
