"""Look-ups of single tokens: how one was made, and what some are worth.

`/defi/token_creation_info` is asked for one token, `/defi/multi_price` for up to 100. That the API knows nothing
of a token is an answer: the fetch is complete, without a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loaders.errors import RowRefusedError, UnusableAnswerError
from loaders.pages import FetchedPage, ItemClient
from loaders.responses import page_table, read_map, read_object
from loaders.work_items import WorkItem

NOTHING = b"null"


def token_creation(client: ItemClient, token: WorkItem) -> Iterator[FetchedPage]:
    """Yield how a token was made."""

    def read(data: bytes) -> FetchedPage:
        page = read_object(data, client.where)
        if page.rows and page.rows[0].get("tokenAddress", token.item) != token.item:
            raise UnusableAnswerError(f"{client.where}: the answer is of another token")
        return FetchedPage(page_table(client.table, page, client.where, {}, client.new_columns))

    yield client.execute({"address": token.item}, read)


def token_prices(client: ItemClient, tokens: Sequence[WorkItem]) -> Iterator[tuple[str, FetchedPage | RowRefusedError]]:
    """Yield each token with its price and the liquidity of its pools, or with what is odd about them.

    The answer is a map: a token that is null in it, or not in it, has no price.
    """
    names = [token.item for token in tokens]
    query, posted = {"include_liquidity": "true"}, {"list_address": ",".join(names)}
    found = client.post(query, posted, len(names), lambda data: read_map(data, client.where))
    for name in names:
        where = f"{client.where}: {name}"
        try:
            page = read_object(found.get(name, NOTHING), where)
            yield name, FetchedPage(page_table(client.table, page, where, {}, client.new_columns))
        except RowRefusedError as odd:
            yield name, odd
