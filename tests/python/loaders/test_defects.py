"""A defect in a loader fails the one item it met, by name; the load goes on, and its exit code is not 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from loaders import fetching, swaps
from loaders.bronze import Bronze
from loaders.client import BirdeyeClient, UnitMeter
from loaders.fetching import FetchResult, fetch_item
from loaders.jobs import fetch_and_land
from loaders.landing import LoadMetadata
from loaders.pages import FetchedPage, ItemClient
from loaders.resources import TOKENS, TRANSACTIONS, Resource
from loaders.settings import loader_settings
from loaders.swap_keys import RowKey
from loaders.tables import FETCH_LOG
from loaders.work_items import WorkItem
from smart_trader.config.settings import lakehouse_settings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import read_table
from smart_trader.lake.lock import lock_lake
from smart_trader.lake.object_lock import LockLostError
from smart_trader.pipeline.request import RunRequest
from smart_trader.pipeline.run import run_pipeline
from smart_trader.pipeline.sources import SourceSpec
from tests.python.support.api_rows import address, swap
from tests.python.support.api_rows import recordings as recorded
from tests.python.support.loader_lake import Lake

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pages(client: ItemClient, item: WorkItem) -> Iterator[FetchedPage]:
    """No pages, and for one item a defect."""
    if item.item == "defect":
        raise KeyError("never thought of")
    yield from ()


NAMES = replace(TOKENS, pages=pages)


def items(*names: str) -> list[WorkItem]:
    return [WorkItem(name, "given") for name in names]


def test_a_defect_fails_its_item_by_name_and_the_load_goes_on(tmp_path: Path) -> None:
    bronze = Bronze(Lake(tmp_path).paths)
    bronze.prepare()
    settings = loader_settings({"max_parallel_requests": 1})
    client = BirdeyeClient("http://127.0.0.1:9", "k", settings.pacer(), UnitMeter({}), 1, 1)
    works = items("first", "defect", "last")
    report = fetch_and_land(NAMES, works, client, UnitMeter({}), bronze, settings, LoadMetadata(NOW, "sandbox", "run"))
    rows = read_table(bronze.location(FETCH_LOG), ["item", "outcome", "rows", "error"]).to_pylist()
    error = "a defect in the loader: KeyError: 'never thought of'"
    assert {row["item"]: (row["outcome"], row["rows"], row["error"]) for row in rows} == {
        "first": ("complete", 0, None),
        "defect": ("failed", 0, error),
        "last": ("complete", 0, None),
    }
    assert report.defects == ["defect"]
    with pytest.raises(SmartTraderError, match=rf"1 of 3 items of tokens failed:\n  defect: {error}") as failed:
        report.raise_if_failed()
    assert failed.value.exit_code != 0
    assert "report the defects" in str(failed.value)


@pytest.mark.parametrize("end", [KeyboardInterrupt, LockLostError("lock", "lost")])
def test_an_end_from_outside_ends_the_load(
    tmp_path: Path, end: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bronze = Bronze(Lake(tmp_path).paths)
    bronze.prepare()
    settings = loader_settings({"max_parallel_requests": 1})
    client = BirdeyeClient("http://127.0.0.1:9", "k", settings.pacer(), UnitMeter({}), 1, 1)

    def fetch(resource: Resource, item: WorkItem, *args: Any) -> FetchResult:
        if item.item == "stop":
            raise end
        return fetch_item(resource, item, *args)

    monkeypatch.setattr(fetching, "fetch_item", fetch)
    works = items("first", "stop", "never")
    with pytest.raises(type(end) if isinstance(end, Exception) else KeyboardInterrupt):
        fetch_and_land(NAMES, works, client, UnitMeter({}), bronze, settings, LoadMetadata(NOW, "sandbox", "run"))
    landed = read_table(bronze.location(FETCH_LOG), ["item"])["item"].to_pylist()
    # another may write already where the lock is lost; what is fetched is paid for otherwise
    assert landed == ([] if isinstance(end, LockLostError) else ["first"])
    assert ("what is fetched is landed first" in capsys.readouterr().err) == (end is KeyboardInterrupt)


def test_a_whole_run_ends_with_an_error_for_a_defect_in_one_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    queue = pa.table(
        {
            "item": pa.array([], pa.string()),
            "due_at": pa.array([], pa.timestamp("us", "UTC")),
            "queue_rank": pa.array([], pa.int64()),
            **{name: pa.array([], pa.int64()) for name in TRANSACTIONS.queue_columns},
        }
    )
    with lock_lake(lake.paths, "a run before"):
        # a lake whose tables are older than its version would be upgraded first
        pass
    write_deltalake(lake.paths.table("silver", "transaction_fetch_queue"), queue)
    rows = [swap(address(name), 1_750_000_000, name) for name in ("good", "bad")]
    recorded(tmp_path / "rows", *rows)
    keys_of = swaps.row_keys

    def row_keys(table: pa.Table) -> list[RowKey]:
        if address("bad") in table["owner"].to_pylist():
            raise ZeroDivisionError("never thought of")
        return keys_of(table)

    monkeypatch.setattr(swaps, "row_keys", row_keys)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(lake.root))
    request = RunRequest(
        SourceSpec(replay=tmp_path / "rows"),
        NOW,
        "run",
        step="load_transactions",
        wallets=[address("bad"), address("good")],
    )
    with pytest.raises(SmartTraderError, match=f"1 items failed by a defect in the loader: {address('bad')}"):
        run_pipeline(request, loader_settings(), lakehouse_settings(), lambda _: None)
    assert [row["tx_hash"] for row in lake.rows("transaction_history")] == ["good"]
    assert {row["item"]: row["outcome"] for row in lake.rows("fetch_log")} == {
        address("good"): "complete",
        address("bad"): "failed",
    }
    (step,) = lake.rows("pipeline_runs")
    assert "a defect in the loader: ZeroDivisionError" in step["error"]
