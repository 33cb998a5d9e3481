"""A wallet's swaps, page by page over real HTTP: nothing missed, nothing twice, at no more than the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from loaders import client as client_module
from loaders import transport
from loaders.client import BirdeyeClient, UnitMeter
from loaders.fetching import FetchResult, fetch_item
from loaders.resources import TRANSACTIONS
from loaders.settings import loader_settings
from loaders.work_items import WorkItem
from smart_trader.sandbox.faults import KINDS
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import address, swap
from tests.python.support.api_rows import recordings as recorded

WALLET = address("wallet")
AS_OF = 1_750_000_000
HOUR = 3600


class Api:
    """A served wallet and what is requested about it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def fetch(self, item: WorkItem | None = None, as_of: int = AS_OF, **variables: Any) -> FetchResult:
        settings = loader_settings({"requests_per_second": 2000, **variables})
        client = BirdeyeClient(self.url, "k", settings.pacer(), UnitMeter(settings.cu_prices, settings.cu_budget), 2)
        return fetch_item(TRANSACTIONS, item or WorkItem(WALLET), client, settings, as_of)

    def requested(self) -> list[tuple[int, int]]:
        """Return each request's bound, seconds before AS_OF, and offset."""
        log = requests.get(f"{self.url}/sandbox/requests", timeout=10).json()
        return [(AS_OF - int(entry["query"]["before_time"]), int(entry["query"]["offset"])) for entry in log]

    def fault(self, **fault: Any) -> None:
        requests.post(f"{self.url}/sandbox/faults", json=[fault], timeout=10).raise_for_status()


Serve = Callable[..., Any]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    @contextmanager
    def served(*rows: str) -> Iterator[Api]:
        with serving(sandbox_app(recorded(tmp_path / "rows", *rows), clock=AS_OF + 10 * HOUR)) as url:
            yield Api(url)

    return served


def hashes(fetch: FetchResult) -> list[str]:
    return [value for part in fetch.parts for value in part["tx_hash"].to_pylist()]


def occurrences(fetch: FetchResult) -> list[int]:
    return [value for part in fetch.parts for value in part["occurrence"].to_pylist()]


def spread(count: int, every: int = 60, first: int = 0) -> list[str]:
    """Return swaps going back in time from AS_OF."""
    return [swap(WALLET, AS_OF - first - every * index, f"t{index:05}") for index in range(count)]


@pytest.mark.parametrize(
    ("count", "pages"),
    [(0, 1), (1, 1), (99, 1), (100, 1), (101, 2), (250, 3)],
)
def test_a_history_comes_whole(serve: Serve, count: int, pages: int) -> None:
    rows = spread(count) or [swap(address("other"), AS_OF, "x")]
    with serve(*rows) as api:
        fetch = api.fetch()
        requested = api.requested()
    assert hashes(fetch) == [f"t{index:05}" for index in range(count)]
    assert (fetch.outcome, fetch.reached_oldest, fetch.pages) == ("complete", True, pages)
    assert (fetch.cost.requests, fetch.cost.cu) == (pages, pages * 10)
    # by time alone: no offset
    assert {offset for _, offset in requested} == {0}
    if count:
        assert (fetch.newest_time, fetch.oldest_time) == (AS_OF, AS_OF - 60 * (count - 1))


def test_ten_thousand_rows_come_whole(serve: Serve) -> None:
    with serve(*spread(10_000, every=7)) as api:
        fetch = api.fetch(max_pages_per_wallet=200)
    assert len(set(hashes(fetch))) == len(hashes(fetch)) == 10_000
    assert fetch.outcome == "complete"


@pytest.mark.parametrize("crowd", [100, 101, 230])
def test_a_second_that_fills_a_page_is_paged_by_offset(serve: Serve, crowd: int) -> None:
    same = [swap(WALLET, AS_OF - 500, f"s{index:04}") for index in range(crowd)]
    with serve(*spread(30, every=1), *same, *spread(30, every=60, first=600)) as api:
        fetch = api.fetch()
        requested = api.requested()
    assert len(hashes(fetch)) == 30 + crowd + 30
    assert len(set(hashes(fetch)) - {f"s{index:04}" for index in range(crowd)}) == 30
    offsets = {offset for _, offset in requested if offset}
    assert offsets or crowd <= 100
    # offsets are used under one bound only: that second's
    assert len({bound for bound, offset in requested if offset}) <= 1


def test_equal_fills_are_distinguished_and_survive_a_page_border(serve: Serve) -> None:
    fills = [swap(WALLET, AS_OF - 98, "fill", None)] * 4
    with serve(*spread(98, every=1), *fills, *spread(20, first=200)) as api:
        fetch = api.fetch()
    # the border lies between the second and the third; the second page shows the whole second again
    numbers = [number for tx, number in zip(hashes(fetch), occurrences(fetch), strict=True) if tx == "fill"]
    assert sorted(numbers) == [1, 2, 3, 4]
    assert set(occurrences(fetch)) == {1, 2, 3, 4}


