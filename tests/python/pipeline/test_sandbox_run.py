"""A run against a BirdEye-compatible server of this machine that is up already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loaders.apis import sandbox_api
from smart_trader import birdeye
from smart_trader.cli import smart_trader
from smart_trader.clock import parse_timestamp
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.pipeline.sources import SourceSpec, running_sandbox, serving_api
from smart_trader.sandbox.faults import fault_of
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.market.truth import as_text, truths
from smart_trader.sandbox.replay import load_recordings
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.engine import EmbeddedLake
from tests.python.support.market_lake import DAY, FIRST, SEED, MarketLake

WORLD = WorldSpec("easy", SEED, 30, (FIRST // DAY - 30) * DAY)


@pytest.fixture(scope="module")
def source() -> MarketSource:
    return market(WORLD, FIRST)


@pytest.fixture(scope="module")
def url(source: MarketSource) -> Iterator[str]:
    with serving(sandbox_app(source, clock=FIRST)) as address:
        yield address


@pytest.fixture
def bare(source: MarketSource) -> Iterator[str]:
    """A server with BirdEye's endpoints alone."""
    whole = sandbox_app(source, clock=FIRST)
    routes = [route for route in whole.routes if not route.path.startswith("/sandbox")]  # type: ignore[attr-defined]
    with serving(Starlette(routes=routes)) as address:
        yield address


@pytest.fixture
def fresh(tmp_path: Path) -> MarketLake:
    return MarketLake(EmbeddedLake(tmp_path / "a lake"))


def test_a_running_market_fills_a_lake_as_the_demo_does(fresh: MarketLake, url: str) -> None:
    done = fresh.smart_trader("run", "--sandbox", url, "--step", "load_tokens")
    assert done.returncode == 0, done.stderr
    assert f"using {url} (sandbox data), where it is 2026-09-21T14:13:20Z" in done.stderr
    # at the server's own time, and stamped as the made-up data that it is
    assert {row["as_of"].timestamp() for row in fresh.rows("bronze", "fetch_log")} == {FIRST}
    assert {row["data_source"] for row in fresh.rows("bronze", "token_metrics")} == {"sandbox"}
    assert json.loads((fresh.engine.paths.local_root / "_lake.json").read_text())["source"] == "sandbox"
    # which world it was nobody can know
    assert not fresh.engine.paths.market_file.exists()
    said = fresh.smart_trader("status")
    assert "data from  a made-up market (sandbox)" in said.stdout
    assert json.loads(fresh.smart_trader("status", "--format", "json").stdout)["data_source"] == "sandbox"


@pytest.mark.full
def test_a_whole_run_lists_whom_the_demo_lists(fresh: MarketLake, calm: MarketLake) -> None:
    source = calm.source(FIRST)
    with serving(sandbox_app(source, clock=FIRST)) as url:
        done = fresh.smart_trader("run", "--sandbox", url, "--skip-tests")
    assert done.returncode == 0, done.stderr
    assert fresh.business("gold", "leaderboard") == calm.business("gold", "leaderboard")
    truth = fresh.engine.paths.home / "truth.csv"
    truth.write_text(as_text(truths(source, FIRST), "csv"))
    judged = [each.smart_trader("evaluate", "--truth", str(truth), "--format", "json").stdout for each in (fresh, calm)]
    assert judged[0] == judged[1] != ""


@pytest.mark.full
def test_a_plan_without_look_ups_still_gives_a_list(fresh: MarketLake, source: MarketSource) -> None:
    def run(at: int, *endpoints: str) -> tuple[str, dict[str, Any]]:
        faults = [fault_of({"fault": "plan", "endpoint": endpoint, "times": None}) for endpoint in endpoints]
        with serving(sandbox_app(source, clock=at, faults=faults)) as url:
            done = fresh.smart_trader("run", "--sandbox", url, "--as-of", str(at), "--skip-tests", "--run-id", str(at))
        assert done.returncode == 0, done.stderr
        records = {row["step"]: row for row in fresh.rows("bronze", "pipeline_runs") if row["run_id"] == str(at)}
        return done.stderr, records["load_details"]

    said, details = run(FIRST, birdeye.MULTI_PRICE, birdeye.TOKEN_CREATION)
    assert "warning: /defi/multi_price: the key is refused" in said
    assert (details["outcome"], details["rows"]) == ("failed", 0)
    assert len(fresh.rows("gold", "leaderboard")) > 0
    positions = fresh.rows("silver", "position_pnl")
    assert "trade" in {row["mark_source"] for row in positions}
    # launches are still of use, prices of a calculation that is marked are not
    _, details = run(FIRST + 3600)
    kinds = {row["kind"] for row in fresh.rows("bronze", "fetch_log") if row["run_id"] == str(FIRST + 3600)}
    assert (details["outcome"], kinds - {"holders", "swaps"}) == ("complete", {"tokens", "prices", "launches"})
    marked = [row for row in fresh.rows("silver", "position_pnl") if row["calculation_date"].timestamp() == FIRST]
    assert len(marked) == len(positions)
    # what is left is nothing
    run(FIRST + 2 * 3600)
    _, details = run(FIRST + 2 * 3600 + 60)
    assert details["requests"] == 0


