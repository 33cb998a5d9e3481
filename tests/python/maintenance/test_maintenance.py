"""Maintenance makes no lake bigger than it was, frees what it says, and works where there is no room left."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake

from loaders.settings import loader_settings
from smart_trader.lake.checksums import CHECKSUMS_NAME
from smart_trader.lake.file_lock import FileLock
from smart_trader.maintenance.cli import maintain
from smart_trader.maintenance.maintain import SMALL_FILES, count_small_files
from tests.python.support.engine import PROJECT, small_disk

from .conftest import LoadedLake

LEADERBOARD = "gold.leaderboard"


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))


def write(loaded: LoadedLake, name: str, mode: str, times: int = 1) -> None:
    for number in range(times):
        rows = pa.table({"wallet_address": ["a", "b"], "value": [number, 2.5]})
        write_deltalake(str(loaded.table(name)), rows, mode=mode)  # type: ignore[arg-type]


def fill(path: Path) -> None:
    """Write a file that takes a disk's last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def test_a_young_lake_is_left_as_it_is_without_a_server(loaded: LoadedLake) -> None:
    before, size = loaded.tables(), size_of(loaded.root)
    done = loaded.smart_trader("maintain")
    assert done.returncode == 0, done.stderr
    assert "tables: old files removed from 0, 0 compacted; before: " in done.stderr
    assert "(+0.0 MB)" in done.stderr
    # all but the note of checksums, which the first command that may write makes
    (loaded.root / CHECKSUMS_NAME).unlink()
    assert size_of(loaded.root) == size
    assert loaded.tables() == before
    assert not loaded.paths.log.exists()


@pytest.mark.parametrize(
    ("percents", "code", "words"),
    [
        pytest.param((100, 100), 0, "None", id="fine"),
        pytest.param((0, 100), 0, "warning: the disk of ", id="filling-up"),
        pytest.param((0, 0), 1, "% full, loads start below 0 %", id="full"),
    ],
)
def test_the_disk_alone_is_reported_in_figures(
    made_lake: Callable[[str], LoadedLake],
    monkeypatch: pytest.MonkeyPatch,
    percents: tuple[int, int],
    code: int,
    words: str,
) -> None:
    root = made_lake("lake").root
    (root / "bronze").mkdir(parents=True)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(root))
    limits = dict(zip(("disk_warn_percent", "disk_refuse_percent"), percents, strict=True))
    limited = loader_settings().model_copy(update=limits)
    monkeypatch.setattr("loaders.settings.loader_settings", lambda: limited)
    done = CliRunner().invoke(maintain, ["--only", "disk"])
    line, *rest = done.stderr.splitlines()
    usage = shutil.disk_usage(root)
    assert line.startswith(f"disk of {root}: ")
    assert (
        f" of {usage.total / (1 << 30):,.1f} GB free; runs warn at {percents[0]} % and stop at {percents[1]} %" in line
    )
    assert done.exit_code == code
    assert words in "\n".join([*rest, str(done.exception)])


def test_a_bronze_table_of_many_small_files_becomes_one_of_few(loaded: LoadedLake) -> None:
    name = "bronze.pipeline_runs"
    shutil.rmtree(loaded.table(name))
    write(loaded, name, "append", SMALL_FILES)
    before = loaded.rows(name)
    done = loaded.smart_trader("maintain", "--only", "optimize")
    assert done.returncode == 0, done.stderr
    assert f"{name}: {SMALL_FILES} files made 1" in done.stderr
    assert "1 compacted" in done.stderr
    assert loaded.rows(name) == before
    assert count_small_files(DeltaTable(str(loaded.table(name)))) == 1


def test_vacuum_removes_what_is_old_and_nothing_else(loaded: LoadedLake) -> None:
    write(loaded, LEADERBOARD, "overwrite", 3)
    stray = loaded.table(LEADERBOARD) / ".part-gone.parquet.crc"
    stray.write_bytes(b"crc")
    kept = loaded.table(LEADERBOARD) / f".{loaded.files(LEADERBOARD)[0].name}.crc"
    kept.write_bytes(b"crc")
    before = loaded.tables()
    young = loaded.smart_trader("maintain", "--only", "vacuum")
    assert "old files removed from 0" in young.stderr
    assert stray.exists()
    done = loaded.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "0")
    assert done.returncode == 0, done.stderr
    assert f"{LEADERBOARD}: 3 old files removed" in done.stderr
    assert loaded.tables() == before
    assert {path.name for path in loaded.table(LEADERBOARD).glob("*.parquet")} == {
        path.name for path in loaded.files(LEADERBOARD)
    }
    assert not stray.exists()
    assert kept.exists()


def test_young_files_are_not_removed_under_a_server(loaded: LoadedLake) -> None:
    write(loaded, LEADERBOARD, "overwrite")
    size = size_of(loaded.root)
    with FileLock(loaded.paths.server_lock, "server"):
        done = loaded.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "167")
        assert done.returncode == 1
        assert "a server runs on the lake" in done.stderr
        assert "smart-trader lakehouse stop" in done.stderr
        assert loaded.smart_trader("maintain", "--only", "vacuum", "--retain-hours", "168").returncode == 0
    assert size_of(loaded.root) == size


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
