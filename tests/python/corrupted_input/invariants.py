"""Runs the loaders on corrupted answers and reports where they break an invariant.

The invariants: what an item was answered lands as it was served, or the item is refused by name; every other item is as if
nothing had happened. Of a list of tokens or holders single rows may be set apart by name, of a wallet's swaps none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from loaders.bronze import Bronze
from loaders.client import BirdeyeClient, UnitMeter
from loaders.jobs import fetch_and_land
from loaders.landing import LoadMetadata
from loaders.listings import token_list
from loaders.loose_json import as_bytes, as_text, elements, members
from loaders.pages import FetchedPage, ItemClient
from loaders.report import Report
from loaders.resources import TOKENS, TRANSACTIONS, WHALES
from loaders.settings import loader_settings
from loaders.work_items import WorkItem
from smart_trader.errors import SmartTraderError
from smart_trader.sandbox.running import serving
from tests.python.support.loader_lake import FAST, NO_FILTERS, Lake

from .corrupted_market import NOW, Crowd, Sent, corrupted_app, make_market, names
from .mutations import Case

# a body that is no answer would be requested again, which only takes time
SETTINGS: dict[str, Any] = {**FAST, "max_request_tries": 1, "max_pages_per_wallet": 5, "max_parallel_requests": 4}
# what pages through lists of rows
LISTINGS = (TOKENS, WHALES, TRANSACTIONS)
LOADERS = tuple(resource.name for resource in LISTINGS)
TABLES = {resource.name: resource.table.name for resource in LISTINGS}
KINDS = {resource.name: resource.kind for resource in LISTINGS}
CLEAN_EVERY = 10
MORE_FOLLOWS = "an empty page says that more follows"
# the largest time that the API takes
LAST_TIME = 10**10


@dataclass
class Corrupted:
    """A served market of which most answers are corrupted.

    Attributes:
        url: Where it is served.
        crowd: Where its rows come from; each of its items is a wallet, a token and a token list.
        cases: What happens to whose answers; the others stay as they are.
        sent: What was answered.
    """

    url: str
    crowd: Crowd
    cases: dict[str, Any]
    sent: Sent

    @property
    def clean(self) -> list[str]:
        return [item for item in self.crowd.items if item not in self.cases]

    def load(self, lake: Lake, loader: str) -> Report:
        """Fetch and land all items."""
        if loader == "tokens":
            return self._token_lists(lake)
        return lake.load(loader, self.url, self.crowd.items, NOW, **SETTINGS)

    def _token_lists(self, lake: Lake) -> Report:
        """Fetch many token lists in one run; a filter that lets everything pass distinguishes them."""

        def pages(client: ItemClient, item: WorkItem) -> Iterator[FetchedPage]:
            number = self.crowd.items.index(item.item)
            chosen = {**SETTINGS, **NO_FILTERS, "token_limit": 10, "min_liquidity": number}
            yield from token_list(replace(client, settings=loader_settings(chosen)), item)

        settings, meter, bronze = loader_settings(SETTINGS), UnitMeter({}), Bronze(lake.paths)
        bronze.prepare()
        client = BirdeyeClient(self.url, "k", settings.pacer(), meter, settings.max_request_tries, settings.parallel)
        stamp = LoadMetadata(datetime.fromtimestamp(NOW, UTC), "sandbox", "fuzz")
        items = [WorkItem(name, "filter") for name in self.crowd.items]
        return fetch_and_land(replace(TOKENS, pages=pages), items, client, meter, bronze, settings, stamp)


@dataclass(frozen=True)
class Landed:
    """What became of a corrupted market: the lake, and each loader's report."""

    lake: Lake
    corrupted: Corrupted
    reports: dict[str, Report]


