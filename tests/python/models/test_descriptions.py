"""Every stored column says what it holds, and every table that others read by name keeps a contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from deltalake import DeltaTable

from tests.python.support.engine import PROJECT
from tests.python.support.market_lake import MarketLake

KINDS = ("models", "seeds", "snapshots")
# What the seed's 22 fields and gold's readers, and the loaders, name in their own code.
CONTRACTED = {
    "forward_returns",
    "launch_fetch_queue",
    "leaderboard",
    "list_quality",
    "pipeline_runs",
    "price_fetch_queue",
    "score_calibration",
    "skill_scores",
    "smart_traders",
    "standing_history",
    "tokens",
    "trader_evaluations",
    "transaction_fetch_queue",
    "wallet_flags",
    "wallet_pnl",
    "wallet_standings",
    "whale_fetch_queue",
}


def described() -> Iterator[dict[str, Any]]:
    """Yield what the project's yml files say of each model, seed and snapshot."""
    for folder in KINDS:
        for path in sorted((PROJECT / folder).rglob("*.yml")):
            for kind in KINDS:
                yield from (yaml.safe_load(path.read_text()) or {}).get(kind, [])


NODES = {str(node["name"]): node for node in described()}


@pytest.mark.parametrize("name", sorted(NODES))
def test_a_table_and_each_of_its_columns_has_a_description(name: str) -> None:
    columns = NODES[name].get("columns", [])
    assert NODES[name]["description"].strip()
    assert columns
    assert [column["name"] for column in columns if not (column.get("description") or "").strip()] == []


def test_no_stored_column_is_left_out(calm: MarketLake) -> None:
    root = calm.engine.paths.local_root
    undescribed, unknown = [], []
    for layer in ("silver", "gold", "snapshots"):
        for table in sorted((root / f"{calm.prefix}{layer}").iterdir()):
            if not (table / "_delta_log").is_dir():
                continue
            named = {column["name"] for column in NODES[table.name]["columns"]}
            stored = {field.name for field in DeltaTable(str(table)).schema().fields}
            undescribed += [f"{table.name}.{column}" for column in sorted(stored - named)]
            unknown += [f"{table.name}.{column}" for column in sorted(named - stored)]
    assert (undescribed, unknown) == ([], [])


def test_what_others_read_by_name_is_under_contract() -> None:
    enforced = {
        name for name, node in NODES.items() if node.get("config", {}).get("contract", {}).get("enforced") is True
    }
    assert enforced == CONTRACTED
    assert [
        f"{name}.{column['name']}"
        for name in enforced
        for column in NODES[name]["columns"]
        if "data_type" not in column
    ] == []
