"""`smart-trader retry`: which items it requests, and that the next run builds its work lists again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from loaders.bronze import Bronze
from loaders.tables import FETCH_LOG
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import read_table
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.cli import retry

TOKEN, OTHER_TOKEN, WALLET, OTHER = "T" * 43, "U" * 43, "W" * 43, "V" * 43
AS_OF = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakePaths:
    """A lake with failed fetches, whose builds left a token and a wallet alone."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    monkeypatch.delenv("LAKEHOUSE_URI", raising=False)
    paths = LakePaths(tmp_path, str(tmp_path))
    bronze = Bronze(paths)
    bronze.prepare()
    shared = {"outcome": "failed", "origin": "queue", "data_source": "sandbox", "as_of": AS_OF, "landed_at": AS_OF}
    rows = [
        {"fetch_id": item, "kind": kind, "item": item, **shared}
        for kind, item in (
            ("holders", TOKEN),
            ("swaps", WALLET),
            ("swaps", OTHER),
            ("launches", TOKEN),
            ("prices", OTHER_TOKEN),
        )
    ]
    bronze.land({FETCH_LOG: pa.Table.from_pylist(rows, FETCH_LOG.schema)})
    tokens = pa.table({"token_address": [TOKEN], "is_exhausted": [True]})
    whales = pa.table({"wallet_address": [WALLET, WALLET, OTHER], "is_exhausted": [True, True, False]})
    write_deltalake(paths.table("silver", "tracked_tokens"), tokens)
    write_deltalake(paths.table("silver", "tracked_whales"), whales)
    for queue, item in (("price_fetch_queue", OTHER_TOKEN), ("launch_fetch_queue", TOKEN)):
        write_deltalake(paths.table("silver", queue), pa.table({"item": [item], "is_exhausted": [item == TOKEN]}))
    return paths


def requests(paths: LakePaths) -> set[tuple[str, str, str]]:
    rows = read_table(Bronze(paths).location(FETCH_LOG)).to_pylist()
    return {(row["kind"], row["item"], row["data_source"]) for row in rows if row["outcome"] == "retry"}


@pytest.mark.parametrize(
    ("items", "requested", "reported"),
    [
        pytest.param(
            [],
            [("holders", TOKEN), ("swaps", WALLET), ("launches", TOKEN)],
            "1 launch look-up, 1 token, 1 wallet",
            id="all-that-are-left-alone",
        ),
        pytest.param([WALLET], [("swaps", WALLET)], "1 wallet", id="a-wallet"),
        pytest.param(
            [OTHER_TOKEN, OTHER], [("prices", OTHER_TOKEN), ("swaps", OTHER)], "1 price look-up, 1 wallet", id="pauses"
        ),
    ],
)
def test_a_request_lands_for_each(
    paths: LakePaths, items: list[str], requested: list[tuple[str, str]], reported: str
) -> None:
    done = CliRunner().invoke(retry, items)
    assert (done.exit_code, done.exception) == (0, None)
    assert done.stderr == f"requested again by the next run: {reported}\n"
    assert requests(paths) == {(*item, "sandbox") for item in requested}


def test_an_item_that_was_never_requested_is_refused_by_name(paths: LakePaths) -> None:
    with pytest.raises(SmartTraderError, match=f"never requested in this lake: {'X' * 43}"):
        CliRunner().invoke(retry, [WALLET, "X" * 43], catch_exceptions=False)
    assert requests(paths) == set()


def test_every_build_sees_a_request(paths: LakePaths) -> None:
    state = BuildState(Lake(paths))
    before = [seen["fetches"] for seen in state.now().values()]
    CliRunner().invoke(retry, [WALLET])
    assert [seen["fetches"] for seen in state.now().values()] == [count + 1 for count in before]