@contextmanager
def corrupted_market(seeds: range) -> Iterator[Corrupted]:
    """Serve a market with one item per seed, and uncorrupted ones among them."""
    items = names(len(seeds) + len(seeds) // CLEAN_EVERY + 1)
    corrupted = [item for number, item in enumerate(items) if number % (CLEAN_EVERY + 1)]
    cases = {item: Case(seed) for item, seed in zip(corrupted, seeds, strict=False)}
    crowd, sent = Crowd(make_market(), items), defaultdict[tuple[str, str], list[bytes]](list)
    with serving(corrupted_app(crowd, cases, sent)) as url:
        yield Corrupted(url, crowd, cases, sent)


def breaches(corrupted: Corrupted, loader: str, report: Report, lake: Lake) -> list[str]:
    """Return what broke an invariant in a run that requested all items, with the seeds and mutations that did it."""
    log, landed = defaultdict(list), defaultdict(list)
    for line in lake.rows("fetch_log"):
        if line["kind"] == KINDS[loader]:
            log[line["item"]].append(line)
    for row in lake.rows(TABLES[loader]):
        landed[row["fetch_id"]].append(row)
    reported, message = dict(report.failures), _message(report)
    found = []
    for item in corrupted.crowd.items:
        case = corrupted.cases.get(item)
        if len(log[item]) != 1:
            found.append(f"{item} ({case}): {len(log[item])} lines in the log")
            continue
        line = log[item][0]
        rows, error = [row["item"] for row in landed[line["fetch_id"]]], line["error"]
        if line["outcome"] == "complete":
            problem = _unlike(
                rows, served(loader, corrupted.sent[loader, item]), 0 if case is None else _apart(loader, error)
            )
        elif line["outcome"] != "failed" or case is None:
            problem = f"{line['outcome']}: {error}"
        else:
            problem = _unclear(item, error, reported.get(item), message)
            if rows and MORE_FOLLOWS in (error or ""):
                # what was read before stays, and the next run goes on from there
                problem = problem or _unlike(rows, served(loader, corrupted.sent[loader, item]), 0)
            elif rows:
                problem = problem or f"failed, with {len(rows)} rows"
        if problem:
            found.append(f"{item} ({case}): {problem}; answered: {corrupted.sent[loader, item][0][:300]!r}")
    return found


def _message(report: Report) -> str:
    """Return what the run reports at the end."""
    try:
        report.raise_if_failed()
    except SmartTraderError as error:
        return str(error)
    return ""


def _unclear(item: str, error: str | None, reported: str | None, message: str) -> str:
    """Return what is missing from a refusal."""
    if not error or reported != error:
        return f"the log has {error!r}, the run {reported!r}"
    if "Traceback" in error or len(error) > 600 or not error.isprintable():
        return f"nobody can read {error[:600]!r}"
    if item not in message and "all in bronze.fetch_log" not in message:
        return f"the run does not name it: {message}"
    return ""


def served(loader: str, bodies: list[bytes]) -> Counter[str]:
    """Return the rows that should have landed of an item's answers: equal ones as often as one answer has them."""
    rows: Counter[str] = Counter()
    for body in bodies:
        try:
            listing = msgspec.json.decode(body, type=_Answer).data
        except msgspec.DecodeError:
            # one row of it is no JSON
            texts = elements(members(members(as_text(body))["data"])["items"])
            listing = _Listing([msgspec.Raw(as_bytes(text)) for text in texts])
        texts = [as_text(bytes(row)) for row in (listing.items if listing else None) or []]
        rows |= Counter(text for text in texts if loader != "transactions" or _is_due(text))
    return rows


class _Listing(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


class _Answer(msgspec.Struct):
    data: _Listing | None


def _is_due(row: str) -> bool:
    """Whether a swap's time has come; one that is no time must not be passed over as if it were still to come."""
    # of a key that comes twice the last one counts
    time = float(bytes(msgspec.json.decode(row, type=dict[str, msgspec.Raw])["block_unix_time"]))
    return time <= NOW or time > LAST_TIME


def _apart(loader: str, error: str | None) -> int:
    """Return how many rows the log says were set apart, each by name."""
    if error is None or loader == "transactions":
        return 0
    count, _, named = error.partition(" set apart: ")
    is_named = (", row " in named and ": field " in named) or " rows beyond the " in named
    return int(count) if count in ("1", "2") and is_named and error.isprintable() else -1


def _unlike(landed: list[str], expected: Counter[str], apart: int) -> str:
    found = Counter(landed)
    if found <= expected and found.total() + apart == expected.total():
        return ""
    lacking, odd = [*(expected - found)][:1], [*(found - expected)][:1]
    return f"{found.total()} of {expected.total()} rows landed; lacking {lacking}, odd {odd}"
