"""Where a lake's files lie: a folder of this machine, or (see `object_store`) a bucket that speaks S3."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from glob import glob
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse
from uuid import uuid4

from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError

SCRATCH = ".tmp"
DROPPED = "dropped-"
_BRACES = re.compile(r"\{([^{}]*)\}")


class Storage(Protocol):
    """What the engine needs of the place where its lake lies.

    Attributes:
        address: The root as Spark's SQL has it, without a trailing slash.
        options: What delta-rs needs to reach it; None for a folder.
        scratch: A folder of this machine for spilled rows and what can be had again.
    """

    address: str
    options: Mapping[str, str] | None
    scratch: Path

    def folder(self, schema: str, name: str) -> str:
        """Return where a table lies, as delta-rs takes it."""

    def is_delta(self, path: str) -> bool:
        """Return whether a path below the address holds a Delta table; `{a,b}` in it stands for either."""

    def is_table(self, schema: str, name: str) -> bool:
        """Return whether there is a table of this name."""

    def is_newest(self, schema: str, name: str, version: int) -> bool:
        """Return whether a table's log has this version and no later one."""

    def schemas(self) -> list[str]:
        """Return the names of folders that are schemas."""

    def tables(self, schema: str) -> list[str]:
        """Return the names of a schema's tables."""

    def make_schema(self, schema: str) -> None:
        """Make a schema's folder, where the place has folders."""

    def drop_schema(self, schema: str) -> None:
        """Delete a schema with all that is in it."""

    def drop_table(self, schema: str, name: str) -> None:
        """Delete a table with its files; a kill in between leaves nothing that could be taken for a whole table."""

    def read(self, name: str) -> str | None:
        """Return a text of the root, if it is there."""

    def write(self, name: str, text: str) -> None:
        """Replace a text of the root as a whole."""

    def commit(self, schema: str, name: str, version: int, text: str) -> None:
        """Write an entry of a table's log.

        Raises:
            FileExistsError: The version is taken.
        """

    def data_files(self, schema: str, name: str, uris: Iterable[str]) -> list[str]:
        """Return paths of this machine for data files of a table, given as delta-rs names them."""

    def text_files(self, path: str) -> list[str]:
        """Return paths of this machine for the files that a path of Spark's stands for now, sorted."""

    def sweep(self) -> None:
        """Delete copies in the scratch folder that were not used for a while."""

    def without_secrets(self, message: str) -> str:
        """Return a message without the keys of the place."""