def test_a_time_of_ones_own_wins_and_is_said(fresh: MarketLake, url: str) -> None:
    done = fresh.smart_trader("run", "--sandbox", url, "--step", "load_tokens", "--as-of", str(FIRST - 3600))
    assert done.returncode == 0, done.stderr
    assert "note: this run is at 2026-09-21T13:13:20Z" in done.stderr
    assert {row["as_of"].timestamp() for row in fresh.rows("bronze", "fetch_log")} == {FIRST - 3600}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        pytest.param(["--sandbox", "{url}", "--demo"], 2, "--demo and --sandbox name two sources", id="demo-too"),
        pytest.param(["--sandbox", "{url}", "--replay", "."], 2, "--replay and --sandbox name two sources", id="replay-too"),
        pytest.param(["--sandbox", "https://public-api.birdeye.so"], 2, "is no address of this machine", id="not-here"),
        pytest.param(["--sandbox", "127.0.0.1:8765"], 2, "give one such as http://127.0.0.1:8765", id="no-scheme"),
        pytest.param(["--sandbox", "http://127.0.0.1:9"], 1, "no sandbox answers at http://127.0.0.1:9", id="nobody"),
    ],
)  # fmt: skip
def test_what_is_no_running_sandbox_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, options: list[str], code: int, words: str
) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "lake"))
    with pytest.raises(SmartTraderError) as refused:
        smart_trader.main(["run", *(option.format(url=url) for option in options)], standalone_mode=False)
    assert refused.value.exit_code == code
    assert words in str(refused.value)
    # nothing stood in for it
    assert not list(tmp_path.rglob("_delta_log"))


def test_a_server_with_birdeyes_endpoints_alone_is_a_sandbox(bare: str) -> None:
    api = running_sandbox(bare)
    assert (api.data_source, api.clock) == ("sandbox", None)


@pytest.mark.parametrize("body", ["[]", "nonsense", '{"success": true, "data": []}', '{"data_source": 5}'])
def test_another_server_is_none(body: str) -> None:
    async def answer(request: Request) -> Response:
        return Response(body, status_code=404 if "sandbox" in request.url.path and "5" not in body else 200)

    with (
        serving(Starlette(routes=[Route("/{path:path}", answer)])) as address,
        pytest.raises(SmartTraderError, match=r"no sandbox answers|serves '5'"),
    ):
        running_sandbox(address)


def test_recordings_served_are_a_replay(tmp_path: Path) -> None:
    row = {"address": "a", "symbol": "A", "liquidity": 1, "price": 1}
    (tmp_path / "tokens.json").write_text(json.dumps({"data": {"items": [row]}}))
    with serving(sandbox_app(load_recordings(tmp_path), clock=FIRST)) as address:
        spec = SourceSpec(sandbox=sandbox_api(address))
        assert (spec.data_source, spec.sandbox and spec.sandbox.clock) == ("replay", FIRST)


@pytest.mark.parametrize(("seed", "is_same"), [(SEED, True), (SEED + 1, False)])
def test_a_demo_lake_takes_its_own_world_alone(tmp_path: Path, url: str, seed: int, is_same: bool) -> None:
    paths = LakePaths(tmp_path, str(tmp_path))
    paths.market_file.write_text(json.dumps({**WORLD.as_json(), "seed": seed}))
    spec = SourceSpec(sandbox=running_sandbox(url))
    if is_same:
        with serving_api(spec, paths, parse_timestamp(str(FIRST))) as api:
            assert api.url == url
    else:
        with (
            pytest.raises(SettingsError, match=f"of seed {seed} with 30 wallets, and {url} serves another world"),
            serving_api(spec, paths, parse_timestamp(str(FIRST))),
        ):
            pass
