"""Runs dbt on the embedded engine and kills it in one table's commit.

A commit takes milliseconds, which nobody outside the process can hit for sure. So the process kills itself, as hard as
the system would: with the commit's files written and either no entry of them in the table's log, or its entry.

    python -m tests.python.support.dbt_killed_in_commit SCHEMA/TABLE data|logged ARGUMENTS...
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbt.adapters.sparkconnect.embedded.writes import Writer
from dbt.cli.main import cli


def kill_in_commit(table: str, is_logged: bool) -> None:
    """Let this process die in the next commit of a table that changes it.

    Args:
        table: The table, as `market_silver/wallet_pnl`.
        is_logged: Whether the commit's entry is in the log then.
    """
    commit = Writer._commit

    def commit_and_die(writer: Writer, schema: str, name: str, write: Callable[[], Any]) -> None:
        log = Path(writer._lake.storage.folder(schema, name)) / "_delta_log"
        before = set(log.glob("*"))
        commit(writer, schema, name, write)
        entries = set(log.glob("*")) - before
        if f"{schema}/{name}" != table or not entries:
            return
        if not is_logged:
            # delta-rs writes files and entry in one call; without the entry the folder is as it was between them
            for entry in entries:
                entry.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    Writer._commit = commit_and_die  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_in_commit(sys.argv[1], sys.argv[2] == "logged")
    cli(sys.argv[3:])
