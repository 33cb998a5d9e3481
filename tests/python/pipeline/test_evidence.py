"""What the lake's own tables make due, read without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.paths import LakePaths
from smart_trader.pipeline.evidence import Evidence
from smart_trader.pipeline.reading import Lake

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
        write_deltalake(lake.location("silver", "wallet_calculations"), pa.Table.from_pylist(rows, schema))
    assert Evidence(lake).has_outdated_calculations(AS_OF, "new") is is_due


@pytest.mark.parametrize("text", ["", "{", "[]", '{"silver.stamps": 3}', '{"silver.stamps": {"a": {"own": "x"}}}'])
def test_marks_that_cannot_be_read_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    lake = Lake(LakePaths(tmp_path, str(tmp_path)))
    lake.paths.built_file.write_text(text)
    assert Evidence(lake).stamps() == {}
    assert Evidence(lake).project() is None
