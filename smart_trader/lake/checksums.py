"""Finds files of a lake that can no longer be read, or have changed.

Spark writes a checksum with each page of a Parquet file. delta-rs writes none, so runs note a SHA-256 of each bronze
file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from smart_trader.config.paths import LakePaths
from smart_trader.config.schemas import schema_name
from smart_trader.lake.atomic import write_whole
from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location

CHUNK_BYTES = 1 << 20
CHECKSUMS_NAME = "checksums.json"


def unreadable_file(location: str, names: Iterable[str]) -> str | None:
    """Return the first file of a table that cannot be read to its end, with the reason; None where all can."""
    files, folder = arrow_location(location)
    for name in names:
        try:
            with files.open_input_file(f"{folder}/{name}") as source:
                # by the page: a checksum that does not hold, or what cannot be unpacked, is an error
                for _ in pq.ParquetFile(source, page_checksum_verification=True).iter_batches():
                    pass
        except (OSError, pa.ArrowException) as error:
            return f"{name}: {' '.join(str(error).split())[:200]}"
    return None


def record_checksums(lake: Lake, tables: Iterable[str]) -> int:
    """Note the checksum of each bronze file that has none yet; returns how many. The caller holds the lake's lock.

    Files of a Delta table never change, so one that differs later is corrupted. A store checks its objects itself.

    Args:
        lake: The lake.
        tables: Names of the bronze tables.

    Raises:
        SmartTraderError: A table cannot be read, or the note cannot be written.
    """
    if not lake.paths.is_local:
        return 0
    known = _read_recorded(lake.paths)
    root = str(lake.paths.local_root)
    current = {name: known.get(name) or _sha256(f"{root}/{name}") for name in _bronze_files(lake, tables)}
    # other targets' tables, with schemas of their own, are noted in the same file
    own = f"{schema_name('bronze')}/"
    others = {name: digest for name, digest in known.items() if not name.startswith(own)}
    if current.keys() != known.keys() - others.keys():
        write_whole(str(lake.paths.home / CHECKSUMS_NAME), json.dumps(others | current).encode())
    return len(current.keys() - known.keys())


def changed_file(lake: Lake, table: tuple[str, str], names: Iterable[str]) -> str | None:
    """Return the first file of a table that is no longer what a run has noted; None where all are.

    Args:
        lake: The lake.
        table: Schema and name.
        names: Its files.
    """
    known = _read_recorded(lake.paths)
    for name in names:
        noted = known.get(f"{table[0]}/{table[1]}/{name}")
        if noted is not None and _sha256(f"{lake.paths.table(*table)}/{name}") != noted:
            return f"{name}: its checksum is not the one noted when it was new"
    return None


def _bronze_files(lake: Lake, tables: Iterable[str]) -> list[str]:
    """Return the files of bronze by their path in the lake, which stays true where a lake is moved."""
    found = []
    for table in tables:
        if lake.has("bronze", table):
            actions = lake.delta("bronze", table).get_add_actions(flatten=True)
            found += [f"{schema_name('bronze')}/{table}/{path}" for path in actions["path"].to_pylist()]
    return found


def _read_recorded(paths: LakePaths) -> dict[str, str]:
    try:
        recorded = json.loads((paths.home / CHECKSUMS_NAME).read_text())
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def _sha256(name: str) -> str:
    files, path = arrow_location(name)
    digest = hashlib.sha256()
    with files.open_input_stream(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
