"""benchmarks/equality.py: two lakes are equal only where every row of every table is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.python.support.engine import PROJECT

SCRIPT = PROJECT / "benchmarks" / "equality.py"
WALLETS = {"wallet_address": ["w1", "w2", "w2"], "score": [1.5, None, None], "batch_id": ["run-1"] * 3}
FLAGS = {"flag": ["kol"], "processed_at": [1]}


def written(lake: Path, tables: dict[str, dict[str, list[object]]]) -> Path:
    for name, columns in tables.items():
        write_deltalake(str(lake / name), pa.table(columns))
    return lake


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param({}, "4 rows in 2 tables, equal", id="equal"),
        pytest.param(
            {"silver/wallets": WALLETS | {"batch_id": ["run-2"] * 3}}, "4 rows in 2 tables, equal", id="another-run"
        ),
        pytest.param(
            {"silver/wallets": WALLETS | {"score": [1.5000000000000002, None, None]}},
            "silver/wallets: 1 of 3 rows in the first alone, 1 of 3 in the other",
            id="last-digit",
        ),
        pytest.param(
            {"silver/wallets": {name: values[:2] for name, values in WALLETS.items()}},
            "silver/wallets: 1 of 3 rows in the first alone, 0 of 2 in the other",
            id="a-row-twice",
        ),
        pytest.param(
            {"silver/wallets": WALLETS | {"score": ["1.5", None, None]}},
            "silver/wallets: columns: score",
            id="another-type",
        ),
        pytest.param({"gold/more": FLAGS}, "gold/more: only in ", id="a-table-more"),
    ],
)
def test_what_differs_is_named(other: dict[str, dict[str, list[object]]], said: str, tmp_path: Path) -> None:
    tables = {"silver/wallets": WALLETS, "gold/flags": FLAGS}
    lakes = [written(tmp_path / "one", tables), written(tmp_path / "other", tables | other)]
    done = subprocess.run([sys.executable, SCRIPT, *lakes], capture_output=True, text=True, check=False)
    assert said in done.stdout
    assert done.returncode == (0 if said.endswith("equal") else 1), done.stderr


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{tmp_path} holds no table" in done.stderr
