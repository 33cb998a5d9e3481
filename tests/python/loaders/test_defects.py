"""A defect in a loader ends the run by the item's name, and nothing that was fetched is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lake import Lake

from loaders.bronze import Bronze
from loaders.client import BirdeyeClient, UnitMeter
from loaders.fetches import Fetch
from loaders.run import Stamp, Work, fetch_and_land
from loaders.settings import loader_settings
from loaders.tables import FETCH_LOG, TOKEN_METRICS
from smart_trader.delta import read_table
from smart_trader.errors import SmartTraderError

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def work(name: str) -> Work:
    """A walk that ends well, or in a defect."""

    def walk(client: BirdeyeClient, fetch: Fetch) -> None:
        if name == "defect":
            raise KeyError("never thought of")

    return Fetch("tokens", name, "given", TOKEN_METRICS), walk


def test_a_defect_is_named_with_its_item_and_what_was_fetched_lands(tmp_path: Path) -> None:
    bronze = Bronze(Lake(tmp_path).paths)
    bronze.prepare()
    settings = loader_settings({"max_parallel_requests": 1})
    client = BirdeyeClient("http://127.0.0.1:9", "k", settings.pacer(), UnitMeter({}), 1, 1)
    works = [lambda name=name: work(name) for name in ("first", "second", "defect", "never")]
    with pytest.raises(SmartTraderError, match=r"tokens defect: a defect in the loader: KeyError: 'never thought of'"):
        fetch_and_land("tokens", works, client, UnitMeter({}), bronze, settings, Stamp(NOW, "sandbox", "run"))
    assert read_table(bronze.location(FETCH_LOG), ["item"])["item"].to_pylist() == ["first", "second"]
