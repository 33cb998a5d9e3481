"""What to fetch: work items from dbt's queue tables, from the command line, and what earlier fetches know of them.

Tables are read straight from Delta, without a JVM.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loaders.retry import RETRY
from loaders.work_items import WorkItem
from smart_trader.addresses import ADDRESS_FIX, check_addresses, is_address, shown
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.delta import is_one_of, is_table, read_table
from smart_trader.text_files import read_standard_input, read_text

STANDARD_INPUT = "-"
# What every queue has beside its items: when each is due, and in which order they are fetched.
ORDER_COLUMNS = ("due_at", "queue_rank")
KNOWN_COLUMNS = ("item", "newest_time", "resume_before_time", "resume_since_time", "as_of", "landed_at")
GIVEN_FIX = "name a file with one address a line, - for standard input, or addresses with commas between"


def queued_items(queue: str, as_of: datetime, columns: Iterable[str] = (), has_bronze: bool = True) -> list[WorkItem]:
    """Read what is due from a queue table, in its order.

    Args:
        queue: Folder or address of the Delta table.
        as_of: The run's time.
        columns: Columns with what earlier fetches know of an item, beside those that every queue has.
        has_bronze: Whether the loaders' tables are there, without which nothing can be built.

    Raises:
        SmartTraderError: There is no such table yet, or it lacks a column.
    """
    if not is_table(queue):
        commands = [*([] if has_bronze else ["python -m loaders init"]), "dbt build"]
        raise SmartTraderError(f"no work list yet: there is no table {queue}", f"run: {', then: '.join(commands)}")
    table = read_table(queue)
    known = ["item", *columns]
    missing = [name for name in (*known, *ORDER_COLUMNS) if name not in table.column_names]
    if missing:
        raise SmartTraderError(
            f"the work list {queue} lacks {', '.join(missing)}", "build it by this version of the project: dbt build"
        )
    due = table.filter(pc.less_equal(table["due_at"], pa.scalar(as_of, table.schema.field("due_at").type)))
    due = due.sort_by([("queue_rank", "ascending"), ("item", "ascending")])
    return [WorkItem(**row) for row in due.select(known).to_pylist()]


def read_addresses(source: str, option: str) -> list[str]:
    """Read addresses that a person gives: a file with one a line, `-` for standard input, or a list with commas.

    Empty lines and what follows a `#` are passed over; an address given twice counts once.

    Raises:
        SettingsError: There is no such file, or a line is no Solana address; names the lines.
    """
    if not source.strip():
        raise SettingsError(f"{option} is empty", GIVEN_FIX)
    addresses = check_addresses(_read_given_texts(source, option), option)
    if not addresses:
        raise SettingsError(f"{option} {shown(source)}: no address in it", "give one address a line")
    return addresses


def _read_given_texts(source: str, option: str) -> list[tuple[str, str]]:
    """Return what is given, each text with the line it stands in; a list has no lines.

    Raises:
        SettingsError: It is neither a file that can be read nor a list.
    """
    parts = [part.strip() for part in source.split(",") if part.strip()]
    if source == STANDARD_INPUT:
        text = read_standard_input()
    elif parts and not is_address(parts[0]) and os.path.exists(source):
        text = read_text(Path(source), f"{option} {source}", GIVEN_FIX)
    elif len(parts) != 1 or is_address(parts[0]):
        return [("", part) for part in parts]
    else:
        raise SettingsError(
            f"{option} {shown(source)}: no such file, and no Solana address", f"{GIVEN_FIX}; {ADDRESS_FIX}"
        )
    lines = enumerate((line.partition("#")[0].strip() for line in text.splitlines()), 1)
    return [(f"line {number}", line) for number, line in lines if line]


def with_known_swaps(items: list[WorkItem], fetch_log: str) -> list[WorkItem]:
    """Fill in what earlier fetches know of given wallets, so that a fetch goes on instead of starting again.

    Args:
        items: Wallets.
        fetch_log: Folder or address of `bronze.fetch_log`.
    """
    wanted = [item.item for item in items]
    rows = read_table(
        fetch_log,
        KNOWN_COLUMNS,
        # a request to retry is no fetch, and knows of no swap
        (pc.field("kind") == "swaps") & (pc.field("outcome") != RETRY) & is_one_of("item", wanted),
    ).sort_by([("as_of", "ascending"), ("landed_at", "ascending")])
    newest: dict[str, int] = {}
    known: dict[str, WorkItem] = {}
    for row in rows.to_pylist():
        name = row["item"]
        if row["newest_time"] is not None:
            newest[name] = max(row["newest_time"], newest.get(name, row["newest_time"]))
        # the newest fetch names what is left over
        known[name] = WorkItem(name, "given", newest.get(name), row["resume_before_time"], row["resume_since_time"])
    return [known.get(item.item, item) for item in items]
