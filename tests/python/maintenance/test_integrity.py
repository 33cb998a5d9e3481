"""Repair reads into the files: corruption is named, and so is what bronze has lost of what its own log says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loaders.tables import TABLE_NAMES
from smart_trader.errors import SmartTraderError
from smart_trader.lake.checksums import record_checksums
from smart_trader.lake.reader import Lake
from smart_trader.maintenance.backup import back_up
from smart_trader.maintenance.integrity import lost_rows
from smart_trader.maintenance.repair import examine, refuse_what_is_lost, report_losses
from smart_trader.maintenance.restore import restore

from .conftest import LoadedLake

SWAPS = "bronze.transaction_history"
HISTORY = ("silver", "pnl_history")


def flip(path: Path, share: float) -> None:
    """Flip one bit of a file, at a share of its length."""
    held = bytearray(path.read_bytes())
    held[int(len(held) * share)] ^= 1
    path.write_bytes(held)


def largest(loaded: LoadedLake, name: str) -> Path:
    return max(loaded.files(name), key=lambda path: path.stat().st_size)


def test_a_whole_lake_has_no_findings(loaded: LoadedLake) -> None:
    findings = examine(Lake(loaded.paths), {HISTORY})
    assert (findings.kept, findings.derived, findings.losses) == ({}, {}, [])


def test_a_bit_that_flips_after_a_backup_is_found_where_it_was_restored(
    loaded: LoadedLake, made_lake: Callable[[str], LoadedLake], tmp_path: Path
) -> None:
    record_checksums(Lake(loaded.paths), TABLE_NAMES)
    back_up(loaded.paths, tmp_path / "backup", lambda line: None)
    restored = made_lake("restored")
    restore(restored.paths, tmp_path / "backup", lambda line: None)
    assert examine(Lake(restored.paths), {HISTORY}).kept == {}
    flip(largest(restored, SWAPS), 0.5)
    assert list(examine(Lake(restored.paths), {HISTORY}).kept) == [("bronze", "transaction_history")]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.98])
def test_each_flipped_bit_of_a_bronze_file_is_found(loaded: LoadedLake, share: float) -> None:
    assert record_checksums(Lake(loaded.paths), TABLE_NAMES) > 0
    assert record_checksums(Lake(loaded.paths), TABLE_NAMES) == 0
    flip(largest(loaded, SWAPS), share)
    findings = examine(Lake(loaded.paths), {HISTORY})
    assert list(findings.kept) == [("bronze", "transaction_history")]
    with pytest.raises(
        SmartTraderError, match=r"bronze\.transaction_history: a file is corrupted: .*parquet.*checksum"
    ):
        refuse_what_is_lost(findings)


@pytest.mark.parametrize(
    ("name", "kind"), [("silver.wallet_trades", "derived"), ("silver.pnl_history", "kept")], ids=str
)
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-100] + bytes(100)), id="footer-of-zeros"),
        pytest.param(lambda path: path.write_bytes(bytes(50) + path.read_bytes()[50:]), id="first-page-of-zeros"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
    ],
)
def test_a_file_that_cannot_be_read_to_its_end_is_named(
    loaded: LoadedLake, name: str, kind: str, harm: Callable[[Path], object]
) -> None:
    path = loaded.files(name)[0]
    harm(path)
    found = getattr(examine(Lake(loaded.paths), {HISTORY}), kind)
    assert list(found) == [tuple(name.split("."))]
    assert f"a file is corrupted: {path.name}: " in next(iter(found.values()))


def lose_a_load(loaded: LoadedLake) -> None:
    max((loaded.root / "bronze" / "_dlt_loads").glob("*.jsonl"), key=lambda path: path.name).unlink()


def lose_the_rows_of_a_commit(loaded: LoadedLake) -> None:
    max((loaded.table(SWAPS) / "_delta_log").glob("*.json")).unlink()


def lose_the_table(loaded: LoadedLake) -> None:
    shutil.rmtree(loaded.table(SWAPS))


def lose_the_table_which_a_loader_makes_again(loaded: LoadedLake) -> None:
    shutil.rmtree(loaded.table(SWAPS))
    assert loaded.load("init").returncode == 0


def lose_the_log(loaded: LoadedLake) -> None:
    shutil.rmtree(loaded.table("bronze.fetch_log"))


def lose_the_log_which_a_loader_makes_again(loaded: LoadedLake) -> None:
    lose_the_log(loaded)
    assert loaded.load("init").returncode == 0


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(lose_a_load, r"bronze\._dlt_loads: 1 loads have rows but are not listed", id="load-list"),
        pytest.param(
            lose_the_rows_of_a_commit,
            r"bronze\.transaction_history: \d+ rows of \d+ fetches are gone, the first: swaps of \w+, 0 of \d+ rows",
            id="commit",
        ),
        pytest.param(lose_the_table, r"bronze\.transaction_history: gone, with \d+ rows of \d+ fetches", id="table"),
        pytest.param(
            lose_the_table_which_a_loader_makes_again,
            r"bronze\.transaction_history: \d+ rows of \d+ fetches are gone",
            id="table-made-again",
        ),
        pytest.param(lose_the_log, r"bronze\.fetch_log: gone", id="log"),
        pytest.param(
            lose_the_log_which_a_loader_makes_again,
            r"bronze\.fetch_log: \d+ fetches of bronze\.transaction_history are gone",
            id="log-made-again",
        ),
    ],
)
def test_what_bronze_has_lost_is_named(loaded: LoadedLake, harm: Callable[[LoadedLake], None], message: str) -> None:
    assert lost_rows(Lake(loaded.paths)) == []
    harm(loaded)
    findings = examine(Lake(loaded.paths), {HISTORY})
    with pytest.raises(SmartTraderError, match=message):
        report_losses(findings)
