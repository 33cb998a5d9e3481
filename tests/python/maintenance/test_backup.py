"""A backup brings a deleted lake back, whole; what cannot be trusted is refused by name and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from loaders.bronze import Bronze
from loaders.tables import PIPELINE_RUNS
from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import FileLock
from smart_trader.lake.identity import LAKE_VERSION, claim_source, read_identity
from smart_trader.lake.lock import lock_lake
from smart_trader.maintenance import backup
from smart_trader.maintenance.backup import MANIFEST, back_up, read_manifest
from smart_trader.maintenance.restore import restore
from tests.python.support.engine import small_disk

from .conftest import LoadedLake


def quiet(line: str) -> None:
    """Take a progress line."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def backed_up(filled: LoadedLake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the filled lake; never written to by a test."""
    target = tmp_path_factory.mktemp("backups") / "of today"
    back_up(filled.paths, target, quiet)
    return target


@pytest.mark.slow
def test_a_deleted_lake_comes_back_elsewhere_and_loads_go_on(
    loaded: LoadedLake, made_lake: Callable[[str], LoadedLake], tmp_path: Path
) -> None:
    private = [
        "spark.properties",
        "server.json",
        "server.log",
        "metastore/db.lck",
        "logs/dbt.log",
        "dbt-target/run.json",
    ]
    for name in private:
        (loaded.root / name).parent.mkdir(exist_ok=True)
        (loaded.root / name).write_text("recognisable token")
    before, identity = loaded.tables(), read_identity(loaded.paths)
    done = loaded.smart_trader("backup", str(tmp_path / "backup"))
    assert done.returncode == 0, done.stderr
    assert f"backed up {len(before)} tables" in done.stderr
    assert not [name for name, held in contents(tmp_path / "backup").items() if b"recognisable token" in held]
    shutil.rmtree(loaded.root)

    restored = made_lake("another place")
    done = restored.smart_trader("restore", str(tmp_path / "backup"))
    assert done.returncode == 0, done.stderr
    assert restored.tables() == before
    assert read_identity(restored.paths) == identity
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "backup").rglob("*")} == {0}
    again = restored.load("tokens")
    assert again.returncode == 0, again.stderr
    assert len(restored.rows("bronze.token_metrics")) > len(before["bronze.token_metrics"])


