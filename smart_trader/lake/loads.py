"""The list of loads that have landed whole: dlt writes a small file for each, as the last thing that it does."""

from __future__ import annotations

from pathlib import PurePosixPath

import pyarrow.fs

from smart_trader.lake.reader import Lake
from smart_trader.lake.store import arrow_location

LOADS = "_dlt_loads"


def load_files(lake: Lake) -> tuple[pyarrow.fs.FileSystem, dict[str, list[str]]]:
    """Return the paths of the list's files by load, which their names end in, and where to read them.

    A load that was killed after its first file may have two.
    """
    files, folder = arrow_location(lake.location("bronze", LOADS))
    paths: dict[str, list[str]] = {}
    for info in files.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True)):
        if info.extension == "jsonl":
            paths.setdefault(PurePosixPath(info.path).stem.rpartition("__")[2], []).append(info.path)
    return files, paths
