"""Copies a lake to a folder, and proves that the copy is whole.

A backup holds what cannot be made again (bronze, histories, rows that wait to be landed) and, since a rebuild takes
time, every other table as well. It leaves out what belongs to one place or one process: Spark's catalog, which is a
cache with absolute paths, logs, the server's files and its token, locks, and what repair has set aside.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from loaders.bronze import Bronze
from smart_trader.config.paths import OWNER_ONLY_DIR, OWNER_ONLY_FILE, LakePaths
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.atomic import write_whole
from smart_trader.lake.checksums import CHECKSUMS_NAME
from smart_trader.lake.delta import open_table, repair_fix
from smart_trader.lake.disk import megabytes
from smart_trader.lake.identity import (
    LAKE_VERSION,
    LAYERS,
    NewerLakeError,
    project_version,
    read_identity,
    schema_prefix,
)

MANIFEST = "_backup.json"
FORM = 1
CHUNK_BYTES = 1 << 20
LINE_EVERY_S = 10.0
# Beyond what is copied: the manifest, and the blocks that small files take.
SPARE_BYTES = 16 << 20
# dlt's record of its last run: never read, and with paths of this machine
LEFT_OUT = frozenset({"trace.pickle"})
TABLES_FOLDER, HOME_FOLDER = "lake", "home"


class CopiedFile(BaseModel):
    """A file of a backup: its path there, its size, its checksum."""

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds; written last, so a backup without it is none.

    Attributes:
        form: Of this file.
        made_at: When the backup was begun.
        lake: Where the lake was.
        home: Where its home was.
        lake_version: The lake's version.
        source: Where its rows come from; None for an empty lake.
        written_by: Version of the project that made the backup.
        tables: Newest version of each table, by `schema.table`.
        folders: Folders that must be there even where they are empty: dlt looks into them.
        files: Every file.
    """

    model_config = ConfigDict(frozen=True)

    form: int
    made_at: AwareDatetime
    lake: str
    home: str
    lake_version: int
    source: str | None
    written_by: str
    tables: dict[str, int]
    folders: tuple[str, ...]
    files: tuple[CopiedFile, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to copy: where it is, and its path in the backup."""

    source: Path
    path: str
    bytes: int


def back_up(paths: LakePaths, target: Path, progress: ProgressFn) -> Manifest:
    """Copy a lake to a folder. The caller holds the lake's lock.

    Args:
        paths: The lake.
        target: A folder that is empty or does not exist.
        progress: Takes progress lines.

    Raises:
        SmartTraderError: The target cannot be used, the lake is broken or changed meanwhile, or a copy is not equal.
    """
    ensure_local(paths)
    _check_target(paths, target)
    before = table_versions(paths)
    if not before:
        raise SmartTraderError(f"the lake {paths.uri} has no table yet: nothing to back up", "fill it first")
    ensure_whole(paths.local_root, before, "the lake")
    pieces = list(_list_pieces(paths))
    ensure_room(target, sum(piece.bytes for piece in pieces))
    identity = read_identity(paths)
    was_there = target.exists()
    try:
        make_folder(target)
        files = _copy(pieces, target, progress)
        _ensure_unchanged(before, table_versions(paths))
        ensure_whole(target / TABLES_FOLDER, before, "the copy")
        manifest = Manifest(
            form=FORM,
            made_at=datetime.now(UTC),
            lake=paths.uri,
            home=str(paths.home),
            lake_version=identity.version if identity else 0,
            source=(identity and identity.source) or Bronze(paths, f"{schema_prefix()}bronze").data_source(),
            written_by=project_version(),
            tables=before,
            folders=tuple(_list_folders(paths)),
            files=tuple(files),
        )
        verify(manifest, target, progress)
        write_whole(str(target / MANIFEST), manifest.model_dump_json(indent=1).encode())
    except OSError as error:
        _remove_copy(target, was_there)
        raise SmartTraderError(f"cannot copy the lake to {target}: {error}", "see to the cause, then again") from None
    except BaseException:
        # half a backup must not be taken for one
        _remove_copy(target, was_there)
        raise
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Return what a backup lists as its content.

    Raises:
        SmartTraderError: There is no whole backup, or a newer project has made it.
    """
    path = source / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SmartTraderError(
            f"{source} is no backup, or one that was cut short: it has no {MANIFEST}",
            "name the folder that smart-trader backup has written",
        ) from None
    except (OSError, ValidationError) as error:
        raise SmartTraderError(f"{path} cannot be read: {error}", "use another backup") from None
    if manifest.form > FORM or manifest.lake_version > LAKE_VERSION:
        raise NewerLakeError(
            f"the backup {source} is of a lake of version {manifest.lake_version}, made by smart-trader "
            f"{manifest.written_by}; this project ({project_version()}) knows versions up to {LAKE_VERSION}",
            "update the project, then run this again",
        )
    return manifest


def table_versions(paths: LakePaths) -> dict[str, int]:
    """Return the newest version of each table below the lake's schemas, bronze first.

    Raises:
        SmartTraderError: A table cannot be read.
    """
    return {
        f"{schema.name}.{table.name}": open_table(str(table)).version()
        for schema in schema_folders(paths.local_root)
        for table in sorted(schema.iterdir())
        if (table / "_delta_log").is_dir()
    }


def schema_folders(root: Path) -> list[Path]:
    """Return the folders of schemas, of every prefix, bronze first."""
    found = [
        folder
        for layer in LAYERS
        for folder in (root.iterdir() if root.is_dir() else ())
        if folder.is_dir() and (folder.name == layer or folder.name.endswith(f"_{layer}"))
    ]
    return sorted(found, key=lambda folder: (not folder.name.endswith("bronze"), folder.name))


def _list_pieces(paths: LakePaths) -> Iterator[Piece]:
    root = paths.local_root
    folders = [(folder, f"{TABLES_FOLDER}/{folder.name}") for folder in schema_folders(root)]
    folders.append((paths.dlt_home, f"{HOME_FOLDER}/{paths.dlt_home.name}"))
    for folder, name in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.name not in LEFT_OUT:
                yield Piece(path, f"{name}/{path.relative_to(folder)}", path.stat().st_size)
    singles = [(path, TABLES_FOLDER) for path in sorted(root.glob("_lake*.json"))]
    singles += [(path, HOME_FOLDER) for path in (paths.market_file, paths.home / CHECKSUMS_NAME)]
    for path, name in singles:
        if path.is_file():
            yield Piece(path, f"{name}/{path.name}", path.stat().st_size)


def _list_folders(paths: LakePaths) -> list[str]:
    found = [path for path in sorted(paths.dlt_home.rglob("*")) if path.is_dir() and not path.is_symlink()]
    return [f"{HOME_FOLDER}/{path.relative_to(paths.home)}" for path in found]


def _copy(pieces: Sequence[Piece], target: Path, progress: ProgressFn) -> list[CopiedFile]:
    """Copy files, and return the checksum of what was read of each."""
    total, done, last = sum(piece.bytes for piece in pieces), 0, time.monotonic()
    copied = []
    for piece in pieces:
        size, digest = copy_file(piece.source, target / piece.path)
        copied.append(CopiedFile(path=piece.path, bytes=size, sha256=digest))
        done += size
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            progress(f"      {megabytes(done)} of {megabytes(total)}")
    progress(f"copied {len(copied)} files, {megabytes(done)}")
    return copied


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file for its owner alone; returns the size and checksum of what was read."""
    make_folder(target.parent)
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, OWNER_ONLY_FILE)
    with source.open("rb") as reading, open(descriptor, "wb") as writing:
        while chunk := reading.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    # vacuum goes by the files' times
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return size, digest.hexdigest()


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(manifest: Manifest, folder: Path, progress: ProgressFn) -> None:
    """See that each file of a backup is there and holds what was copied.

    Raises:
        SmartTraderError: One is missing, damaged, or lies outside the backup; nothing was changed.
    """
    for name in (*manifest.folders, *(file.path for file in manifest.files)):
        parts = Path(name).parts
        if parts[0] not in (TABLES_FOLDER, HOME_FOLDER) or ".." in parts:
            raise SmartTraderError(f"{folder / MANIFEST} names {name}, which no backup holds", "use another backup")
    for file in manifest.files:
        path = folder / file.path
        try:
            is_equal = path.stat().st_size == file.bytes and checksum(path) == file.sha256
        except OSError as error:
            raise SmartTraderError(f"{path} cannot be read: {error.strerror}", "use another backup") from None
        if not is_equal:
            raise SmartTraderError(
                f"{path} is not the file that was backed up: damaged or changed", "use another backup"
            )
    progress(f"verified {len(manifest.files)} files against their checksums")


def ensure_whole(root: Path, tables: Iterable[str], what: str) -> None:
    """See that every file that the newest version of each table names is there, in its full size.

    Raises:
        SmartTraderError: One is missing.
    """
    for name in tables:
        schema, _, table = name.partition(".")
        actions = open_table(str(root / schema / table)).get_add_actions(flatten=True)
        for path, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
            file = root / schema / table / str(path)
            if not file.is_file() or file.stat().st_size != size:
                raise SmartTraderError(f"{what} lacks a file of {name}: {path}", repair_fix(name))


def _ensure_unchanged(before: dict[str, int], after: dict[str, int]) -> None:
    """Refuse a copy that holds some tables older than others.

    Raises:
        SmartTraderError: A table has another version than before; names each.
    """
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if changed:
        raise SmartTraderError(
            f"these tables were written while they were copied: {', '.join(changed)}",
            "wait until the dbt build on this lake is done, then run this again",
        )


def ensure_local(paths: LakePaths) -> None:
    """Refuse a lake that is not on this machine.

    Raises:
        SmartTraderError: It is on a store; the fix is how to copy it.
    """
    if not paths.is_local:
        raise SmartTraderError(
            f"the lake {paths.uri} is not on this machine: backup and restore copy local lakes only",
            "copy the bucket's objects with the store's own tools while no run is on (aws s3 sync, mc mirror), and the "
            f"folder {paths.dlt_home} with them; or switch the bucket's versions on",
        )


def _check_target(paths: LakePaths, target: Path) -> None:
    """Refuse a target that holds something, or that lies in the lake or around it."""
    resolved = target.resolve()
    for folder in {paths.local_root.resolve(), paths.home.resolve()}:
        if resolved == folder or folder in resolved.parents or resolved in folder.parents:
            raise SmartTraderError(
                f"{target} lies in the lake {folder}, or the lake in it",
                "name a folder elsewhere, best on another disk",
            )
    if target.exists() and not target.is_dir():
        raise SmartTraderError(f"{target} is a file", "name a folder that does not exist yet")
    if target.exists() and any(target.iterdir()):
        raise SmartTraderError(
            f"the folder {target} is not empty", "name one that does not exist yet: a backup is never written over"
        )


def ensure_room(target: Path, needed: int) -> None:
    """Refuse a disk without room.

    Args:
        target: Where files will be written; need not exist.
        needed: Bytes.

    Raises:
        SmartTraderError: Less is free.
    """
    folder = target
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise SmartTraderError(
            f"the disk of {target} has {megabytes(free)} free, this takes {megabytes(needed + SPARE_BYTES)}",
            "name a folder on a larger disk, or free space",
        )


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for its owner alone."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(OWNER_ONLY_DIR, exist_ok=True)


def _remove_copy(target: Path, was_there: bool) -> None:
    """Remove what a failed backup has written; the folder itself stays if it was there."""
    for name in (TABLES_FOLDER, HOME_FOLDER):
        shutil.rmtree(target / name, ignore_errors=True)
    (target / MANIFEST).unlink(missing_ok=True)
    if not was_there and target.exists():
        shutil.rmtree(target, ignore_errors=True)