def test_equal_fills_that_fill_pages_are_counted_over_the_offsets(serve: Serve) -> None:
    with serve(*[swap(WALLET, AS_OF - 5, "fill", None)] * 250, *spread(3, first=60)) as api:
        fetch = api.fetch()
    assert sorted(number for number in occurrences(fetch) if number > 1) == list(range(2, 251))
    assert len(hashes(fetch)) == 253


def test_a_refetch_goes_back_to_the_overlap_and_finds_what_came_late(serve: Serve) -> None:
    known = AS_OF - 100 * HOUR
    late = swap(WALLET, known - 12 * HOUR, "late")
    old = [swap(WALLET, known - 25 * HOUR - index, f"old{index:03}") for index in range(300)]
    new = [swap(WALLET, known + HOUR * index, f"new{index:03}") for index in range(101)]
    with serve(*new, late, *old) as api:
        fetch = api.fetch(WorkItem(WALLET, newest_known_time=known))
    assert "late" in hashes(fetch)
    assert len([tx for tx in hashes(fetch) if tx.startswith("new")]) == 101
    # it stops at the first page that reaches past the overlap
    assert len([tx for tx in hashes(fetch) if tx.startswith("old")]) <= 100
    assert (fetch.outcome, fetch.reached_oldest, fetch.resume_before_time) == ("complete", False, None)


def test_a_page_budget_pauses_and_the_next_run_goes_on(serve: Serve) -> None:
    with serve(*spread(700)) as api:
        first = api.fetch(max_pages_per_wallet=3)
        second = api.fetch(
            WorkItem(WALLET, "queue", first.newest_time, first.resume_before_time, first.resume_since_time),
            max_pages_per_wallet=3,
        )
        third = api.fetch(
            WorkItem(WALLET, "queue", first.newest_time, second.resume_before_time, second.resume_since_time),
            max_pages_per_wallet=20,
        )
    assert [fetch.outcome for fetch in (first, second, third)] == ["partial", "partial", "complete"]
    assert "budget of 3 pages" in (first.error or "")
    assert [fetch.reached_oldest for fetch in (first, second, third)] == [False, False, True]
    assert {*hashes(first), *hashes(second), *hashes(third)} == {f"t{index:05}" for index in range(700)}


def test_what_is_left_over_comes_before_what_is_new(serve: Serve) -> None:
    later = AS_OF + 6 * HOUR
    with serve(*spread(300), *[swap(WALLET, AS_OF + 60 * index, f"new{index:03}") for index in range(1, 30)]) as api:
        first = api.fetch(max_pages_per_wallet=1)
        second = api.fetch(WorkItem(WALLET, "queue", first.newest_time, first.resume_before_time, None), as_of=later)
    assert not [tx for tx in hashes(first) if tx.startswith("new")]
    assert len([tx for tx in hashes(second) if tx.startswith("new")]) == 29
    assert {*hashes(first), *hashes(second)} >= {f"t{index:05}" for index in range(300)}
    assert (second.outcome, second.resume_before_time) == ("complete", None)


def test_history_days_cuts_and_records_that_the_history_is_not_whole(serve: Serve) -> None:
    with serve(*spread(900, every=HOUR)) as api:
        fetch = api.fetch(history_days=10)
    assert 240 <= len(hashes(fetch)) < 900
    assert (fetch.outcome, fetch.reached_oldest) == ("complete", False)


def test_a_wallet_that_never_ends_is_paused_at_the_swap_limit(serve: Serve) -> None:
    with serve(*spread(600)) as api:
        fetch = api.fetch(max_swaps_per_wallet=200)
    assert fetch.outcome == "partial"
    assert "more than 200 swaps" in (fetch.error or "")


def test_swaps_after_the_runs_as_of_wait_for_the_next_run(serve: Serve) -> None:
    with serve(swap(WALLET, AS_OF + 1, "future"), swap(WALLET, AS_OF, "now")) as api:
        assert hashes(api.fetch()) == ["now"]


def test_a_failure_keeps_what_was_read_and_where_to_go_on(serve: Serve) -> None:
    with serve(*spread(400)) as api:
        api.fault(fault="bad_gateway", times=9, after=2)
        failed = api.fetch()
        requests.delete(f"{api.url}/sandbox/faults", timeout=10)
        again = api.fetch(WorkItem(WALLET, "queue", failed.newest_time, failed.resume_before_time, None))
    assert (failed.outcome, failed.pages, failed.reached_oldest) == ("failed", 2, False)
    assert "status 502" in (failed.error or "")
    assert {*hashes(failed), *hashes(again)} == {f"t{index:05}" for index in range(400)}
    assert again.outcome == "complete"


