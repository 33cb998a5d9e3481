"""Listings, paged by offset: the token list, and a token's holders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from loaders.errors import UnusableAnswerError
from loaders.pages import FetchedPage, ItemClient, is_last
from loaders.responses import Page, read_page, readable_table
from loaders.work_items import WorkItem
from smart_trader.birdeye import MAX_OFFSET, PAGE_ROWS


def token_list(client: ItemClient, item: WorkItem) -> Iterator[FetchedPage]:
    """Yield the tokens that pass the API's filters, best first, to `token_limit`."""
    yield from _paginate(client, client.settings.token_query(), client.settings.token_limit, "address", {})


def token_holders(client: ItemClient, token: WorkItem) -> Iterator[FetchedPage]:
    """Yield a token's largest holders, to `max_whales_per_token`."""
    limit, stamps = client.settings.max_whales_per_token, {"token_address": token.item}
    yield from _paginate(client, {"address": token.item}, limit, "token_account", stamps)


def _paginate(
    client: ItemClient, query: Mapping[str, Any], limit: int, key: str, stamps: Mapping[str, str]
) -> Iterator[FetchedPage]:
    """Page a listing. It moves between pages, so a row may come twice: the first one counts.

    For the same reason nothing distinguishes a wrong empty page from a list that has become shorter; the whole list is
    read again in a later run.

    Args:
        client: Sends the requests.
        query: Which listing.
        limit: Rows at most.
        key: Field that distinguishes rows.
        stamps: Columns that all rows share, by name.
    """
    seen: set[Any] = set()
    end = min(limit, MAX_OFFSET)
    for offset in range(0, end, PAGE_ROWS):
        size = min(PAGE_ROWS, end - offset)

        def read(data: bytes, offset: int = offset, size: int = size) -> tuple[pa.Table, Page]:
            page = read_page(data, client.where, size, sets_apart=True)
            client.refuse_missing(page, has_rows=bool(offset))
            table, page = readable_table(
                client.table, page, client.where, lambda page: _stamp(page, offset, stamps), client.new_columns
            )
            if seen and len(page.rows) == size and seen.issuperset(row[key] for row in page.rows):
                raise UnusableAnswerError(
                    f"{client.where}: the rows at offset {offset} are all rows of the pages before"
                )
            return table, page

        table, page = client.execute({**query, "offset": offset, "limit": size}, read)
        new = []
        for index, row in enumerate(page.rows):
            if row[key] not in seen:
                seen.add(row[key])
                new.append(index)
        yield FetchedPage(table.take(pa.array(new, pa.int64())), client.list_left_out(page, size))
        if not page.rows or is_last(page, size):
            return


def _stamp(page: Page, offset: int, stamps: Mapping[str, str]) -> dict[str, pa.Array]:
    positions = [offset + number for number in page.numbers]
    shared = {name: pa.repeat(pa.scalar(value), len(positions)) for name, value in stamps.items()}
    return {"list_position": pa.array(positions, pa.int64()), **shared}
