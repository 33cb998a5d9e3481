"""Requests to try items again that were left alone after failures: rows of `fetch_log`, and no edit of any state."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import UTC, datetime

from loaders.bronze import Bronze
from loaders.resources import RESOURCES
from loaders.tables import FETCH_LOG
from smart_trader.errors import SmartTraderError
from smart_trader.lake.delta import is_one_of, read_table

RETRY = "retry"
KINDS = tuple(resource.kind for resource in RESOURCES if resource.queue)
SHOWN_ITEMS = 5


def find_fetched_items(bronze: Bronze, items: Collection[str]) -> set[tuple[str, str]]:
    """Return kind and address of those items that were ever requested.

    Raises:
        SmartTraderError: One of them never was; names it.
    """
    wanted = is_one_of("kind", KINDS) & is_one_of("item", items)
    rows = read_table(bronze.location(FETCH_LOG), ["kind", "item"], wanted).to_pylist() if bronze.has(FETCH_LOG) else []
    found = {(row["kind"], row["item"]) for row in rows}
    unknown = sorted({*items} - {item for _, item in found})
    if unknown:
        more = f" and {len(unknown) - SHOWN_ITEMS} more" if len(unknown) > SHOWN_ITEMS else ""
        raise SmartTraderError(
            f"never requested in this lake: {', '.join(unknown[:SHOWN_ITEMS])}{more}",
            "give a token or a wallet whose fetches failed; `smart-trader status` lists those that are left alone",
        )
    return found


def request_retry(bronze: Bronze, items: Collection[tuple[str, str]], as_of: datetime) -> None:
    """Land a request for each item: failures before it count as no attempt. The caller holds the lake's lock.

    Args:
        bronze: The lake's tables.
        items: Kind of fetch and address of each.
        as_of: Time of the request.

    Raises:
        SmartTraderError: The lake cannot be written.
    """
    landed_at, run_id = datetime.now(UTC), f"retry-{uuid.uuid4().hex[:6]}"
    rows = [
        {
            "fetch_id": uuid.uuid4().hex,
            "kind": kind,
            "item": item,
            "outcome": RETRY,
            "origin": "queue",
            "data_source": bronze.data_source(),
            "run_id": run_id,
            "as_of": as_of,
            "landed_at": landed_at,
            "error": None,
            "pages": 0,
            "rows": 0,
            "cu": 0,
            "oldest_time": None,
            "newest_time": None,
            "resume_before_time": None,
            "resume_since_time": None,
            "reached_oldest": None,
        }
        for kind, item in sorted(items)
    ]
    bronze.land({FETCH_LOG: FETCH_LOG.table_of(rows)})
