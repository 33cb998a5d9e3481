"""A load that fails as a whole: what has landed is built all the same, the run says so once, and fails.

Only dbt is replaced here, by a note of what it is called to build; the loads, their lake and the API's answers are real.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dbt.cli.main
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from loaders.bronze import Bronze
from loaders.resources import LAUNCHES, PRICES, TRANSACTIONS, WHALES
from loaders.settings import loader_settings
from loaders.tables import FETCH_LOG, PIPELINE_RUNS
from smart_trader import birdeye
from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import lakehouse_settings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import read_table
from smart_trader.lake.identity import begin_lake
from smart_trader.lake.object_lock import LockLostError
from smart_trader.lakehouse.session import Choice, EmbeddedEngine
from smart_trader.pipeline import run
from smart_trader.pipeline.dbt import Builds, Built
from smart_trader.pipeline.records import LoadsFailedError
from smart_trader.pipeline.request import RunRequest
from smart_trader.pipeline.sources import SourceSpec
from smart_trader.sandbox.faults import fault_of
from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import WorldSpec
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

AS_OF = 1_790_000_000
BUILDS = ["build_tokens", "build_whales", "build_positions", "build_traders"]
TOKEN_LIST, HOLDERS, SWAPS = "/defi/v3/token/list", "/defi/v3/token/holder", "/trader/txs/seek_by_time"
PRICED, CREATED = birdeye.MULTI_PRICE, birdeye.TOKEN_CREATION
ALL = {"tokens", "holders", "swaps", "prices", "launches"}


class Pipeline:
    """A lake with due work, and runs on it against an API with faults."""

    def __init__(self, root: Path, source: MarketSource) -> None:
        paths = LakePaths(root, str(root))
        self.bronze = Bronze(paths)
        # one of this version: an older lake's tables would be made again first
        root.mkdir()
        begin_lake(paths)
        self.lines: list[str] = []
        self.built: list[str] = []
        self._source = source
        due = datetime.fromtimestamp(AS_OF, UTC) - timedelta(hours=1)
        for resource, count in ((WHALES, 3), (TRANSACTIONS, 4), (PRICES, 2), (LAUNCHES, 2)):
            rows = [{"item": f"{n + 1}" * 40, "due_at": due, "queue_rank": n, "attempts": 0} for n in range(count)]
            queue = pa.Table.from_pylist(rows)
            for name in resource.queue_columns:
                queue = queue.append_column(name, pa.nulls(count, pa.int64()))
            write_deltalake(str(root / "silver" / str(resource.queue)), queue)

    def run(self, *faults: dict[str, Any], run_id: str = "run", step: str | None = None, **variables: Any) -> Any:
        settings = loader_settings({"max_request_tries": 1, "requests_per_second": 1000, **variables})
        self.lines, self.built = [], []
        request = RunRequest(SourceSpec(), datetime.fromtimestamp(AS_OF, UTC), run_id, step)
        app = sandbox_app(self._source, clock=AS_OF, faults=[fault_of({"times": None, **fault}) for fault in faults])
        with serving(app) as url, pytest.MonkeyPatch.context() as patch:
            patch.setattr(birdeye, "BASE_URL", url)
            patch.setattr(Builds, "invoke", lambda _, what, *__, **___: self.built.append(what) or Built(1, 0, 1.0))
            return run.run_pipeline(request, settings, lakehouse_settings(), self.lines.append)

    def rows(self, table: Any) -> list[dict[str, Any]]:
        return list(read_table(self.bronze.location(table)).to_pylist())


@pytest.fixture(scope="module")
def source() -> MarketSource:
    return market(WorldSpec("easy", 11, 20, AS_OF - 30 * 86_400), AS_OF)


@pytest.fixture
def pipeline(source: MarketSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "lake"))
    monkeypatch.delenv("LAKEHOUSE_URI", raising=False)
    monkeypatch.setenv("BIRDEYE_API_KEY", "of-a-test")
    return Pipeline(tmp_path / "lake", source)


@pytest.mark.parametrize(
    ("fault", "requested"),
    [
        pytest.param({"fault": "cu_exhausted", "endpoint": HOLDERS}, {"tokens"}, id="month-ends-at-whales"),
        pytest.param({"fault": "cu_exhausted", "endpoint": SWAPS}, {"tokens", "holders"}, id="month-ends-at-swaps"),
        pytest.param({"fault": "unauthorized", "endpoint": SWAPS}, {"tokens", "holders"}, id="key-refused-at-swaps"),
        pytest.param({"fault": "internal_error", "endpoint": HOLDERS}, ALL, id="whales-down"),
        pytest.param({"fault": "bad_gateway", "endpoint": SWAPS}, ALL, id="swaps-down"),
    ],
)
def test_what_has_landed_is_built_and_the_run_fails_once(
    pipeline: Pipeline, fault: dict[str, Any], requested: set[str]
) -> None:
    with pytest.raises(LoadsFailedError) as failed:
        pipeline.run(fault)
    assert [what for what in pipeline.built if what in BUILDS] == BUILDS
    assert {row["kind"] for row in pipeline.rows(FETCH_LOG)} == requested
    reason = failed.value.what.splitlines()[0]
    assert not any(reason[:40] in line for line in pipeline.lines)
    assert failed.value.what.endswith("what had landed before is built and ranked")
    outcomes = {row["step"]: row["outcome"] for row in pipeline.rows(PIPELINE_RUNS)}
    assert list(outcomes.values()).count("failed") == 1
    assert outcomes["build_traders"] == "complete"
    assert failed.value.exit_code == 1


@pytest.mark.parametrize(
    ("fault", "outcome", "landed", "said"),
    [
        pytest.param(
            {"fault": "internal_error", "endpoint": PRICED}, "failed", {"prices", "launches"},
            "prices: the endpoint answered for none of 2 items", id="prices-down",
        ),
        pytest.param(
            {"fault": "bad_request", "endpoint": CREATED}, "failed", {"prices", "launches"},
            "launches: the endpoint answered for none of 2 items", id="launches-refused",
        ),
        pytest.param(
            {"fault": "plan", "endpoint": PRICED}, "failed", set(), "/defi/multi_price: the key is refused", id="plan",
        ),
        pytest.param(
            {"fault": "plan", "endpoint": CREATED}, "failed", {"prices"}, "the key is refused", id="plan-of-launches",
        ),
        pytest.param(
            {"fault": "internal_error", "endpoint": CREATED, "times": 1}, "partial", {"prices", "launches"},
            "1 of 2 items failed", id="one-launch-fails",
        ),
    ],
)  # fmt: skip
def test_a_detail_that_fails_never_blocks_the_list(
    pipeline: Pipeline, fault: dict[str, Any], outcome: str, landed: set[str], said: str
) -> None:
    pipeline.run(fault)
    assert [what for what in pipeline.built if what in BUILDS] == BUILDS
    assert {row["kind"] for row in pipeline.rows(FETCH_LOG)} == {"tokens", "holders", "swaps", *landed}
    record = {row["step"]: row for row in pipeline.rows(PIPELINE_RUNS)}["load_details"]
    assert (record["outcome"], said in record["error"]) == (outcome, True)
    assert any(said in line for line in pipeline.lines)
    is_warned = any(line.strip().startswith("warning: ") for line in pipeline.lines)
    assert is_warned is (outcome == "failed")


def test_a_detail_that_fails_alone_is_tried_again_by_its_scheduler(pipeline: Pipeline) -> None:
    pipeline.run()
    with pytest.raises(LoadsFailedError, match="prices: the endpoint answered for none of 2 items"):
        pipeline.run({"fault": "internal_error", "endpoint": PRICED}, run_id="second", step="load_details")


@pytest.mark.parametrize(
    ("variables", "requested", "outcome"),
    [
        pytest.param({"max_launch_lookups": 1}, {PRICED: 1, CREATED: 1}, "complete", id="cap-of-launches"),
        pytest.param({"max_priced_tokens": 0}, {CREATED: 2}, "complete", id="no-prices"),
        pytest.param({"cu_budget": 100 + 150 + 40 + 6 + 80}, {PRICED: 1, CREATED: 1}, "partial", id="budget"),
        pytest.param({"cu_budget": 100 + 150 + 40}, {}, "partial", id="nothing-left"),
    ],
)
def test_details_keep_to_their_caps_and_to_the_budget(
    pipeline: Pipeline, variables: dict[str, int], requested: dict[str, int], outcome: str
) -> None:
    records = {record.step: record for record in pipeline.run(max_parallel_requests=1, **variables)}
    details = records["load_details"]
    assert (details.requests, details.outcome) == (sum(requested.values()), outcome)
    assert details.cu == 6 * requested.get(PRICED, 0) + 80 * requested.get(CREATED, 0)
    assert pipeline.built[-1] == "build_traders"


def test_after_the_months_end_nothing_more_is_requested(pipeline: Pipeline) -> None:
    pipeline.run()
    with pytest.raises(LoadsFailedError, match="the plan's compute units are used up") as failed:
        pipeline.run({"fault": "cu_exhausted"}, run_id="second")
    assert failed.value.what.count("used up") == 1
    loads = {row["step"]: row for row in pipeline.rows(PIPELINE_RUNS) if row["run_id"] == "second"}
    assert [loads[step]["outcome"] for step in ("load_tokens", "load_whales", "load_transactions")] == [
        "failed", "skipped", "skipped",
    ]  # fmt: skip


@pytest.mark.parametrize("fault", ["cu_exhausted", "unauthorized", "internal_error"])
def test_a_new_lake_without_an_answer_has_nothing_to_build(pipeline: Pipeline, fault: str) -> None:
    with pytest.raises(SmartTraderError):
        pipeline.run({"fault": fault})
    assert pipeline.built == []


def test_steps_run_alone_share_the_budget_of_their_run(pipeline: Pipeline) -> None:
    for step in ("load_tokens", "load_whales", "load_transactions"):
        pipeline.run(step=step, cu_budget=170, run_id="R1")
    spent = {row["step"]: row["cu"] for row in pipeline.rows(PIPELINE_RUNS)}
    assert spent == {"load_tokens": 100, "load_whales": 50, "load_transactions": 20}
    records = pipeline.run(cu_budget=170, run_id="R1")
    assert [record.cu for record in records if record.cu is not None] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("ended", "raised"),
    [
        pytest.param(KeyboardInterrupt(), KeyboardInterrupt, id="stopped-by-the-user"),
        pytest.param(SystemExit(143), SystemExit, id="ended"),
        pytest.param(LockLostError("the lock is lost"), LockLostError, id="lock-lost"),
        pytest.param(ValueError("what dbt says"), SmartTraderError, id="dbt's-own"),
    ],
)
@pytest.mark.parametrize("at", ["parse", "build"])
def test_what_ends_a_build_from_outside_is_no_failure_of_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, ended: BaseException, raised: type[BaseException]
) -> None:
    parsed = SimpleNamespace(nodes={})

    def invoke(_: Any, arguments: list[str], **__: Any) -> Any:
        done = at not in arguments
        return dbt.cli.main.dbtRunnerResult(success=done, exception=None if done else ended, result=parsed)

    monkeypatch.setattr(dbt.cli.main.dbtRunner, "invoke", invoke)
    builds = Builds(
        LakePaths(tmp_path, str(tmp_path)),
        EmbeddedEngine(Choice("embedded", "test")),
        "2026-01-01",
        "run",
        {},
        lambda _: None,
    )
    with pytest.raises(raised):
        builds.invoke("build_traders", "build")
