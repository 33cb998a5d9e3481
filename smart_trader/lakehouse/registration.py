"""Brings Spark's catalog up to date with the lake's folders: the catalog is a cache, the folders are what counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pyarrow.fs

from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import DERIVED_SCHEMAS, schema_name
from smart_trader.console import ProgressFn
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import table_names
from smart_trader.lake.store import arrow_location

SqlClient = Callable[[str], list[tuple[object, ...]]]
Name = tuple[str, str]
# A line of what `show table extended` prints.
LOCATION = re.compile(r"^Location: (.+)$", re.MULTILINE)


def synchronize(paths: LakePaths, execute: SqlClient, progress: ProgressFn) -> list[Name]:
    """Register the tables that the catalog does not know, and drop those that the lake has no more.

    A kill between a table's first commit and its entry leaves one unknown, a lost metastore leaves all, and so does
    each table that the embedded engine was first to make.

    Returns:
        What was registered.

    Raises:
        SmartTraderError: The catalog names a table that lies outside the lake.
    """
    known = known_locations(paths, execute)
    for schema, name in sorted(name for name in known if _is_gone(paths.table(*name))):
        # there are no files that this could delete
        execute(f"drop table if exists {schema}.{name}")
        progress(f"{schema}.{name}: taken out of the catalog")
    missing = [name for name in derived_tables(paths) if name not in known and _has_commit(paths.table(*name))]
    for schema in dict.fromkeys(schema for schema, _ in missing):
        execute(f"create schema if not exists {schema} location '{_quoted(f'{paths.spark_uri}/{schema}')}'")
    for schema, name in missing:
        location = _quoted(f"{paths.spark_uri}/{schema}/{name}")
        execute(f"create table if not exists {schema}.{name} using delta location '{location}'")
        progress(f"{schema}.{name}: registered")
    return missing


def known_locations(paths: LakePaths, execute: SqlClient) -> set[Name]:
    """Return schema and name of each derived table that the catalog knows.

    Raises:
        SmartTraderError: One lies outside the lake; what is built would be written there. The lake's own server drops
            such a catalog when it starts; one that several machines share, nobody may drop for them.
    """
    known = set()
    for name, location in registered_locations(execute):
        if not is_below(location, paths.spark_uri):
            raise SmartTraderError(
                f"the catalog says that {name} lies at {location}, outside of this lake, {paths.spark_uri}",
                "the lake was copied or moved: run smart-trader lakehouse stop, then this again; a cluster needs a "
                "metastore of its own for each lake",
            )
        schema, _, table = name.partition(".")
        if table and schema != schema_name("bronze"):
            known.add((schema, table))
    return known


def registered_locations(execute: SqlClient) -> Iterator[tuple[str, str]]:
    """Yield each of our schemas and tables that the catalog knows, and where it places them."""
    ours = {schema_name(schema) for schema in ("bronze", *DERIVED_SCHEMAS)}
    for schema in sorted({str(row[0]) for row in execute("show schemas")} & ours):
        yield from ((schema, str(row[1])) for row in execute(f"describe schema {schema}") if row[0] == "Location")
        for _, table, _, facts in execute(f"show table extended in {schema} like '*'"):
            found = LOCATION.search(str(facts))
            # a view has none
            if found:
                yield f"{schema}.{table}", found[1].strip()


def is_below(location: str, root: str) -> bool:
    """Whether a place is in a lake; Spark writes one slash or three after `file:`, and escapes some letters."""
    place, base = (unquote(text).replace("file:///", "file:/").rstrip("/") for text in (location, root))
    return place == base or place.startswith(f"{base}/")


def derived_tables(paths: LakePaths) -> Iterator[Name]:
    """Yield schema and name of each table that dbt writes, the schema's prefix included."""
    for schema in map(schema_name, DERIVED_SCHEMAS):
        yield from ((schema, name) for name in table_names(paths.table(schema, "").rstrip("/")))


def _is_gone(location: str) -> bool:
    files, folder = arrow_location(location)
    return bool(files.get_file_info(folder).type == pyarrow.fs.FileType.NotFound)


def _has_commit(location: str) -> bool:
    files, folder = arrow_location(location)
    log = files.get_file_info(pyarrow.fs.FileSelector(f"{folder}/_delta_log", allow_not_found=True))
    return any(info.extension == "json" for info in log)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