class LocalStorage:
    """A folder of this machine; see `Storage`."""

    options: Mapping[str, str] | None = None

    def __init__(self, root: str) -> None:
        address = urlparse(root)
        self._root = Path(unquote(address.path) if address.scheme else root).expanduser().absolute()
        self._root.mkdir(parents=True, exist_ok=True)
        self.address = str(self._root)
        self.scratch = self._root / SCRATCH

    def folder(self, schema: str, name: str) -> str:
        """See `Storage`."""
        return f"{self.address}/{schema}/{name}"

    def is_delta(self, path: str) -> bool:
        """See `Storage`."""
        return any(glob(f"{one}/_delta_log/*.json") for one in alternatives(_plain(path)))

    def is_table(self, schema: str, name: str) -> bool:
        """See `Storage`."""
        return any((self._root / schema / name / "_delta_log").glob("*.json"))

    def is_newest(self, schema: str, name: str, version: int) -> bool:
        """See `Storage`."""
        log = self._root / schema / name / "_delta_log"
        is_there, is_newer = ((log / log_entry(version + more)).exists() for more in (0, 1))
        return is_there and not is_newer

    def schemas(self) -> list[str]:
        """See `Storage`."""
        return [
            path.name
            for path in self._root.iterdir()
            if path.is_dir() and not path.name.startswith((".", "_")) and _looks_like_a_schema(path)
        ]

    def tables(self, schema: str) -> list[str]:
        """See `Storage`."""
        folder = self._root / schema
        return [path.name for path in folder.iterdir() if self.is_table(schema, path.name)] if folder.is_dir() else []

    def make_schema(self, schema: str) -> None:
        """See `Storage`."""
        (self._root / schema).mkdir(parents=True, exist_ok=True)

    def drop_schema(self, schema: str) -> None:
        """See `Storage`."""
        shutil.rmtree(self._root / schema, ignore_errors=True)

    def drop_table(self, schema: str, name: str) -> None:
        """See `Storage`."""
        folder = self._root / schema / name
        if folder.is_dir():
            # first out of sight, so that a kill in between leaves no half a table
            dropped = self.scratch / f"{DROPPED}{schema}-{name}"
            shutil.rmtree(dropped, ignore_errors=True)
            folder.rename(dropped)
            shutil.rmtree(dropped, ignore_errors=True)

    def read(self, name: str) -> str | None:
        """See `Storage`."""
        try:
            return (self._root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """See `Storage`."""
        new = self._root / f"{name}.{os.getpid()}.new"
        # Spark's server writes its files for their owner alone, whatever the process's umask; so does this
        with open(new, "w", encoding="utf-8", opener=_owner_only) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._root / name)

    def commit(self, schema: str, name: str, version: int, text: str) -> None:
        """See `Storage`."""
        log = self._root / schema / name / "_delta_log"
        prepared = log / f".commit-{uuid4().hex}.tmp"
        prepared.write_text(text, encoding="utf-8")
        try:
            # a link, unlike a rename, fails where the version is taken
            os.link(prepared, log / log_entry(version))
        finally:
            prepared.unlink()

    def data_files(self, schema: str, name: str, uris: Iterable[str]) -> list[str]:
        """See `Storage`."""
        folder = self.folder(schema, name)
        roots = dict.fromkeys((folder, os.path.realpath(folder)))
        return [_on_disk(urlparse(uri).path if uri.startswith("file:") else uri, roots) for uri in uris]

    def text_files(self, path: str) -> list[str]:
        """See `Storage`."""
        patterns = [one if "*" in one else f"{one}/*" for one in alternatives(_plain(path))]
        return sorted(file for pattern in patterns for file in glob(pattern) if os.path.isfile(file))

    def sweep(self) -> None:
        """See `Storage`: it has no copies."""

    def without_secrets(self, message: str) -> str:
        """See `Storage`."""
        return message


def _on_disk(path: str, roots: Iterable[str]) -> str:
    """Return a data file's path: delta-rs escapes the table's part of it, and the rest is as it is on the disk.

    The values of partitions are escaped there, so that reading those escapes would name another file.
    """
    for root in roots:
        depth = root.count("/") + 1
        parts = path.split("/", depth)
        if len(parts) > depth and unquote("/".join(parts[:depth])) == root:
            return f"{root}/{parts[depth]}"
    return unquote(path)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def storage_of(root: str, scratch: str | None, environment: Mapping[str, str] | None = None) -> Storage:
    """Return the storage of a lake.

    Args:
        root: A folder, or an address `s3://bucket/path`.
        scratch: The folder for what is spilled and cached of a lake on an object store; None for one below the
            system's folder for temporary files.
        environment: Variables that name an object store and its key; default: the process's own.

    Raises:
        EmbeddedError: It is neither, or cannot be reached.
    """
    scheme = urlparse(root).scheme
    if scheme in ("", "file"):
        return LocalStorage(root)
    if scheme not in ("s3", "s3a"):
        raise EmbeddedError(
            f"`method: embedded` reads lakes on local disks and on S3 (s3://bucket/path), not {root}; use "
            "`method: thrift`"
        )
    # its clients are imported by those alone whose lake is there
    from dbt.adapters.sparkconnect.embedded.object_store import ObjectStore

    return ObjectStore(root, scratch, environment)


def log_entry(version: int) -> str:
    """Return the name of a log's entry."""
    return f"{version:020}.json"


def alternatives(path: str) -> list[str]:
    """Return the paths that one with `{a,b}` stands for."""
    found = _BRACES.search(path)
    if not found:
        return [path]
    return [path[: found.start()] + part + path[found.end() :] for part in found[1].split(",")]


def _plain(path: str) -> str:
    return path.removeprefix("file://").removeprefix("file:")


def _looks_like_a_schema(folder: Path) -> bool:
    """Distinguish a schema from other folders that a lake's home may hold: it is empty, or has tables."""
    children = [child for child in folder.iterdir() if not child.name.startswith((".", "_"))]
    return not children or any((child / "_delta_log").is_dir() for child in children)
