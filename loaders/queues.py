"""What to ask for: work items from dbt's queue tables, from the command line, and what earlier fetches know of them.

Tables are read straight from Delta, without a JVM.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from loaders.retry import RETRY
from loaders.tables import FETCH_LOG
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import is_table, read_table

ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
STANDARD_INPUT = "-"
SHOWN_FAULTS = 3


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


def queued_items(queue: str, as_of: datetime) -> list[WorkItem]:
    """Read what is due from a queue table, in its order.

    Args:
        queue: Folder or address of the Delta table.
        as_of: The run's moment.

    Raises:
        SmartTraderError: There is no such table yet.
    """
    if not is_table(queue):
        raise SmartTraderError(f"no work list yet: there is no table {queue}", "run: dbt build")
    table = read_table(queue)
    due = table.filter(pc.less_equal(table["due_at"], pa.scalar(as_of, table.schema.field("due_at").type)))
    due = due.sort_by([("queue_rank", "ascending"), ("item", "ascending")])
    names = [name for name in WorkItem.__dataclass_fields__ if name in due.column_names]
    return [WorkItem(**row) for row in due.select(names).to_pylist()]


def given_items(source: str, flag: str) -> list[WorkItem]:
    """Read addresses that a person gives: a file with one a line, `-` for standard input, or a list with commas.

    Empty lines and what follows a `#` are passed over; an address given twice counts once.

    Raises:
        SmartTraderError: There is no such file, or a line is no Solana address; names the lines.
    """
    if source == STANDARD_INPUT:
        lines = sys.stdin.read().splitlines()
    elif ADDRESS.fullmatch(source.split(",")[0].strip()):
        lines = source.split(",")
    else:
        try:
            lines = Path(source).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise SmartTraderError(
                f"{flag} {source}: cannot read it: {why}", "name a file, - or addresses with commas"
            ) from None
    addresses = list(dict.fromkeys(_addresses(lines, flag)))
    if not addresses:
        raise SmartTraderError(f"{flag} {source}: no address in it", "give one address a line")
    return [WorkItem(address, "given") for address in addresses]


def _addresses(lines: Iterable[str], flag: str) -> Iterator[str]:
    faults = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text and not ADDRESS.fullmatch(text):
            faults.append(f"line {number}: {text[:60]!r}")
        elif text:
            yield text
    if faults:
        more = f" and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise SmartTraderError(
            f"{flag}: no Solana address: {'; '.join(faults[:SHOWN_FAULTS])}{more}",
            "an address has 32 to 44 letters and digits, without 0, O, I and l",
        )


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
