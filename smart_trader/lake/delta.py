"""Reads Delta tables straight from their files: no server, no JVM."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, DeltaProtocolError

from smart_trader.errors import SmartTraderError
from smart_trader.lake.store import arrow_location, check_reachable, is_remote, storage_options

REPAIR_FIX = "run: smart-trader repair"
FEATURE_FIX = "take the feature away on Spark (alter table ... drop feature), then run this again"
BACKUP_FIX = (
    f"{REPAIR_FIX}, which names all that is broken; bronze and histories cannot be made again: they come back from a "
    "backup (smart-trader restore)"
)
# delta-rs lists its own calls below some messages
_CALLS = re.compile(r"\n\s*0: ")
_KEPT = re.compile(r"(bronze|snapshots)[./]")


def cause_of(error: BaseException) -> str:
    """Return the message of an error of Delta or Arrow, on one line and without the calls that led to it."""
    return " ".join(_CALLS.split(str(error), maxsplit=1)[0].split())[:300]


def repair_fix(words: str) -> str:
    """Return what to do about a broken table.

    Args:
        words: Its location, or a message that names it.
    """
    return BACKUP_FIX if _KEPT.search(words) else REPAIR_FIX


class BrokenTableError(SmartTraderError):
    """A table is there and cannot be read.

    Attributes:
        location: Where it lies.
    """

    def __init__(self, location: str, error: BaseException) -> None:
        self.location = location
        super().__init__(f"cannot read the table {location}: {cause_of(error)}", repair_fix(location))


def is_table(location: str) -> bool:
    """Whether a Delta table is there.

    Raises:
        BrokenTableError: What is there cannot be read.
    """
    try:
        return DeltaTable.is_deltatable(location, storage_options(location))
    except OSError as error:
        raise explain_unreadable(location, error) from None


def table_names(folder: str) -> list[str]:
    """Return the names of the Delta tables in a folder, sorted; none where it is not there."""
    files, path = arrow_location(folder)
    found = files.get_file_info(pyarrow.fs.FileSelector(path, allow_not_found=True))
    names = sorted(info.base_name for info in found if info.type == pyarrow.fs.FileType.Directory)
    logs = files.get_file_info([f"{path}/{name}/_delta_log" for name in names]) if names else []
    return [name for name, log in zip(names, logs, strict=True) if log.type == pyarrow.fs.FileType.Directory]


def open_table(location: str) -> DeltaTable:
    """Open a table at its newest version.

    Raises:
        BrokenTableError: Its log cannot be read.
    """
    try:
        return DeltaTable(location, storage_options=storage_options(location))
    except (DeltaError, OSError, ValueError) as error:
        raise explain_unreadable(location, error) from None


def read_table(location: str, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
    """Read a table, or some columns and rows of it.

    Raises:
        BrokenTableError: Its log or one of its files cannot be read.
        SmartTraderError: It uses a feature of Delta that is not known here.
    """
    try:
        return _dataset(location).to_table(list(columns) if columns else None, filter=where)
    except (OSError, pa.ArrowInvalid) as error:
        raise explain_unreadable(location, error) from None


def is_one_of(column: str, texts: Collection[str]) -> pc.Expression:
    """Return the condition that a text column holds one of some texts; of none it holds none.

    Arrow takes an empty list for one of nulls. Without the cast it compares the texts with a file's least and largest
    value, which may be string views. It refuses both.
    """
    return pc.field(column).cast(pa.string()).isin(pa.array(list(texts), pa.string()))


def first_value(location: str, column: str) -> object:
    """Return a column's value in one row, or None where there are no rows.

    Raises:
        BrokenTableError: Its log or one of its files cannot be read.
        SmartTraderError: It uses a feature of Delta that is not known here.
    """
    try:
        rows = _dataset(location).head(1, columns=[column])
    except (OSError, pa.ArrowInvalid) as error:
        raise explain_unreadable(location, error) from None
    return rows[column][0].as_py() if rows.num_rows else None


def explain_unreadable(location: str, error: BaseException) -> SmartTraderError:
    """Return the error of a table that cannot be read; a store that is out of reach shows nothing about its tables."""
    if is_remote(location):
        try:
            check_reachable(location)
        except SmartTraderError as cause:
            return cause
    return BrokenTableError(location, error)


def _dataset(location: str) -> pyarrow.dataset.Dataset:
    """Open a table's files through Arrow's own file system.

    Delta's would call back into Python from Arrow's threads, which ends a process with an abort when a callback comes
    while the interpreter shuts down.

    Raises:
        BrokenTableError: The table's log cannot be read.
        SmartTraderError: It uses what a plain reader of its files would read wrong.
    """
    table = open_table(location)
    files, path = arrow_location(location)
    root = path if is_remote(location) else str(Path(path).resolve())
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        # delta-rs refuses it by its name alone, which a table of an earlier protocol need not have
        raise SmartTraderError(f"cannot read the table {location}: it uses column mapping", FEATURE_FIX)
    try:
        return table.to_pyarrow_dataset(filesystem=pyarrow.fs.SubTreeFileSystem(root, files))
    except DeltaProtocolError as error:
        raise SmartTraderError(f"cannot read the table {location}: {cause_of(error)}", FEATURE_FIX) from None
