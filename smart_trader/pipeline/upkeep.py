"""Keeps a lake healthy: removes old files, compacts small ones where that pays, watches the disk."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from loaders.tables import TABLES
from smart_trader.delta import cause_of, open_table, repair_fix
from smart_trader.errors import SmartTraderError
from smart_trader.locks import is_held
from smart_trader.paths import LakePaths
from smart_trader.pipeline.reading import Lake
from smart_trader.schemas import schema_name
from smart_trader.store import arrow_location, is_remote

# What repair has set aside; nothing in it is used.
ASIDE = "_set_aside"
# Compaction writes a table's small files once more, and the old ones stay until vacuum: below so many it costs more
# than readers gain. Delta's own automatic compaction waits for as many.
SMALL_FILES = 50
# As large as the embedded engine makes files; what it made is not small. In larger ones, a changed row costs more.
FILE_BYTES = 16 << 20
SMALL_BYTES = FILE_BYTES // 2
# Delta's own safe minimum; below it a reader, or a build that is still on its way, may lose files under its hands.
SAFE_RETENTION_HOURS = 168
Tell = Callable[[str], None]
FULL_DISK_FIX = (
    "free space: smart-trader maintain --only vacuum removes files that no version of the last week needs; with "
    "--retain-hours 0, while nothing else uses the lake, all that the newest version does not need"
)


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


def megabytes(size: float) -> str:
    """Write a number of bytes for people."""
    return f"{size / (1 << 20):,.1f} MB"


def gigabytes(size: float) -> str:
    """Write a large number of bytes for people."""
    return f"{size / (1 << 30):,.1f} GB"


def used_percent(folder: Path) -> float:
    """Return how full the disk below a folder is; the nearest folder that exists counts."""
    used, _, total = _disk_usage(folder)
    return 100 * used / total


def _disk_usage(folder: Path) -> tuple[int, int, int]:
    """Return the bytes used, free and in all of a disk."""
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.used, usage.free, usage.total


def _disk_folder(paths: LakePaths) -> Path:
    """Return whose disk counts: the lake's, or where what waits for a lake on S3 lies."""
    return paths.local_root if paths.is_local else paths.home


def disk_text(paths: LakePaths, warn_percent: float, refuse_percent: float) -> str:
    """Return how full a lake's disk is, and from when on that matters."""
    folder = _disk_folder(paths)
    used, free, total = _disk_usage(folder)
    return (
        f"disk of {folder}: {100 * used / total:.0f} % full, {gigabytes(free)} of {gigabytes(total)} free; "
        f"runs warn at {warn_percent:g} % and stop at {refuse_percent:g} %"
    )


def check_disk(paths: LakePaths, warn_percent: float, refuse_percent: float, tell: Tell) -> None:
    """Warn of a disk that fills up, and refuse to start on one that is nearly full.

    A lake on S3 has no disk, but what waits to be landed there lies on one.

    Raises:
        SmartTraderError: It is fuller than `refuse_percent`; names what can go, and how much that is.
    """
    folder = _disk_folder(paths)
    used = used_percent(folder)
    if used >= refuse_percent:
        raise SmartTraderError(
            f"the disk of {folder} is {used:.0f} % full, loads start below {refuse_percent:g} %",
            f"{FULL_DISK_FIX}{_spare_folders(paths)}; or raise disk_refuse_percent",
        )
    if used >= warn_percent:
        tell(f"warning: the disk of {folder} is {used:.0f} % full; at {refuse_percent:g} % loads stop")


def _spare_folders(paths: LakePaths) -> str:
    """Name the folders that a person may delete, with their sizes."""
    folders = [paths.home / "logs", paths.home / "dbt-target"]
    if paths.is_local:
        folders.append(paths.local_root / ASIDE)
    sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in folders}
    shown = [f"{folder} ({megabytes(size)})" for folder, size in sizes.items() if size]
    return f"; these may be deleted: {', '.join(shown)}" if shown else ""


def ensure_retention_is_safe(paths: LakePaths, hours: int) -> None:
    """Refuse to remove young files while a server runs, whose queries may be reading them.

    Other readers of the files (DuckDB, notebooks) cannot be seen from here: that none is at it is the caller's word.

    Raises:
        SmartTraderError: One runs, or the lake is not on this machine, where nobody can tell.
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


def maintain_lake(lake: Lake, work: Work, tell: Tell) -> Gain:
    """Remove old files first, since compaction needs room; then compact the tables where that pays.

    Both go by each table's own log, whoever wrote it, and need no server.

    Args:
        lake: The lake; the caller holds its lock.
        work: What to do.
        tell: Takes progress lines.

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
            tell(f"{'.'.join(name)}: {removed} old files removed")
    for name in names if work.optimize else []:
        if count_small_files(lake.delta_at(*name)) >= SMALL_FILES:
            removed, added = compact_table(lake.paths.table(*name))
            gain.compacted += 1
            tell(f"{'.'.join(name)}: {removed} files made {added}")
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