def test_rows_that_wait_to_be_landed_are_part_of_a_backup(
    loaded: LoadedLake, made_lake: Callable[[str], LoadedLake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    before = len(loaded.rows("bronze.pipeline_runs"))
    waiting = pa.Table.from_pylist([{"run_id": "waits", "step": "load_tokens"}], PIPELINE_RUNS.schema)
    with monkeypatch.context() as patched:
        patched.setattr("dlt.common.libs.deltalake.write_delta_table", fill_the_disk)
        with pytest.raises(SmartTraderError, match="No space left on device"):
            Bronze(loaded.paths).land({PIPELINE_RUNS: waiting})
    assert list(loaded.paths.dlt_home.rglob("*.reference"))
    back_up(loaded.paths, tmp_path / "backup", quiet)
    shutil.rmtree(loaded.root)
    restored = made_lake("restored")
    restore(restored.paths, tmp_path / "backup", quiet)
    done = restored.load("init")
    assert done.returncode == 0, done.stderr
    assert "what an earlier run left half-way is landed" in done.stderr
    assert len(restored.rows("bronze.pipeline_runs")) == before + 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("lake/backup", "lies in the lake", id="in-the-lake"),
        pytest.param(".", "or the lake in it", id="around-the-lake"),
        pytest.param("taken", "is not empty", id="not-empty"),
        pytest.param("file", "is a file", id="a-file"),
    ],
)
def test_a_target_that_cannot_hold_a_backup_is_refused(
    loaded: LoadedLake, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "kept.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(SmartTraderError, match=message):
        back_up(loaded.paths, tmp_path / name, quiet)
    assert contents(tmp_path) == before


def test_a_disk_without_room_is_refused_before_a_byte_is_copied(loaded: LoadedLake, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "200k") as disk:
        with pytest.raises(SmartTraderError, match=r"has 0\.2 MB free, this takes"):
            back_up(loaded.paths, disk / "backup", quiet)
        assert not (disk / "backup").exists()


def test_a_backup_that_fails_half_way_leaves_nothing(
    loaded: LoadedLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_meanwhile(source: Path, target: Path) -> tuple[int, str]:
        if source.name == "market.json" or source.parent.name == "leaderboard":
            rows = pa.table({"wallet_address": ["c"], "value": [1.0]})
            write_deltalake(str(loaded.table("gold.leaderboard")), rows, mode="append")
        return copy_file(source, target)

    copy_file = backup.copy_file
    monkeypatch.setattr(backup, "copy_file", write_meanwhile)
    with pytest.raises(SmartTraderError, match=r"written while they were copied: gold\.leaderboard"):
        back_up(loaded.paths, tmp_path / "backup", quiet)
    assert not (tmp_path / "backup").exists()


def test_a_lake_in_use_or_broken_is_not_backed_up(loaded: LoadedLake, tmp_path: Path) -> None:
    with lock_lake(loaded.paths, "run of somebody"):
        done = loaded.smart_trader("backup", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert "is in use by 'run of somebody'" in done.stderr
    loaded.files("bronze.transaction_history")[0].unlink()
    done = loaded.smart_trader("backup", str(tmp_path / "backup"))
    assert done.returncode == 1
    assert "the lake lacks a file of bronze.transaction_history" in done.stderr
    assert not (tmp_path / "backup").exists()


def test_a_lake_on_a_store_is_refused_with_the_way_to_do_it(loaded: LoadedLake, tmp_path: Path) -> None:
    paths = LakePaths(loaded.root, "s3://bucket/lake")
    with pytest.raises(SmartTraderError, match=r"copy local lakes only\n.*aws s3 sync"):
        back_up(paths, tmp_path / "backup", quiet)
    with pytest.raises(SmartTraderError, match="copy local lakes only"):
        restore(paths, tmp_path / "backup", quiet)


def cut_a_file(folder: Path) -> None:
    path = next((folder / "lake" / "bronze" / "transaction_history").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(folder: Path) -> None:
    path = next((folder / "lake" / "silver" / "pnl_history").glob("*.parquet"))
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def lose_a_file(folder: Path) -> None:
    next((folder / "lake" / "bronze" / "_dlt_loads").glob("*.jsonl")).unlink()


def lose_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def point_outside(folder: Path) -> None:
    change(folder, files=[{"path": "lake/../../stolen", "bytes": 1, "sha256": "0"}])


def come_from_the_future(folder: Path) -> None:
    change(folder, lake_version=LAKE_VERSION + 1, written_by="9.9.9")


def change(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | values))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(cut_a_file, "transaction_history/.*damaged or changed", id="a-file-cut"),
        pytest.param(flip_a_bit, "pnl_history/.*damaged or changed", id="a-bit-flipped"),
        pytest.param(lose_a_file, "_dlt_loads/.*cannot be read: No such file", id="a-file-gone"),
        pytest.param(lose_the_manifest, "is no backup, or one that was cut short", id="cut-short"),
        pytest.param(point_outside, "names lake/../../stolen, which no backup holds", id="a-path-outside"),
        pytest.param(come_from_the_future, "made by smart-trader 9.9.9; this project", id="of-a-newer-project"),
    ],
)
def test_a_backup_that_is_not_whole_restores_nothing(
    backed_up: Path, made_lake: Callable[[str], LoadedLake], tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    shutil.copytree(backed_up, tmp_path / "harmed")
    harm(tmp_path / "harmed")
    with pytest.raises(SmartTraderError, match=message):
        restore(made_lake("restored").paths, tmp_path / "harmed", quiet)
    assert not (tmp_path / "restored").exists()


def test_nothing_is_restored_over_a_lake(loaded: LoadedLake, backed_up: Path) -> None:
    before = loaded.tables()
    done = loaded.smart_trader("restore", str(backed_up))
    assert done.returncode == 1
    assert "is not empty: it holds bronze" in done.stderr
    assert loaded.tables() == before


def test_a_lake_of_another_source_is_refused_by_name(backed_up: Path, made_lake: Callable[[str], LoadedLake]) -> None:
    lake = made_lake("real")
    with lock_lake(lake.paths, "a run"):
        claim_source(lake.paths, "birdeye")
    with pytest.raises(SmartTraderError, match="is for birdeye data, the backup holds sandbox data"):
        restore(lake.paths, backed_up, quiet)


def test_a_lake_whose_server_runs_is_not_restored_to(backed_up: Path, made_lake: Callable[[str], LoadedLake]) -> None:
    lake = made_lake("served")
    with (
        FileLock(lake.paths.server_lock, "server"),
        pytest.raises(SmartTraderError, match=r"(?s)a server runs.*lakehouse stop"),
    ):
        restore(lake.paths, backed_up, quiet)


def test_a_restore_that_was_cut_short_is_finished_by_the_same_one_alone(
    filled: LoadedLake,
    backed_up: Path,
    made_lake: Callable[[str], LoadedLake],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = made_lake("half")

    def die(*_: object) -> tuple[int, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("smart_trader.maintenance.restore.copy_file", die)
        with pytest.raises(KeyboardInterrupt):
            restore(lake.paths, backed_up, quiet)
    done = lake.load("tokens")
    assert done.returncode == 1
    assert "is only half restored" in done.stderr
    shutil.copytree(backed_up, tmp_path / "another")
    change(tmp_path / "another", made_at="2026-01-01T00:00:00Z")
    with pytest.raises(SmartTraderError, match=r"is not empty: it holds _restoring\.json"):
        restore(lake.paths, tmp_path / "another", quiet)
    restore(lake.paths, backed_up, quiet)
    assert lake.tables() == filled.tables()
    assert lake.load("tokens").returncode == 0


def test_the_manifest_lists_what_the_backup_holds(filled: LoadedLake, backed_up: Path) -> None:
    manifest = read_manifest(backed_up)
    assert manifest.source == "sandbox"
    assert manifest.lake_version == LAKE_VERSION
    assert manifest.lake == str(filled.root)
    assert set(manifest.tables) == set(filled.tables())
    assert {file.path.split("/")[0] for file in manifest.files} == {"lake", "home"}
