"""Watches the disk that a lake lies on, and reports what can be freed there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from smart_trader.config.paths import LakePaths
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError

# What repair has set aside; nothing in it is used.
ASIDE = "_set_aside"
FULL_DISK_FIX = (
    "free space: smart-trader maintain --only vacuum removes files that no version of the last week needs; with "
    "--retain-hours 0, while nothing else uses the lake, all that the newest version does not need"
)


def megabytes(size: float) -> str:
    """Write a number of bytes for people."""
    return f"{size / (1 << 20):,.1f} MB"


def gigabytes(size: float) -> str:
    """Write a large number of bytes for people."""
    return f"{size / (1 << 30):,.1f} GB"


def used_percent(folder: Path) -> float:
    """Return how full the disk below a folder is; the nearest folder that exists counts."""
    usage = disk_usage(folder)
    return 100 * usage.used / usage.total


class DiskUsage(NamedTuple):
    """Bytes of a disk."""

    total: int
    used: int
    free: int


def disk_usage(folder: Path) -> DiskUsage:
    """Return the bytes of the disk below a folder; the nearest folder that exists counts."""
    while not folder.exists():
        folder = folder.parent
    return DiskUsage(*shutil.disk_usage(folder))


def _disk_folder(paths: LakePaths) -> Path:
    """Return whose disk counts: the lake's, or where what waits for a lake on S3 lies."""
    return paths.local_root if paths.is_local else paths.home


def disk_text(paths: LakePaths, warn_percent: float, refuse_percent: float) -> str:
    """Return how full a lake's disk is, and from when on that matters."""
    folder = _disk_folder(paths)
    usage = disk_usage(folder)
    return (
        f"disk of {folder}: {100 * usage.used / usage.total:.0f} % full, {gigabytes(usage.free)} of "
        f"{gigabytes(usage.total)} free; runs warn at {warn_percent:g} % and stop at {refuse_percent:g} %"
    )


def check_disk(paths: LakePaths, warn_percent: float, refuse_percent: float, progress: ProgressFn) -> None:
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
        progress(f"warning: the disk of {folder} is {used:.0f} % full; at {refuse_percent:g} % loads stop")


def _spare_folders(paths: LakePaths) -> str:
    """Name the folders that a person may delete, with their sizes."""
    folders = [paths.home / "logs", paths.home / "dbt-target"]
    if paths.is_local:
        folders.append(paths.local_root / ASIDE)
    sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in folders}
    shown = [f"{folder} ({megabytes(size)})" for folder, size in sizes.items() if size]
    return f"; these may be deleted: {', '.join(shown)}" if shown else ""
