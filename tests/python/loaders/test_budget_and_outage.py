"""What a run may spend, whatever process spends it; and what an endpoint that answers for nobody means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from loaders.apis import sandbox_api
from loaders.budget import spent_units
from loaders.errors import TerminalApiError
from loaders.jobs import Job, run_job
from loaders.queues import with_known_swaps
from loaders.report import Report
from loaders.resources import TRANSACTIONS
from loaders.retry import find_fetched_items, request_retry
from loaders.settings import loader_settings
from loaders.work_items import WorkItem
from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import address, swap
from tests.python.support.api_rows import recordings as recorded
from tests.python.support.engine import clean_environment, run_module
from tests.python.support.loader_lake import AS_OF, FAST, Lake

WALLETS = [address(f"wallet{number:02}") for number in range(40)]
AS_OF_TIME = datetime.fromtimestamp(AS_OF, UTC)
SWAP_CU = 10


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    rows = [swap(wallet, AS_OF - n, f"{wallet}-{n}") for wallet in WALLETS for n in range(2)]
    with serving(sandbox_app(recorded(tmp_path / "rows", *rows), clock=AS_OF)) as url:
        yield url


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def fail(api: str, fault: str, address: str | None = None, after: int = 0) -> None:
    specs = [{"fault": fault, "times": None, "address": address, "after": after}]
    requests.post(f"{api}/sandbox/faults", json=specs, timeout=10).raise_for_status()


def load(lake: Lake, api: str, wallets: list[str], run_id: str, **variables: object) -> Report:
    settings = loader_settings({**FAST, "max_parallel_requests": 1, "max_request_tries": 1, **variables})
    return run_job(Job(TRANSACTIONS, settings, lake.paths, AS_OF_TIME, None, wallets, run_id=run_id), sandbox_api(api))


def test_tries_and_steps_of_one_run_share_its_budget(lake: Lake, api: str) -> None:
    budget = {"cu_budget": 3 * SWAP_CU}
    first = load(lake, api, WALLETS[:2], "run", **budget)
    second = load(lake, api, WALLETS[2:4], "run", **budget)
    third = load(lake, api, WALLETS[2:4], "run", **budget)
    assert [report.cu for report in (first, second, third)] == [20, 10, 0]
    assert (second.outcomes, second.not_reached) == ({"complete": 1}, 1)
    assert second.stop is not None
    assert second.stop.what == "the budget of 30 compute units is reached: 30 spent, the next request costs 10"
    assert load(lake, api, WALLETS[2:4], "another run", **budget).cu == 20


def test_what_a_budget_leaves_unasked_is_not_shown_as_done(
    lake: Lake, api: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("loaders.progress.LINE_EVERY_S", 0.0)
    report = load(lake, api, WALLETS[:8], "run", cu_budget=3 * SWAP_CU)
    assert (report.outcomes.total(), report.not_reached) == (3, 5)
    (*_, last) = [line for line in capsys.readouterr().err.splitlines() if "transactions:" in line]
    assert "transactions: 3 of 8, 6 rows, 3 requests, 30 CU, " in last


def test_a_failed_try_is_counted_too(lake: Lake, api: str) -> None:
    fail(api, "internal_error", WALLETS[1])
    load(lake, api, WALLETS[:2], "run", max_request_tries=2)
    from loaders.bronze import Bronze

    assert spent_units(Bronze(lake.paths), "run") == 3 * SWAP_CU
    assert spent_units(Bronze(lake.paths), "other") == 0


@pytest.mark.parametrize("count", [2, 19])
def test_an_endpoint_that_answers_for_nobody_fails_the_load(lake: Lake, api: str, count: int) -> None:
    fail(api, "internal_error")
    report = load(lake, api, WALLETS[:count], "run")
    assert report.outcomes == {"failed": count}
    with pytest.raises(SmartTraderError, match=f"answered for none of {count} items, the first: {WALLETS[0]}: "):
        report.raise_if_failed()
    assert len(lake.rows("fetch_log")) == count


def test_a_long_outage_is_not_paid_for_by_every_item(lake: Lake, api: str) -> None:
    fail(api, "internal_error")
    report = load(lake, api, WALLETS, "run")
    assert report.is_outage
    assert (report.outcomes["failed"] + report.not_reached, report.outcomes["failed"] <= 22) == (40, True)
    assert len(lake.rows("fetch_log")) == report.outcomes["failed"]


@pytest.mark.parametrize(
    ("wallets", "bad"),
    [pytest.param(1, WALLETS[0], id="one-of-one"), pytest.param(3, WALLETS[0], id="one-of-three")],
)
def test_items_that_fail_are_no_outage(lake: Lake, api: str, wallets: int, bad: str) -> None:
    fail(api, "internal_error", bad)
    report = load(lake, api, WALLETS[:wallets], "run")
    assert (report.outcomes["failed"], report.is_outage, report.whole_failure) == (1, False, None)


def test_the_months_end_is_no_outage(lake: Lake, api: str) -> None:
    fail(api, "cu_exhausted", after=1)
    report = load(lake, api, WALLETS[:4], "run")
    assert isinstance(report.whole_failure, TerminalApiError)
    assert str(report).startswith("transactions: 1 complete, 3 not requested; 2 rows landed")


@pytest.mark.parametrize(
    ("fault", "variables", "code", "message"),
    [
        pytest.param("cu_exhausted", [], 1, "the plan's compute units are used up", id="month"),
        pytest.param(
            None, ["--var", f"cu_budget={SWAP_CU}"], 0, "the budget of 10 compute units is reached", id="budget"
        ),
        pytest.param(
            "internal_error", ["--var", "max_request_tries=1"], 1, "answered for none of 3 items", id="outage"
        ),
    ],
)
def test_the_cause_of_an_early_end_and_its_fix_are_reported_once(
    lake: Lake, api: str, fault: str | None, variables: list[str], code: int, message: str
) -> None:
    if fault:
        fail(api, fault)
    wallets = ["--wallets", ",".join(WALLETS[:3])]
    done = run_module(
        "loaders", "transactions", *wallets, "--sandbox", api, "--as-of", str(AS_OF), *variables,
        env=clean_environment(LAKEHOUSE_HOME=str(lake.root)),
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert (done.stderr.count(message), done.stderr.count("fix:")) == (1, 1)
    assert "nothing to do" not in done.stderr


def test_a_request_to_retry_is_a_line_of_the_log_and_no_fetch(lake: Lake, api: str) -> None:
    from loaders.bronze import Bronze

    bronze = Bronze(lake.paths)
    load(lake, api, WALLETS[:1], "run", max_pages_per_wallet=1)
    known = with_known_swaps([WorkItem(WALLETS[0], "given")], str(lake.root / "bronze" / "fetch_log"))
    wanted = find_fetched_items(bronze, WALLETS[:1])
    request_retry(bronze, wanted, AS_OF_TIME)
    *_, line = sorted(lake.rows("fetch_log"), key=lambda row: row["landed_at"])
    assert (line["outcome"], line["kind"], line["item"], line["origin"]) == ("retry", "swaps", WALLETS[0], "queue")
    assert (line["data_source"], line["as_of"], line["cu"]) == ("replay", AS_OF_TIME, 0)
    assert with_known_swaps([WorkItem(WALLETS[0], "given")], str(lake.root / "bronze" / "fetch_log")) == known
    assert known == [replace(known[0], newest_known_time=AS_OF)]
    with pytest.raises(SmartTraderError, match=f"never requested in this lake: {WALLETS[5]}"):
        find_fetched_items(bronze, [WALLETS[0], WALLETS[5]])
