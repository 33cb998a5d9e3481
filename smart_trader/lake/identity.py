"""What a lake states about itself: its version and its data source, in a small file at its root.

Each set of schemas in a lake (dbt's targets with a prefix have their own) has its own file: `_lake.json`, or
`_lake.<prefix>.json`.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Self

import pyarrow.fs
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.atomic import write_whole
from smart_trader.lake.store import arrow_location, check_store

# What this project writes. smart_trader/pipeline/upgrade.py has a step for each number up to it.
LAKE_VERSION = 2
IDENTITY_NAME = "_lake.json"
# There while a restore is on its way; a lake that holds it is half a lake.
RESTORING_NAME = "_restoring.json"
LAYERS = ("bronze", "silver", "gold", "snapshots")


class LakeIdentity(BaseModel):
    """The file's content; a later project may have added more.

    Attributes:
        version: Form of the lake's tables.
        source: Where its rows come from (birdeye, sandbox or replay); None while that is not known.
        created_at: When the lake began, or was first given a version.
        written_by: Version of the project that wrote the file.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = Field(ge=0)
    source: str | None = None
    created_at: AwareDatetime
    written_by: str = ""

    @classmethod
    def new(cls, source: str | None = None, lake_version: int = LAKE_VERSION) -> Self:
        """Return the identity of a lake that begins now."""
        return cls(version=lake_version, source=source, created_at=datetime.now(UTC), written_by=project_version())


class NewerLakeError(SmartTraderError):
    """The lake was written by a newer project."""


def project_version() -> str:
    """Return the version of the installed project."""
    try:
        return version("smart-trader")
    except PackageNotFoundError:
        return "unknown"


def schema_prefix() -> str:
    """Return what dbt's current target puts before the schemas' names; empty, or ending in `_`."""
    return schema_name("")


def identity_location(paths: LakePaths, prefix: str = "") -> str:
    """Return where the file lies."""
    name = f"_lake.{prefix.rstrip('_')}.json" if prefix else IDENTITY_NAME
    return _at_root(paths, name)


def read_identity(paths: LakePaths, prefix: str | None = None) -> LakeIdentity | None:
    """Return what a lake states about itself; None for one that states nothing, which is new or of version 0.

    Args:
        paths: The lake.
        prefix: Of its schemas; default: the current target's.

    Raises:
        SmartTraderError: The file is there and cannot be read.
    """
    location = identity_location(paths, schema_prefix() if prefix is None else prefix)
    content = _read(location)
    if content is None:
        return None
    try:
        return LakeIdentity.model_validate_json(content)
    except ValidationError as error:
        raise SmartTraderError(
            f"{location} cannot be read: {error.errors()[0]['msg']}",
            "put it back from a backup; or delete it, and run smart-trader upgrade: that takes the lake for an old one",
        ) from None


def write_identity(paths: LakePaths, identity: LakeIdentity, prefix: str | None = None) -> None:
    """Write what a lake states about itself, all of it or nothing. The caller holds the lake's lock.

    Raises:
        SmartTraderError: The lake cannot be written.
    """
    location = identity_location(paths, schema_prefix() if prefix is None else prefix)
    write_whole(location, identity.model_dump_json(indent=1).encode())


def claim_source(paths: LakePaths, source: str, prefix: str | None = None) -> None:
    """Note where a lake's rows come from, once and for ever. The caller holds the lake's lock.

    Raises:
        SettingsError: It holds rows of another source.
    """
    identity = read_identity(paths, prefix)
    if identity is None:
        # tables without an identity are those of an earlier project, which an upgrade still has to see to
        identity = LakeIdentity.new(lake_version=0 if has_tables(paths, prefix) else LAKE_VERSION)
    if identity.source is None:
        write_identity(paths, identity.model_copy(update={"source": source}), prefix)
    elif identity.source != source:
        raise other_source(identity.source, source)


def other_source(held: str, wanted: str) -> SettingsError:
    """Return the error of a run that would mix sources."""
    return SettingsError(
        f"this lake holds {held} data, this run would land {wanted} data",
        "point LAKEHOUSE_HOME at another folder: real and made-up data never mix",
    )


def ensure_usable(paths: LakePaths, prefix: str | None = None, *, is_set: bool = True) -> None:
    """Refuse a lake that a newer project has written, and one that is only half restored.

    Args:
        paths: The lake.
        prefix: Of its schemas; default: the current target's.
        is_set: Whether the settings name it; if not, its path was given.

    Raises:
        SmartTraderError: It is one of these.
    """
    if _read(_at_root(paths, RESTORING_NAME)) is not None:
        raise SmartTraderError(
            f"the lake {paths.uri} is only half restored: a restore was cut short",
            "run the same smart-trader restore again; it begins from the start",
        )
    identity = read_identity(paths, prefix)
    if identity is not None and identity.version > LAKE_VERSION:
        raise NewerLakeError(
            f"the lake {paths.uri} is of version {identity.version}, written by smart-trader {identity.written_by}; "
            f"this project ({project_version()}) knows versions up to {LAKE_VERSION}",
            "update the project, or "
            + ("point LAKEHOUSE_HOME and LAKEHOUSE_URI at another lake" if is_set else "open another lake"),
        )


def ensure_exists(paths: LakePaths, prefix: str | None = None, *, is_set: bool = True) -> None:
    """Refuse a place where there is no lake yet, so that a mistyped one is named and not made.

    Args:
        paths: The lake.
        prefix: Of its schemas; default: the current target's.
        is_set: Whether the settings name it; if not, its path was given.

    Raises:
        SmartTraderError: There is none, its store cannot be read, or it is one that cannot be used.
    """
    if not paths.is_local:
        # a store that answers anything would seem to hold a lake
        check_store(paths.uri)
    ensure_usable(paths, prefix, is_set=is_set)
    before = schema_prefix() if prefix is None else prefix
    if read_identity(paths, before) is None and not has_tables(paths, before):
        which = f" with schemas {before}*" if before else ""
        place = paths.uri.removeprefix("file:")
        raise SmartTraderError(
            f"there is no lake{which} in {place}",
            "correct LAKEHOUSE_HOME (or LAKEHOUSE_URI, DBT_TARGET) if it lies elsewhere; or make one: "
            "smart-trader run --demo, or python -m loaders init for empty tables"
            if is_set
            else f"correct the path {place} (or DBT_TARGET) if it lies elsewhere; or make one there: "
            f"LAKEHOUSE_HOME={shlex.quote(place)} smart-trader run --demo",
        )


def begin_lake(paths: LakePaths, prefix: str | None = None) -> None:
    """Give a lake that holds nothing yet the current version. The caller holds the lake's lock."""
    if read_identity(paths, prefix) is None and not has_tables(paths, prefix):
        write_identity(paths, LakeIdentity.new(), prefix)


def has_tables(paths: LakePaths, prefix: str | None = None) -> bool:
    """Whether any folder of a schema is there."""
    before = schema_prefix() if prefix is None else prefix
    found = [arrow_location(_at_root(paths, before + layer)) for layer in LAYERS]
    return any(files.get_file_info(path).type != pyarrow.fs.FileType.NotFound for files, path in found)


def _read(location: str) -> bytes | None:
    files, path = arrow_location(location)
    try:
        with files.open_input_stream(path) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SmartTraderError(f"cannot read {location}: {error.strerror or error}", "make the lake readable") from None


def _at_root(paths: LakePaths, name: str) -> str:
    root = str(paths.local_root) if paths.is_local else paths.uri
    return f"{root}/{name}"
