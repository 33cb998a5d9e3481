"""What the lake's own tables make due, read without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from loaders.bronze import Bronze
from loaders.tables import FETCH_LOG, TOKEN_METRICS
from smart_trader.config.paths import LakePaths
from smart_trader.lake.loads import LOADS
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.build_state import BuildState
from smart_trader.pipeline.steps import LOADED, STEPS

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
EARLIER = AS_OF - timedelta(hours=1)


@pytest.mark.parametrize(
    ("rows", "is_due"),
    [
        pytest.param([{"calculation_date": EARLIER, "code_version": "new"}], False, id="this-code"),
        pytest.param([{"calculation_date": EARLIER, "code_version": "old"}], True, id="another-code"),
        pytest.param([{"calculation_date": EARLIER, "code_version": None}], True, id="no-version"),
        pytest.param([{"calculation_date": EARLIER}], True, id="a-lake-of-before-there-were-versions"),
        pytest.param([{"calculation_date": AS_OF, "code_version": "old"}], False, id="calculated-at-this-very-time"),
        pytest.param(
            [{"calculation_date": AS_OF, "code_version": "new"}, {"calculation_date": EARLIER, "code_version": "old"}],
            True,
            id="one-of-two",
        ),
        pytest.param([], False, id="no-table"),
    ],
)
def test_another_code_makes_calculations_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], is_due: bool
) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = Lake(LakePaths(tmp_path, str(tmp_path)))
    if rows:
        columns = [pa.field("calculation_date", pa.timestamp("us", "UTC")), pa.field("code_version", pa.string())]
        schema = pa.schema([column for column in columns if column.name in rows[0]])
        write_deltalake(lake.location("silver", "pnl_due_wallets"), pa.Table.from_pylist(rows, schema))
    assert BuildState(lake).has_outdated_calculations(AS_OF, "new") is is_due


@pytest.mark.parametrize("text", ["", "{", "[]", '{"silver.stamps": 3}', '{"silver.stamps": {"a": {"own": "x"}}}'])
def test_marks_that_cannot_be_read_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = Lake(LakePaths(tmp_path, str(tmp_path)))
    lake.paths.built_file.write_text(text)
    assert BuildState(lake).stamps() == {}
    assert BuildState(lake).project() is None


TOKENS = next(step for step in STEPS if step.name == "build_tokens")


def land(lake: Lake, at: datetime, tokens: list[str], outcome: str = "complete", kind: str = "tokens") -> None:
    """Land a token list, or a fetch of another kind."""
    fetch = {"fetch_id": f"{kind} {at}", "kind": kind, "item": "x", "outcome": outcome, "data_source": "sandbox"}
    rows = [{"fetch_id": fetch["fetch_id"], "data_source": "sandbox", "address": token} for token in tokens]
    Bronze(lake.paths).land(
        {
            FETCH_LOG: pa.Table.from_pylist([fetch | {"as_of": at, "landed_at": at}], FETCH_LOG.schema),
            **({TOKEN_METRICS: pa.Table.from_pylist(rows, TOKEN_METRICS.schema)} if rows else {}),
        }
    )


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake that was built after a list of two tokens, one of them a quote asset."""
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = Lake(LakePaths(tmp_path, str(tmp_path)))
    Bronze(lake.paths).prepare()
    land(lake, EARLIER, ["tracked", "money"])
    tables = {
        "tracked_tokens": [{"token_address": "tracked", "is_active": True}],
        "quote_assets": [{"mint": "money"}],
        "untracked_tokens": [{"token_address": "unwanted"}],
        "whale_fetch_queue": [{"item": "tracked", "due_at": AS_OF + timedelta(hours=1)}],
    }
    for name, rows in tables.items():
        write_deltalake(lake.location("silver", name), pa.Table.from_pylist(rows))
    return lake


@pytest.mark.parametrize(
    ("tokens", "outcome", "at", "is_left"),
    [
        pytest.param(["tracked"], "complete", AS_OF, True, id="the-same-tokens"),
        pytest.param(["tracked", "money", "unwanted"], "complete", AS_OF, True, id="and-what-is-never-tracked"),
        pytest.param(["tracked", "new"], "complete", AS_OF, False, id="a-new-token"),
        pytest.param([], "complete", AS_OF, False, id="a-token-less"),
        pytest.param(["tracked"], "partial", AS_OF, False, id="a-list-cut-short"),
        pytest.param(["tracked"], "complete", AS_OF + timedelta(hours=1), False, id="holders-are-due"),
    ],
)
def test_a_token_list_that_brings_no_work_is_built_with_the_next(
    listed: Lake, tokens: list[str], outcome: str, at: datetime, is_left: bool
) -> None:
    land(listed, at, tokens, outcome)
    assert BuildState(listed).brings_no_work(TOKENS, at) is is_left


def test_what_landed_is_pending_until_it_is_built(listed: Lake) -> None:
    state = BuildState(listed)
    assert state.note_landed() == list(LOADED)
    state.mark_pending({"tokens": {"model.a"}})
    assert state.note_landed() == []
    assert state.pending() == {"tokens": {"model.a"}}
    # what was built of the load before is to be built again
    land(listed, AS_OF, ["tracked"])
    assert state.note_landed() == ["tokens"]
    assert state.pending() == {"tokens": set()}
    # a request to retry changes every work list
    land(listed, AS_OF + timedelta(hours=1), [], "retry", "swaps")
    assert state.note_landed() == list(LOADED)


def test_a_load_counts_once_it_is_listed(listed: Lake) -> None:
    state = BuildState(listed)
    state.note_landed()
    before, version = state.now(), state.log_version()
    folder = Path(listed.location("bronze", LOADS))
    known = set(folder.iterdir())
    land(listed, AS_OF, [], kind="holders")
    (file,) = set(folder.iterdir()) - known
    file.rename(folder.parent / file.name)
    assert state.now() == before
    # what is due now is what the build that comes next cannot see
    assert state.note_landed() == []
    unlisted = state.log_version()
    (folder.parent / file.name).rename(file)
    assert state.note_landed() == ["holders"]
    assert len({version, unlisted, state.log_version()}) == 3
