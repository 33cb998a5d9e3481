"""The catalog is a cache: it names tables by absolute places, so that of a copied or moved lake is dropped.

What the catalog knows follows from the lake's files: `smart-trader run` and `repair` register every table.
"""

from __future__ import annotations

import shutil

from smart_trader.config.paths import LakePaths
from smart_trader.console import ProgressFn
from smart_trader.lake.atomic import write_file


def drop_if_of_another_root(paths: LakePaths, progress: ProgressFn) -> None:
    """Drop the metastore unless it is known to name tables of this lake's root; call it while no server has it open.

    Dropping tables one by one would delete the files of those that Spark made, which may be the original's.

    Raises:
        OSError: It cannot be removed or written.
    """
    root = paths.spark_uri
    noted = paths.metastore_root.read_text().strip() if paths.metastore_root.is_file() else None
    if noted == root:
        return
    if paths.metastore.exists():
        shutil.rmtree(paths.metastore)
        progress(f"the catalog is made again: it named tables of {noted or 'a root that it does not say'}, not {root}")
    write_file(paths.metastore_root, root + "\n")
