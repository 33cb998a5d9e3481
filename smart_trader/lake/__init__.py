"""The lake's files: where they lie, who may write them, and how they are read without Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smart_trader.lake.opened import OpenLake


def open(home: str | Path | None = None) -> OpenLake:
    """Open a lake for reading by SQL, in this process and without a server.

    Args:
        home: Its folder, a relative one below the process's own; default: the lake that the settings name
            (LAKEHOUSE_HOME, LAKEHOUSE_URI).

    Raises:
        SmartTraderError: It is not there, a newer project has written it, or it is only half restored.
    """
    # the libraries that read it are imported by those alone who open one
    from smart_trader.lake.opened import open_lake

    return open_lake(home)
