"""Brings a backup back into an empty lake, file by file, each proved by its checksum."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from smart_trader.config.paths import LakePaths
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.atomic import write_whole
from smart_trader.lake.disk import megabytes
from smart_trader.lake.file_lock import is_held
from smart_trader.lake.identity import RESTORING_NAME, read_identity
from smart_trader.maintenance.backup import (
    HOME_FOLDER,
    LINE_EVERY_S,
    TABLES_FOLDER,
    Manifest,
    checksum,
    copy_file,
    ensure_local,
    ensure_room,
    ensure_whole,
    make_folder,
    read_manifest,
    schema_folders,
    verify,
)


def restore(paths: LakePaths, source: Path, progress: ProgressFn) -> Manifest:
    """Copy a backup into an empty lake. The caller holds the lake's lock.

    The catalog is not part of a backup: the next run registers every table, and makes the views.

    Raises:
        SmartTraderError: The backup is not whole, the lake is not empty or of another source, or a copy is not equal.
    """
    ensure_local(paths)
    manifest = read_manifest(source)
    marker = paths.local_root / RESTORING_NAME
    if not _is_same_restore(marker, manifest):
        _ensure_empty(paths, manifest)
    if is_held(paths.server_lock):
        raise SmartTraderError(f"a server runs on the lake {paths.uri}", "stop it: smart-trader lakehouse stop")
    progress(f"backup of {manifest.lake} at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, {len(manifest.files)} files")
    verify(manifest, source, progress)
    ensure_room(paths.local_root, sum(file.bytes for file in manifest.files))
    try:
        make_folder(paths.local_root)
        write_whole(str(marker), manifest.model_dump_json(exclude={"files"}).encode())
        # a catalog of tables that are gone would hide those that come
        shutil.rmtree(paths.metastore, ignore_errors=True)
        paths.built_file.unlink(missing_ok=True)
        _copy_back(paths, manifest, source, progress)
        ensure_whole(paths.local_root, manifest.tables, "the restored lake")
        marker.unlink()
    except OSError as error:
        raise SmartTraderError(
            f"cannot restore to {paths.uri}: {error}", "see to the cause, then run it again"
        ) from None
    return manifest


def _copy_back(paths: LakePaths, manifest: Manifest, source: Path, progress: ProgressFn) -> None:
    """Copy the files of a backup to their places, and check each against the manifest."""
    places = {TABLES_FOLDER: paths.local_root, HOME_FOLDER: paths.home}
    for folder in manifest.folders:
        top, _, rest = folder.partition("/")
        make_folder(places[top] / rest)
    done, last = 0, time.monotonic()
    for file in manifest.files:
        top, _, rest = file.path.partition("/")
        target = places[top] / rest
        size, digest = copy_file(source / file.path, target)
        if (size, digest) != (file.bytes, file.sha256):
            raise SmartTraderError(f"{source / file.path} changed while it was copied", "run this again")
        if checksum(target) != digest:
            raise SmartTraderError(f"{target} does not hold what was written to it", "look at this disk's health")
        done += size
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            progress(f"      {megabytes(done)} of {megabytes(sum(one.bytes for one in manifest.files))}")
    _redirect_pending(paths, manifest)
    progress(f"restored {len(manifest.files)} files, {megabytes(done)}")


def _redirect_pending(paths: LakePaths, manifest: Manifest) -> None:
    """Let the jobs that wait in dlt's folder name the files here: they hold absolute paths, one a line."""
    for job in paths.dlt_home.rglob("*.reference"):
        lines = job.read_text().split("\n")
        before = f"{manifest.home}/"
        moved = [f"{paths.home}/{line.removeprefix(before)}" if line.startswith(before) else line for line in lines]
        job.write_text("\n".join(moved))


def _is_same_restore(marker: Path, manifest: Manifest) -> bool:
    """Whether a lake is the half that an earlier try of this very restore left."""
    try:
        return marker.read_text() == manifest.model_dump_json(exclude={"files"})
    except FileNotFoundError:
        return False


def _ensure_empty(paths: LakePaths, manifest: Manifest) -> None:
    identity = read_identity(paths)
    held = identity.source if identity else None
    if held is not None and manifest.source is not None and held != manifest.source:
        raise SmartTraderError(
            f"the lake {paths.uri} is for {held} data, the backup holds {manifest.source} data",
            "point LAKEHOUSE_HOME at an empty folder: real and made-up data never mix",
        )
    marked = [path for path in (paths.local_root / RESTORING_NAME, paths.dlt_home) if path.exists()]
    for path in [*schema_folders(paths.local_root), *marked]:
        raise SmartTraderError(
            f"the lake {paths.uri} is not empty: it holds {path.name}",
            "point LAKEHOUSE_HOME at an empty folder, or move this lake away: a restore writes over nothing",
        )