def test_a_failure_before_the_first_page_leaves_the_plan_as_it_was(serve: Serve) -> None:
    with serve(*spread(400)) as api:
        api.fault(fault="bad_request", times=1)
        failed = api.fetch(WorkItem(WALLET, "queue", AS_OF, AS_OF - 6000, AS_OF - 9000))
    assert (failed.outcome, failed.rows) == ("failed", 0)
    assert (failed.resume_before_time, failed.resume_since_time) == (AS_OF - 6000, AS_OF - 9000)


def test_a_row_of_another_type_lands_nothing_of_its_wallet(serve: Serve) -> None:
    bad = swap(WALLET, AS_OF - 60 * 150, "bad", ins_index='"two"')
    with serve(*spread(120), bad) as api:
        failed = api.fetch()
    assert (failed.outcome, failed.rows, failed.newest_time, failed.resume_before_time) == ("failed", 0, None, None)
    assert f"swaps of {WALLET}" in (failed.error or "")
    assert "ins_index: 'two' is not a whole number" in (failed.error or "")


@pytest.mark.parametrize(
    ("fault", "variables", "reason"),
    [
        pytest.param("cu_exhausted", {}, "units are used up", id="month-used-up"),
        pytest.param("unauthorized", {}, "key is refused", id="401"),
        pytest.param("plan", {}, "key is refused", id="plan"),
        pytest.param("forbidden", {}, "access denied", id="403"),
        pytest.param("slow", {"cu_budget": 20}, "budget of 20", id="budget"),
    ],
)
def test_the_runs_end_keeps_what_was_read(serve: Serve, fault: str, variables: dict[str, Any], reason: str) -> None:
    with serve(*spread(400)) as api:
        api.fault(fault=fault, times=9, after=2, seconds=0.01 if fault == "slow" else None)
        fetch = api.fetch(**variables)
    assert (fetch.outcome, fetch.pages) == ("partial", 2)
    assert fetch.stop is not None
    assert reason in str(fetch.stop)
    assert fetch.resume_before_time == (fetch.oldest_time or 0) + 1


@pytest.mark.parametrize(
    ("fault", "outcome", "rows"),
    [
        pytest.param("rate_limited", "complete", 250, id="429"),
        pytest.param("internal_error", "complete", 250, id="500-json"),
        pytest.param("server_error", "complete", 250, id="500-html"),
        pytest.param("bad_gateway", "complete", 250, id="502-html"),
        pytest.param("timeout", "complete", 250, id="time-out"),
        pytest.param("truncated", "complete", 250, id="cut-json"),
        pytest.param("slow", "complete", 250, id="slow"),
        pytest.param("key_order", "complete", 250, id="key-order"),
        pytest.param("has_next", "complete", 250, id="hasNext"),
        pytest.param("bad_request", "failed", 100, id="400"),
        pytest.param("redirect", "failed", 100, id="redirect"),
        pytest.param("null_data", "failed", 100, id="null-in-the-middle"),
        pytest.param("cu_exhausted", "partial", 100, id="month-used-up"),
        pytest.param("unauthorized", "partial", 100, id="401"),
        pytest.param("plan", "partial", 100, id="401-plan"),
        pytest.param("forbidden", "partial", 100, id="403"),
    ],
)
def test_each_fault_of_the_api_ends_as_it_should(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, fault: str, outcome: str, rows: int
) -> None:
    monkeypatch.setattr(transport, "TIMEOUT_S", (5, 2))
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)
    with serve(*spread(250)) as api:
        api.fault(fault=fault, after=1)
        fetch = api.fetch()
    assert (fetch.outcome, fetch.rows) == (outcome, rows)
    assert (fetch.resume_before_time is None) == (outcome == "complete")


def test_every_fault_is_tried() -> None:
    tried = test_each_fault_of_the_api_ends_as_it_should.pytestmark[0].args[1]
    assert {case.values[0] for case in tried} == set(KINDS)


def test_null_is_an_empty_history_only_for_a_wallet_nothing_is_known_of(serve: Serve) -> None:
    with serve(*spread(5)) as api:
        api.fault(fault="null_data", times=None)
        unknown = api.fetch()
        known = api.fetch(WorkItem(WALLET, newest_known_time=AS_OF))
    assert (unknown.outcome, unknown.rows) == ("complete", 0)
    assert (known.outcome, known.reached_oldest) == ("failed", False)


def test_has_next_is_read_in_both_spellings(serve: Serve) -> None:
    with serve(*spread(250)) as api:
        api.fault(fault="has_next", times=None)
        fetch = api.fetch()
    assert (len(hashes(fetch)), fetch.outcome) == (250, "complete")
