"""Keeps a lake healthy: removes old files, compacts small ones where that pays."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from loaders.tables import TABLES
from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import cause_of, open_table, repair_fix
from smart_trader.lake.disk import megabytes
from smart_trader.lake.file_lock import is_held
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location, is_remote

# Compaction writes a table's small files once more, and the old ones stay until vacuum: below so many it costs more
# than readers gain. Delta's own automatic compaction waits for as many.
SMALL_FILES = 50
# As large as the embedded engine makes files; what it made is not small. In larger ones, a changed row costs more.
FILE_BYTES = 16 << 20
SMALL_BYTES = FILE_BYTES // 2
# Delta's own safe minimum; below it a reader, or a build that is still on its way, may lose files under its hands.
SAFE_RETENTION_HOURS = 168


@dataclass(frozen=True, slots=True)
class Work:
    """What maintenance does.

    Attributes:
        optimize: Many small files become few large ones, where that pays.
        vacuum: Files that no version needs any more are removed.
        retention_hours: Files that a version of the last so many hours needs are kept.
    """

    optimize: bool
    vacuum: bool
    retention_hours: int


@dataclass(slots=True)
class Gain:
    """What maintenance did to a lake: files and bytes below its tables, before and after.

    Attributes:
        tables: How many tables were looked at.
        vacuumed: Of how many old files were removed.
        compacted: Of how many small files were made large ones.
        files: Before and after.
        size: Bytes before and after.
    """

    tables: int = 0
    vacuumed: int = 0
    compacted: int = 0
    files: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        before, after = (f"{files} files, {megabytes(size)}" for files, size in zip(self.files, self.size, strict=True))
        change = self.size[1] - self.size[0]
        return (
            f"{self.tables} tables: old files removed from {self.vacuumed}, {self.compacted} compacted; "
            f"before: {before}; after: {after} ({'-' if change < 0 else '+'}{megabytes(abs(change))})"
        )


def ensure_retention_is_safe(paths: LakePaths, hours: int) -> None:
    """Refuse to remove young files while a server runs, whose queries may be reading them.

    Other readers of the files (DuckDB, notebooks) cannot be seen from here: that none is at it is the caller's word.

    Raises:
        SmartTraderError: One runs, or the lake is not on this machine, where nobody can know.
    """
    if hours >= SAFE_RETENTION_HOURS:
        return
    if not paths.is_local:
        raise SmartTraderError(
            f"{hours} hours: who reads the lake {paths.uri} cannot be seen from here",
            f"keep {SAFE_RETENTION_HOURS} hours or more",
        )
    if is_held(paths.server_lock):
        raise SmartTraderError(
            f"{hours} hours: a server runs on the lake, and its queries may be reading what would be removed",
            f"stop it first: smart-trader lakehouse stop; or keep {SAFE_RETENTION_HOURS} hours",
        )


def maintain_lake(lake: Lake, work: Work, progress: ProgressFn) -> Gain:
    """Remove old files first, since compaction needs room; then compact the tables where that pays.

    Both go by each table's own log, whoever wrote it, and need no server.

    Args:
        lake: The lake; the caller holds its lock.
        work: What to do.
        progress: Takes progress lines.

    Raises:
        SmartTraderError: A table cannot be read or written.
    """
    bronze = [(schema_name("bronze"), table.name) for table in TABLES if lake.has("bronze", table.name)]
    names = [*bronze, *lake.derived_tables()]
    before = _sizes(lake, names)
    gain = Gain(tables=len(names))
    for name in names if work.vacuum else []:
        removed = vacuum_table(lake.paths.table(*name), work.retention_hours)
        gain.vacuumed += bool(removed)
        if removed:
            progress(f"{'.'.join(name)}: {removed} old files removed")
    for name in names if work.optimize else []:
        if count_small_files(lake.delta_at(*name)) >= SMALL_FILES:
            removed, added = compact_table(lake.paths.table(*name))
            gain.compacted += 1
            progress(f"{'.'.join(name)}: {removed} files made {added}")
    after = _sizes(lake, names)
    gain.files = before["files"], after["files"]
    gain.size = before["bytes"], after["bytes"]
    return gain


def compact_table(location: str) -> tuple[int, int]:
    """Make a table's small files few large ones; returns how many files became how many.

    Raises:
        SmartTraderError: A file cannot be read or written; names the table.
    """
    try:
        made = open_table(location).optimize.compact(target_size=FILE_BYTES)
    except (DeltaError, OSError) as error:
        raise SmartTraderError(
            f"cannot compact the table {location}: {cause_of(error)}",
            f"{repair_fix(location)}; or free space if the disk is full",
        ) from None
    return int(made["numFilesRemoved"]), int(made["numFilesAdded"])


def vacuum_table(location: str, retention_hours: int) -> int:
    """Remove the files that no version of the last hours needs; returns how many.

    delta-rs names them. It would write two commits before and after it removes them, which a full disk has no room for.

    Raises:
        SmartTraderError: Its log cannot be read, or a file cannot be removed; names the table.
    """
    table = open_table(location)
    files, folder = arrow_location(location)
    try:
        old = table.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
        for name in old:
            files.delete_file(f"{folder}/{name}")
    except (DeltaError, OSError) as error:
        raise SmartTraderError(f"cannot vacuum the table {location}: {cause_of(error)}", repair_fix(location)) from None
    if not is_remote(location):
        _remove_stray_checksums(Path(folder), retention_hours)
    return len(old)


def _remove_stray_checksums(table: Path, retention_hours: int) -> None:
    """Remove the checksum files that Hadoop keeps beside data files which are gone."""
    oldest = time.time() - retention_hours * 3600
    for path in table.rglob(".*.parquet.crc"):
        is_stray = not (path.parent / path.name.removeprefix(".").removesuffix(".crc")).exists()
        if is_stray and path.stat().st_mtime <= oldest:
            path.unlink(missing_ok=True)


def count_small_files(table: DeltaTable) -> int:
    """Return how many small files a table's newest version has, in the partition that has most of them."""
    actions = table.get_add_actions()
    small: Counter[str] = Counter()
    for path, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        if size < SMALL_BYTES:
            small[str(path).rpartition("/")[0]] += 1
    return max(small.values(), default=0)


def _sizes(lake: Lake, names: list[tuple[str, str]]) -> Counter[str]:
    """Return files and bytes below some tables, logs and old versions counted in."""
    found: Counter[str] = Counter()
    for name in names:
        files, folder = arrow_location(lake.paths.table(*name))
        for info in files.get_file_info(pyarrow.fs.FileSelector(folder, recursive=True)):
            if info.type == pyarrow.fs.FileType.File:
                found["files"] += 1
                found["bytes"] += info.size
    return found
