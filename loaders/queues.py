"""What to ask for: work items from dbt's queue tables, from the command line, and what earlier fetches know of them.

Tables are read straight from Delta, without a JVM.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loaders.retry import RETRY
from loaders.tables import FETCH_LOG
from smart_trader.addresses import ADDRESS_FIX, check_addresses, is_address, shown
from smart_trader.delta import is_table, read_table
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.text_files import read_standard_input, read_text

STANDARD_INPUT = "-"
GIVEN_FIX = "name a file with one address a line, - for standard input, or addresses with commas between"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A token or wallet to fetch.

    Attributes:
        item: Its address.
        origin: queue, or given on the command line.
        newest_known_time: Block time of the newest swap that is landed; None before the first fetch.
        resume_before_time: Where an unfinished fetch goes on; None where nothing is left over.
        resume_since_time: How far back that one goes; None is to the first swap.
    """

    item: str
    origin: str = "queue"
    newest_known_time: int | None = None
    resume_before_time: int | None = None
    resume_since_time: int | None = None


def queued_items(queue: str, as_of: datetime, has_bronze: bool = True) -> list[WorkItem]:
    """Read what is due from a queue table, in its order.

    Args:
        queue: Folder or address of the Delta table.
        as_of: The run's moment.
        has_bronze: Whether the loaders' tables are there, without which nothing can be built.

    Raises:
        SmartTraderError: There is no such table yet.
    """
    if not is_table(queue):
        commands = [*([] if has_bronze else ["python -m loaders init"]), "dbt build"]
        raise SmartTraderError(f"no work list yet: there is no table {queue}", f"run: {', then: '.join(commands)}")
    table = read_table(queue)
    due = table.filter(pc.less_equal(table["due_at"], pa.scalar(as_of, table.schema.field("due_at").type)))
    due = due.sort_by([("queue_rank", "ascending"), ("item", "ascending")])
    names = [name for name in WorkItem.__dataclass_fields__ if name in due.column_names]
    return [WorkItem(**row) for row in due.select(names).to_pylist()]


def given_items(source: str, flag: str) -> list[WorkItem]:
    """Read addresses that a person gives: a file with one a line, `-` for standard input, or a list with commas.

    Empty lines and what follows a `#` are passed over; an address given twice counts once.

    Raises:
        SettingsError: There is no such file, or a line is no Solana address; names the lines.
    """
    if not source.strip():
        raise SettingsError(f"{flag} is empty", GIVEN_FIX)
    addresses = check_addresses(_given_texts(source, flag), flag)
    if not addresses:
        raise SettingsError(f"{flag} {shown(source)}: no address in it", "give one address a line")
    return [WorkItem(address, "given") for address in addresses]


def _given_texts(source: str, flag: str) -> list[tuple[str, str]]:
    """Return what is given, each text with the line it stands in; a list has no lines.

    Raises:
        SettingsError: It is neither a file that can be read nor a list.
    """
    parts = [part.strip() for part in source.split(",") if part.strip()]
    if source == STANDARD_INPUT:
        text = read_standard_input()
    elif parts and not is_address(parts[0]) and os.path.exists(source):
        text = read_text(Path(source), f"{flag} {source}", GIVEN_FIX)
    elif len(parts) != 1 or is_address(parts[0]):
        return [("", part) for part in parts]
    else:
        raise SettingsError(
            f"{flag} {shown(source)}: no such file, and no Solana address", f"{GIVEN_FIX}; {ADDRESS_FIX}"
        )
    lines = enumerate((line.partition("#")[0].strip() for line in text.splitlines()), 1)
    return [(f"line {number}", line) for number, line in lines if line]


def with_known_swaps(items: list[WorkItem], fetch_log: str) -> list[WorkItem]:
    """Fill in what earlier fetches know of given wallets, so that a fetch goes on instead of starting anew.

    Args:
        items: Wallets.
        fetch_log: Folder or address of `bronze.fetch_log`.
    """
    wanted = pa.array([item.item for item in items], pa.string())
    columns = ["item", "as_of", "landed_at", *WorkItem.__dataclass_fields__, "newest_time"]
    rows = read_table(
        fetch_log,
        [name for name in FETCH_LOG.schema.names if name in columns],
        # a request to retry is no fetch, and knows of no swap
        (pc.field("kind") == "swaps") & (pc.field("outcome") != RETRY) & pc.field("item").isin(wanted),
    ).sort_by([("as_of", "ascending"), ("landed_at", "ascending")])
    newest: dict[str, int] = {}
    known: dict[str, WorkItem] = {}
    for row in rows.to_pylist():
        name = row["item"]
        if row["newest_time"] is not None:
            newest[name] = max(row["newest_time"], newest.get(name, row["newest_time"]))
        # the newest fetch says what is left over
        known[name] = WorkItem(name, "given", newest.get(name), row["resume_before_time"], row["resume_since_time"])
    return [known.get(item.item, item) for item in items]
