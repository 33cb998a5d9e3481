"""Tables that another writer has given features of Delta which a plain reader of their files would read wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import BrokenTableError, first_value, read_table


def protocol_of(*features: str) -> dict[str, Any]:
    return {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}


def give(location: Path, protocol: dict[str, Any], settings: dict[str, str], physical: str | None) -> None:
    """Commit what Spark would where a person turns a feature on; a column keeps its name in the files."""
    metadata = DeltaTable(location).metadata()
    schema = json.loads(DeltaTable(location).schema().to_json())
    if physical:
        schema["fields"][0]["metadata"] = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": physical}
    action = {
        "id": str(metadata.id),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": [],
        "configuration": settings,
    }
    lines = [json.dumps({"protocol": protocol}), json.dumps({"metaData": action})]
    (location / "_delta_log" / f"{1:020}.json").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("protocol", "settings", "physical", "named"),
    [
        pytest.param(
            protocol_of("deletionVectors"),
            {"delta.enableDeletionVectors": "true"},
            None,
            "deletionVectors",
            id="deletion-vectors",
        ),
        pytest.param(
            {"minReaderVersion": 2, "minWriterVersion": 5},
            {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"},
            "col-1",
            "column mapping",
            id="column-mapping-of-an-earlier-protocol",
        ),
        pytest.param(protocol_of("typeWidening"), {}, None, "typeWidening", id="wider-types"),
    ],
)
def test_a_table_that_would_be_read_wrong_is_refused_by_name(
    tmp_path: Path, protocol: dict[str, Any], settings: dict[str, str], physical: str | None, named: str
) -> None:
    location = tmp_path / "leaderboard"
    write_deltalake(location, pa.table({physical or "score": [1.5]}))
    if physical:
        # the files have the physical name, and a reader is to see the other
        log = location / "_delta_log" / f"{0:020}.json"
        lines = log.read_text().splitlines()
        log.write_text("\n".join(line.replace(physical, "score") if "metaData" in line else line for line in lines))
    give(location, protocol, settings, physical)
    for read in (lambda: read_table(str(location)), lambda: first_value(str(location), "score")):
        with pytest.raises(SmartTraderError, match=named) as error:
            read()
        assert "drop feature" in (error.value.fix or "")
        # nothing of it is broken, so repair is not to make it again
        assert not isinstance(error.value, BrokenTableError)
