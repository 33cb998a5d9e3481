"""One lock per lake, wherever the lake is: a file's lock on this machine, an object with a heartbeat on S3."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from smart_trader.config.paths import LakePaths, lake_paths
from smart_trader.config.schemas import target_output
from smart_trader.config.settings import lakehouse_settings
from smart_trader.errors import SmartTraderError
from smart_trader.lake.file_lock import LAKE_LOCK_NAME, FileLock, Holder, LockHeldError, is_held, lake_lock, read_holder
from smart_trader.lake.identity import begin_lake, ensure_usable
from smart_trader.lake.object_lock import StoreLock, look
from smart_trader.lake.store import check_store


@contextmanager
def lock_lake(paths: LakePaths, command: str, restores: bool = False) -> Iterator[FileLock | StoreLock]:
    """Hold the lock that loaders, pipeline and maintenance take before they write to a lake.

    A lake that holds nothing yet gets the current version here.

    Args:
        paths: The lake.
        command: What holds it, for the message to others.
        restores: Whether this is the restore that alone may write to a lake that is half restored.

    Yields:
        The lock; its `lost` gives the cause when it no longer holds.

    Raises:
        SmartTraderError: The lake's store cannot be used, or a newer project has written the lake; names the cause.
    """
    with _lock(paths, command) as lock:
        if not restores:
            ensure_usable(paths)
            begin_lake(paths)
        yield lock


def _lock(paths: LakePaths, command: str) -> FileLock | StoreLock:
    if paths.is_local:
        return lake_lock(paths.local_root, command)
    check_store(paths.uri)
    return StoreLock(paths.uri, command)


def lake_holder(paths: LakePaths) -> Holder | str | None:
    """Return who writes to a lake right now, or None."""
    if not paths.is_local:
        seen = look(paths.uri)
        return None if seen is None or seen.is_free else seen.holder
    path = paths.local_root / LAKE_LOCK_NAME
    return (read_holder(path) or "somebody") if is_held(path) else None


def ensure_lake_is_free(uri: str) -> None:
    """Refuse to go on while somebody else writes to a lake; dbt calls this before each build.

    Whoever holds the lock may build: this process, or one that started it.

    Args:
        uri: Root of the lake's tables, as Spark names it.

    Raises:
        LockHeldError: Another process holds the lake's lock.
    """
    paths = lake_paths(Path(), uri)
    holder = lake_holder(paths)
    if holder is None:
        return
    family = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    if not isinstance(holder, Holder) or holder.host != socket.gethostname() or holder.pid not in family:
        raise LockHeldError(paths.uri, holder if isinstance(holder, Holder) else None)


def ensure_own_server(uri: str, target: str) -> None:
    """Refuse a server that writes another lake than the settings name; dbt calls this before each build.

    A copied lake brings the file along by which dbt finds the server of the original.

    Args:
        uri: Root of the server's tables, as Spark names it.
        target: Name of dbt's target; a cluster's server has no such file.

    Raises:
        SmartTraderError: It is another lake.
    """
    if "endpoint_file" not in target_output(target):
        return
    ours = lakehouse_settings().paths
    if lake_paths(ours.home, uri).spark_uri.rstrip("/") != ours.spark_uri.rstrip("/"):
        raise SmartTraderError(
            f"the server that answers writes the lake {uri}, the settings name {ours.spark_uri}",
            "start this lake's own: smart-trader lakehouse start",
        )
