"""Bronze rows for tests, landed through dlt the way the loaders land them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dlt
import pyarrow as pa

from loaders.tables import TABLES, Table

Row = Mapping[str, Any]
DLT_SETTINGS = {
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}
CONTRACT = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}
BY_NAME = {table.name: table for table in TABLES}


class Bronze:
    """The bronze tables of one lake; each `land` is one load."""

    def __init__(self, lake: Path, pipelines: Path, schema: str = "bronze") -> None:
        self._loads = lake / schema / "_dlt_loads"
        self._pipeline = dlt.pipeline(
            "bronze",
            pipelines_dir=str(pipelines),
            destination=dlt.destinations.filesystem(bucket_url=str(lake)),
            dataset_name=schema,
        )

    def init(self) -> Bronze:
        """Make the empty tables."""
        self._run((table, [dlt.mark.materialize_table_schema()]) for table in TABLES)
        return self

    def land(self, **rows: Iterable[Row]) -> str:
        """Land rows by table name; what a row does not set is null. Returns the load's id."""
        return self._run((BY_NAME[name], _arrow(BY_NAME[name], list(some))) for name, some in rows.items())

    def forget(self, load_id: str) -> None:
        """Make a load one that never reached its end, as a kill would."""
        (listed,) = self._loads.glob(f"*{load_id}*")
        listed.unlink()

    def _run(self, data: Iterable[tuple[Table, Any]]) -> str:
        # for these rows alone: the loaders add the same columns themselves
        with patch.dict("os.environ", DLT_SETTINGS):
            info = self._pipeline.run(
                [
                    dlt.resource(
                        rows,
                        name=table.name,
                        write_disposition="append",
                        table_format="delta",
                        columns=table.hints,
                        schema_contract=CONTRACT,
                    )
                    for table, rows in data
                ]
            )
        return str(info.loads_ids[0])


def _arrow(table: Table, rows: list[Row]) -> pa.Table:
    """Give the rows the table's columns; a misspelt one would land as a new column."""
    unknown = {name for row in rows for name in row} - {column.name for column in table.columns}
    assert not unknown, f"{table.name} has no {unknown}"
    return pa.Table.from_pylist([dict(row) for row in rows], table.schema)


def fetch(kind: str, item: str, at: datetime, outcome: str = "complete", **more: Any) -> dict[str, Any]:
    """Return a fetch_log row."""
    return {
        "fetch_id": f"{kind}:{item}:{at.isoformat()}:{outcome}",
        "kind": kind,
        "item": item,
        "outcome": outcome,
        "origin": "filter" if kind == "tokens" else "queue",
        "data_source": "sandbox",
        "run_id": "test",
        "as_of": at,
        "landed_at": at,
        "pages": 1,
        "rows": 1,
        **more,
    }


def token(address: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Return a token_metrics row that passes the filter as shipped."""
    return {
        "fetch_id": f"tokens:token_list:{at.isoformat()}:complete",
        "data_source": "sandbox",
        "observed_at": at,
        "landed_at": at,
        "address": address,
        "symbol": address[:4],
        "decimals": 6,
        "price": "0.5",
        "liquidity": "2000000",
        "volume_1h_usd": "200000",
        "price_change_2h_percent": "1",
        "price_change_24h_percent": "50",
        **more,
    }


def holder(token_address: str, owner: str, units: float, at: datetime, **more: Any) -> dict[str, Any]:
    """Return a whale_holders row."""
    return {
        "fetch_id": f"holders:{token_address}:{at.isoformat()}:complete",
        "data_source": "sandbox",
        "token_address": token_address,
        "observed_at": at,
        "landed_at": at,
        "owner": owner,
        "token_account": f"account of {owner}",
        "amount": str(int(units * 10**6)),
        "ui_amount": str(units),
        "decimals": 6,
        **more,
    }


def swap(wallet: str, mint: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Return a transaction_history row: a buy of 100 units for 50 USDC."""
    usdc = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    return {
        "fetch_id": f"swaps:{wallet}:{at.isoformat()}:complete",
        "data_source": "sandbox",
        "wallet_address": wallet,
        "fetched_at": at,
        "landed_at": at,
        "occurrence": 1,
        "block_unix_time": int(at.timestamp()) - 3600,
        "block_number": 1000,
        "ins_index": 0,
        "tx_hash": f"transaction of {wallet}",
        "owner": wallet,
        "address": "some pool",
        "tx_type": "swap",
        "base__address": mint,
        "base__type_swap": "to",
        "base__decimals": 6,
        "base__amount": "100000000",
        "base__ui_amount": "100",
        "base__ui_change_amount": "100",
        "base__change_amount": "100000000",
        "base__price": "0.5",
        "base__nearest_price": "0.5",
        "quote__address": usdc,
        "quote__type_swap": "from",
        "quote__decimals": 6,
        "quote__amount": "50000000",
        "quote__ui_amount": "50",
        "quote__ui_change_amount": "-50",
        "quote__change_amount": "-50000000",
        "quote__price": "1",
        "quote__nearest_price": "1",
        **more,
    }
