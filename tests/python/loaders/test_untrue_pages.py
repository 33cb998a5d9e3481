"""An API whose pages cannot be true: no history is taken for whole, no row counts twice, no budget is passed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from loaders import client as client_module
from loaders.client import BirdeyeClient, UnitMeter
from loaders.fetching import FetchResult, fetch_item
from loaders.resources import TOKENS, TRANSACTIONS, WHALES, Resource
from loaders.settings import loader_settings
from loaders.work_items import TOKEN_LIST_ITEM, WorkItem
from smart_trader import birdeye
from smart_trader.birdeye import PAGE_ROWS
from smart_trader.sandbox.running import serving
from tests.python.support.api_rows import address, holder, swap, token
from tests.python.support.loader_lake import NO_FILTERS

WALLET = address("wallet")
AS_OF = 1_750_000_000
Query = Mapping[str, str]
# what a page shows: its rows and what it says of more
Shown = tuple[list[str], bool | None]


@dataclass
class Hostile:
    """An API that answers each request as a function of its query and number wants it."""

    answer: Callable[[dict[str, str], int], Shown]
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def respond(self, request: Request) -> Response:
        query = dict(request.query_params)
        rows, more = self.answer(query, len(self.requests))
        self.requests.append(query)
        more_field = "" if more is None else f',"has_next":{json.dumps(more)}'
        return Response(
            f'{{"success":true,"data":{{"items":[{",".join(rows)}]{more_field}}}}}', media_type="application/json"
        )

    def fetch(self, resource: Resource, item: WorkItem, **variables: Any) -> FetchResult:
        settings = loader_settings({"requests_per_second": 2000, **variables})
        client = BirdeyeClient(self.url, "k", settings.pacer(), UnitMeter({}), 2)
        return fetch_item(resource, item, client, settings, AS_OF)

    def swaps(self, item: WorkItem | None = None, **variables: Any) -> FetchResult:
        return self.fetch(TRANSACTIONS, item or WorkItem(WALLET), **variables)


@contextmanager
def hostile(answer: Callable[[dict[str, str], int], Shown]) -> Iterator[Hostile]:
    api = Hostile(answer)
    paths = (birdeye.TOKEN_LIST, birdeye.TOKEN_HOLDERS, birdeye.WALLET_SWAPS)
    with serving(Starlette(routes=[Route(path, api.respond) for path in paths])) as url:
        api.url = url
        yield api


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_S", 0.01)


def at(seconds: int, tx: str, ins_index: str | None = "2") -> tuple[int, str]:
    """Return a swap some seconds before AS_OF."""
    return AS_OF - seconds, swap(WALLET, AS_OF - seconds, tx, ins_index)


HISTORY = [at(60 * n, f"t{n:04}") for n in range(1000)]
UNNUMBERED = [at(60 * n, f"t{n:04}", None) for n in range(100)]


def truth(query: Query, rows: list[tuple[int, str]] = HISTORY) -> Shown:
    """Answer as the API does."""
    offset = int(query["offset"])
    shown = [text for time, text in rows if time <= int(query["before_time"])]
    return shown[offset : offset + PAGE_ROWS], offset + PAGE_ROWS < len(shown)


def txs(fetch: FetchResult) -> list[str]:
    return [value for part in fetch.parts for value in part["tx_hash"].to_pylist()]


def test_an_honest_history_comes_whole() -> None:
    with hostile(lambda query, _: truth(query)) as api:
        fetch = api.swaps()
    assert (fetch.outcome, fetch.reached_oldest, sorted(txs(fetch))) == (
        "complete",
        True,
        [f"t{n:04}" for n in range(1000)],
    )


# what a page in mid-history may lie: each would end the history, or tear a hole into it
MID_HISTORY: dict[str, tuple[Callable[[Query], Shown], str]] = {
    "empty-and-more": (lambda _: ([], True), "an empty page says that more follows"),
    "empty-and-no-more": (lambda _: ([], False), "an empty page where rows are known to be"),
    "empty-and-silent": (lambda _: ([], None), "an empty page where rows are known to be"),
    "without-the-overlap": (
        lambda query: truth({**query, "before_time": str(int(query["before_time"]) - 30)}),
        "the page lacks the swaps of second",
    ),
    "last-page-without-the-overlap": (lambda _: ([HISTORY[-1][1]], False), "the page lacks the swaps of second"),
    "newer-than-requested": (lambda query: truth({**query, "before_time": str(AS_OF)}), "has a swap at"),
    "oldest-first": (lambda query: (truth(query)[0][::-1], True), "not newest first"),
    "out-of-order": (lambda query: ([*truth(query)[0][:50], HISTORY[-1][1], *truth(query)[0][51:]], True), "not newest first"),
}  # fmt: skip


@pytest.mark.parametrize(("lie", "reason"), MID_HISTORY.values(), ids=MID_HISTORY)
def test_a_page_that_lies_fails_its_wallet_which_goes_on_later(lie: Callable[[Query], Shown], reason: str) -> None:
    with hostile(lambda query, number: truth(query) if number < 3 else lie(query)) as api:
        failed = api.swaps()
    assert (failed.outcome, failed.pages, failed.rows, failed.reached_oldest) == ("failed", 3, 298, False)
    assert reason in (failed.error or "")
    with hostile(lambda query, _: truth(query)) as api:
        again = api.swaps(
            WorkItem(WALLET, "queue", failed.newest_time, failed.resume_before_time, failed.resume_since_time)
        )
    assert (again.outcome, again.reached_oldest) == ("complete", True)
    assert {*txs(failed), *txs(again)} == {f"t{n:04}" for n in range(1000)}


@pytest.mark.parametrize("name", ["empty-and-no-more", "without-the-overlap", "newer-than-requested"])
def test_a_wrong_page_is_requested_again(name: str) -> None:
    with hostile(lambda query, number: MID_HISTORY[name][0](query) if number == 1 else truth(query)) as api:
        fetch = api.swaps()
    assert (fetch.outcome, fetch.rows, fetch.cost.requests) == ("complete", 1000, fetch.pages + 1)


@pytest.mark.parametrize("more", [True, False])
def test_a_wallet_with_swaps_has_no_empty_history(more: bool) -> None:
    with hostile(lambda *_: ([], more)) as api:
        known = api.swaps(WorkItem(WALLET, newest_known_time=AS_OF - 60))
        resumed = api.swaps(WorkItem(WALLET, "queue", AS_OF - 60, AS_OF - 6000, None))
        new = api.swaps()
    for fetch in (known, resumed):
        assert (fetch.outcome, fetch.reached_oldest) == ("failed", False)
    assert (resumed.resume_before_time, resumed.resume_since_time) == (AS_OF - 6000, None)
    # of a wallet that nothing is known of, only what says that more follows is no answer
    assert new.outcome == ("failed" if more else "complete")
    assert new.reached_oldest is not more


def test_oldest_first_from_the_first_page_on_is_recognised() -> None:
    oldest = sorted(HISTORY[:300])
    with hostile(lambda query, _: ([text for _, text in oldest[:PAGE_ROWS]], True)) as api:
        fetch = api.swaps()
    assert (fetch.outcome, fetch.rows, fetch.reached_oldest, len(api.requests)) == ("failed", 0, False, 1)
    assert "the page is not newest first" in (fetch.error or "")


def test_the_order_of_a_history_of_one_page_does_not_matter() -> None:
    with hostile(lambda *_: ([text for _, text in sorted(HISTORY[:30])], False)) as api:
        fetch = api.swaps()
    assert (fetch.outcome, fetch.rows, fetch.newest_time) == ("complete", 30, AS_OF)


SECOND = [at(5, f"s{n:05}") for n in range(3000)]
FILLS = [at(5, "fill", None)] * 3000
MIXED = [at(5, f"u{n % 7}", None) for n in range(100)]
SAME = {
    "numbered": HISTORY[:100],
    "unnumbered": UNNUMBERED,
    "within-one-second": SECOND[:100],
    "unnumbered-within-one-second": MIXED,
    "within-two-seconds": [*[at(5, f"a{n}", None) for n in range(60)], *[at(6, f"b{n}") for n in range(40)]],
}


@pytest.mark.parametrize("rows", SAME.values(), ids=SAME)
def test_the_same_page_again_and_again_counts_once(rows: list[tuple[int, str]]) -> None:
    with hostile(lambda *_: ([text for _, text in rows], True)) as api:
        fetch = api.swaps(max_pages_per_wallet=10)
    assert (fetch.outcome, fetch.reached_oldest) == ("failed", False)
    assert fetch.rows == 100
    assert len(api.requests) <= 5
    assert "budget" not in (fetch.error or "")
    assert any(text in (fetch.error or "") for text in ("has a swap at", "is the page before it"))


@pytest.mark.parametrize("rows", [SECOND, FILLS], ids=["numbered", "equal-fills"])
@pytest.mark.parametrize(
    ("variables", "setting", "pages"),
    # as many swaps as are allowed are not too many: that shows on one page more
    [({"max_pages_per_wallet": 10}, "pages", 10), ({"max_swaps_per_wallet": 1000}, "swaps", 11)],
)
def test_a_second_larger_than_the_budget_fails_and_names_what_to_raise(
    rows: list[tuple[int, str]], variables: dict[str, int], setting: str, pages: int
) -> None:
    with hostile(lambda query, _: truth(query, rows)) as api:
        first = api.swaps(**variables)
        seen_requests = len(api.requests)
        # the first run came as far as this second, the next one comes no further
        fetch = api.swaps(WorkItem(WALLET, "queue", AS_OF - 5, first.resume_before_time, None), **variables)
    assert (first.outcome, first.resume_before_time) == ("partial", AS_OF - 4)
    assert seen_requests <= pages + 1
    assert (fetch.outcome, len(api.requests) - seen_requests, fetch.rows) == ("failed", pages, 100 * pages)
    assert f"raise max_{setting}_per_wallet" in (fetch.error or "")
    assert f"in second {AS_OF - 5}" in (fetch.error or "")
    assert f"{WALLET} has {100 * pages} rows and more" in (fetch.error or "")


def test_a_budget_that_ends_in_a_crowded_second_goes_on_with_all_of_it() -> None:
    rows = [*[at(n, f"n{n:03}") for n in range(150)], *[at(300, f"s{n:03}") for n in range(450)], at(900, "last")]
    with hostile(lambda query, _: truth(query, rows)) as api:
        first = api.swaps(max_pages_per_wallet=5)
        second = api.swaps(
            WorkItem(WALLET, "queue", first.newest_time, first.resume_before_time, first.resume_since_time),
            max_pages_per_wallet=20,
        )
    assert (first.outcome, first.pages) == ("partial", 5)
    assert "budget of 5 pages" in (first.error or "")
    assert second.outcome == "complete"
    assert {*txs(first), *txs(second)} >= {"last", *(f"s{n:03}" for n in range(450))}


def test_an_empty_page_within_a_second_is_no_end_where_more_was_announced() -> None:
    with hostile(lambda query, _: ([], False) if int(query["offset"]) == 200 else truth(query, SECOND)) as api:
        fetch = api.swaps()
    assert (fetch.outcome, fetch.reached_oldest, fetch.rows) == ("failed", False, 200)


def test_a_page_beyond_its_limit_is_cut_and_reported() -> None:
    with hostile(
        lambda query, _: ([text for time, text in HISTORY if time <= int(query["before_time"])], False)
    ) as api:
        fetch = api.swaps(max_pages_per_wallet=3)
    assert (fetch.outcome, fetch.pages, fetch.rows) == ("partial", 3, 298)
    assert fetch.set_apart[0] == f"swaps of {WALLET}: 900 rows beyond the 100 that were asked for"


def test_a_token_list_beyond_its_limit_is_cut_and_reported() -> None:
    tokens = [token(address(f"t{n}")) for n in range(5000)]
    with hostile(lambda *_: (tokens, True)) as api:
        fetch = api.fetch(TOKENS, TOKEN_LIST_ITEM, **NO_FILTERS, token_limit=50)
    assert (fetch.outcome, fetch.rows, len(api.requests)) == ("complete", 50, 1)
    assert "4950 rows beyond the 50 that were asked for" in (fetch.error or "")


def test_an_odd_row_does_not_end_a_listing_without_has_next() -> None:
    rows = [holder(WALLET, address(f"o{n}"), address(f"a{n}")) for n in range(150)]
    rows[3] = holder(WALLET, "nobody", address("a3"))
    with hostile(lambda query, _: (rows[int(query["offset"]) :][: int(query["limit"])], None)) as api:
        fetch = api.fetch(WHALES, WorkItem(WALLET), max_whales_per_token=300)
    assert (fetch.outcome, fetch.rows, fetch.pages) == ("complete", 149, 2)
    assert "row 3 (token_account" in (fetch.error or "")
    assert [part["list_position"].to_pylist()[-1] for part in fetch.parts] == [99, 149]


LISTS = {
    "same-page": (lambda _: ([token(address(f"t{n}")) for n in range(100)], True), "are all rows of the pages before"),
    "empty-and-more": (lambda _: ([], True), "an empty page says that more follows"),
}


@pytest.mark.parametrize(("lie", "reason"), LISTS.values(), ids=LISTS)
def test_a_list_that_lies_is_no_list(lie: Callable[[Query], Shown], reason: str) -> None:
    first = [token(address(f"t{n}")) for n in range(100)]
    with hostile(lambda query, number: (first, True) if number == 0 else lie(query)) as api:
        fetch = api.fetch(TOKENS, TOKEN_LIST_ITEM, **NO_FILTERS, token_limit=10_000)
    assert (fetch.outcome, fetch.rows) == ("failed", 100)
    assert reason in (fetch.error or "")
    assert len(api.requests) <= 3
