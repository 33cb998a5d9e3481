"""A lake of a test: run loaders on it and read what counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from loaders.apis import Api, sandbox_api
from loaders.jobs import Job, run_job
from loaders.queues import read_addresses
from loaders.report import Report
from loaders.resources import RESOURCES
from loaders.settings import loader_settings
from smart_trader.config.paths import LakePaths

AS_OF = 1_750_000_000
FAST = {"requests_per_second": 2000}
NO_FILTERS = dict.fromkeys(
    (
        "min_liquidity",
        "max_liquidity",
        "min_volume_1h_usd",
        "min_price_change_2h_percent",
        "min_price_change_24h_percent",
    )
)


@dataclass(frozen=True)
class Lake:
    """A lake in a folder."""

    root: Path

    @property
    def paths(self) -> LakePaths:
        return LakePaths(self.root, str(self.root))

    def load(
        self,
        loader: str,
        api: str | Api,
        given: str | Sequence[str] | None = None,
        as_of: int = AS_OF,
        limit: int | None = None,
        run_id: str = "",
        **vars: Any,
    ) -> Report:
        """Run a loader against a sandbox, as fast as it can."""
        settings = loader_settings({**FAST, **vars})
        as_of_time = datetime.fromtimestamp(as_of, UTC)
        resource = next(resource for resource in RESOURCES if resource.name == loader)
        addresses = read_addresses(given, resource.option) if isinstance(given, str) else given
        job = Job(resource, settings, self.paths, as_of_time, limit, addresses, run_id=run_id)
        return run_job(job, sandbox_api(api) if isinstance(api, str) else api)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows that count: of whole loads, once each."""
        folder = self.root / "bronze"
        loads = [json.loads(line) for path in (folder / "_dlt_loads").glob("*.jsonl") for line in path.open()]
        whole = {load["load_id"] for load in loads if load["status"] == 0}
        rows = DeltaTable(str(folder / table)).to_pyarrow_table().to_pylist()
        return list({row["_dlt_id"]: row for row in rows if row["_dlt_load_id"] in whole}.values())

    def version(self, table: str) -> int:
        """Return the table's newest version."""
        return DeltaTable(str(self.root / "bronze" / table)).version()
