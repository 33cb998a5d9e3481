"""Maintenance makes no lake bigger than it was, frees what it says, and works where there is no room left."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from care.conftest import LoadedLake
from deltalake import DeltaTable, write_deltalake
from engine import PROJECT, small_disk

from smart_trader.locks import FileLock
from smart_trader.pipeline.upkeep import SMALL_FILES, count_small_files

LEADERBOARD = "gold.leaderboard"


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))


def write(lake: LoadedLake, name: str, mode: str, times: int = 1) -> None:
    for number in range(times):
        rows = pa.table({"wallet_address": ["a", "b"], "value": [number, 2.5]})
        write_deltalake(str(lake.table(name)), rows, mode=mode)  # type: ignore[arg-type]


def fill(path: Path) -> None:
    """Write a file that takes a disk's last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def test_a_young_lake_is_left_as_it_is_without_a_server(lake: LoadedLake) -> None:
    before, size = lake.tables(), size_of(lake.root)
    done = lake.smart_trader("maintain")
    assert done.returncode == 0, done.stderr
    assert "tables: old files removed from 0, 0 compacted; before: " in done.stderr
    assert "(-0.0 MB)" in done.stderr
    assert size_of(lake.root) == size
    assert lake.tables() == before
    assert not lake.paths.log.exists()


def test_a_bronze_table_of_many_small_files_becomes_one_of_few(lake: LoadedLake) -> None:
    name = "bronze.pipeline_runs"
    shutil.rmtree(lake.table(name))
    write(lake, name, "append", SMALL_FILES)
    before = lake.rows(name)
    done = lake.smart_trader("maintain", "--only", "optimize")
    assert done.returncode == 0, done.stderr
    assert f"{name}: {SMALL_FILES} files made 1" in done.stderr
    assert "1 compacted" in done.stderr
    assert lake.rows(name) == before
    assert count_small_files(DeltaTable(str(lake.table(name)))) == 1


def test_vacuum_removes_what_is_old_and_nothing_else(lake: LoadedLake) -> None:
    write(lake, LEADERBOARD, "overwrite", 3)
    stray = lake.table(LEADERBOARD) / ".part-gone.parquet.crc"
    stray.write_bytes(b"crc")
    kept = lake.table(LEADERBOARD) / f".{lake.files(LEADERBOARD)[0].name}.crc"
    kept.write_bytes(b"crc")
    before = lake.tables()
    young = lake.smart_trader("maintain", "--only", "vacuum")
    assert "old files removed from 0" in young.stderr
    assert stray.exists()
    done = lake.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "0")
    assert done.returncode == 0, done.stderr
    assert f"{LEADERBOARD}: 3 old files removed" in done.stderr
    assert lake.tables() == before
    assert {path.name for path in lake.table(LEADERBOARD).glob("*.parquet")} == {
        path.name for path in lake.files(LEADERBOARD)
    }
    assert not stray.exists()
    assert kept.exists()


def test_young_files_are_not_removed_under_a_server(lake: LoadedLake) -> None:
    write(lake, LEADERBOARD, "overwrite")
    size = size_of(lake.root)
    with FileLock(lake.paths.server_lock, "server"):
        done = lake.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "167")
        assert done.returncode == 1
        assert "a server runs on the lake" in done.stderr
        assert "smart-trader lakehouse stop" in done.stderr
        assert lake.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "168").returncode == 0
    assert size_of(lake.root) == size


def test_the_cure_named_for_a_full_disk_frees_it(
    filled: LoadedLake, made_lake: Callable[[str], LoadedLake], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "12m") as disk:
        lake = made_lake("disk/lake")
        shutil.copytree(filled.root, lake.root)
        rows = pa.table({"wallet_address": [os.urandom(4).hex() for _ in range(200_000)]})
        for _ in range(2):
            write_deltalake(str(lake.table(LEADERBOARD)), rows, mode="overwrite", schema_mode="overwrite")
        before = lake.tables()
        (lake.root / "logs").mkdir(exist_ok=True)
        (lake.root / "logs" / "old.log").write_bytes(b"x" * 50_000)
        fill(disk / "rest")
        assert shutil.disk_usage(disk).free == 0
        looked = lake.smart_trader("maintain", "--only", "disk")
        assert looked.returncode == 1
        assert "smart-trader maintain --only vacuum" in looked.stderr
        assert f"{lake.root}/logs (0.0 MB)" in looked.stderr
        done = lake.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "0")
        assert done.returncode == 0, done.stderr
        assert shutil.disk_usage(disk).free > 1 << 20
        assert lake.tables() == before


def test_the_dag_frees_space_before_it_looks_at_the_disk() -> None:
    dag = (PROJECT / "dags" / "lake_maintenance.py").read_text()
    places = [dag.index(f'"{task}"') for task in ("vacuum", "optimize", "check_disk")]
    assert places == sorted(places)
