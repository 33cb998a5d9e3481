"""Pages as the resources yield them, and what the page of any resource is checked for.

A page that cannot be true, such as an empty one where rows are known to be, is no answer: taken at its word, it would
end a history for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from loaders.client import ApiRequest, BirdeyeClient, RequestCost
from loaders.errors import NoAnswerError
from loaders.responses import Page
from loaders.settings import LoaderSettings
from loaders.tables import NewColumns, Table
from loaders.work_items import TimeWindow

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """What one page adds to a fetch; of a batch, what one answer has of one of its items.

    Attributes:
        rows: Rows that the fetch did not have yet, without the stamps that all rows share.
        set_apart: What was left out of the page, row by row, with the reason.
        block_times: Block time of its oldest and of its newest row, for swaps.
        left_over: The window that a later fetch goes on with if this one ends here.
        reached_oldest: The API reported that nothing older follows.
    """

    rows: pa.Table
    set_apart: list[str] = field(default_factory=list)
    block_times: tuple[int, int] | None = None
    left_over: TimeWindow | None = None
    reached_oldest: bool = False


@dataclass(frozen=True, slots=True)
class ItemClient:
    """Sends the requests of one work item, or of a batch.

    Attributes:
        client: Sends them.
        endpoint: Path of the item's resource.
        table: Where its rows belong.
        where: Names the item in errors.
        settings: Budgets and filters.
        as_of: The run's time, unix seconds.
        cost: Counts what the item costs.
        new_columns: Decides which unknown fields land; None admits a table's worth of them.
    """

    client: BirdeyeClient
    endpoint: str
    table: Table
    where: str
    settings: LoaderSettings
    as_of: int
    cost: RequestCost
    new_columns: NewColumns | None = None

    def execute(self, query: Mapping[str, Any], read: Callable[[bytes], Answer]) -> Answer:
        """Send one request; see `BirdeyeClient.execute`."""
        return self.client.execute(ApiRequest(self.endpoint, query), self.cost, read)

    def post(
        self, query: Mapping[str, Any], posted: Mapping[str, Any], names: int, read: Callable[[bytes], Answer]
    ) -> Answer:
        """Post one request that names several items; see `BirdeyeClient.execute`."""
        return self.client.execute(ApiRequest(self.endpoint, query, posted, names), self.cost, read)

    def refuse_missing(self, page: Page, *, has_rows: bool) -> None:
        """Refuse a page without a list: taken for an empty one, it would mean that nothing older follows.

        Args:
            page: The answer.
            has_rows: Whether the listing is known to have rows.

        Raises:
            NoAnswerError: There is null in place of a listing that has rows, or an empty page announces more.
        """
        if page.is_missing and has_rows:
            why = "null in place of a listing that has rows"
        elif not page.rows and not page.odd and page.has_next:
            why = "an empty page says that more follows"
        else:
            return
        raise NoAnswerError(
            f"{self.endpoint}: {self.where}: {why}", "the item stays pending; run again later", self.endpoint, None
        )

    def list_left_out(self, page: Page, limit: int) -> list[str]:
        """Return what of a page is not among its rows, each with the reason."""
        left_out = [odd.what for odd in page.odd]
        if page.surplus:
            left_out.append(f"{self.where}: {page.surplus} rows beyond the {limit} that were requested")
        return left_out


def is_last(page: Page, limit: int) -> bool:
    """Whether nothing follows a page that could have had `limit` rows."""
    return not page.has_next if page.has_next is not None else len(page.rows) + len(page.odd) < limit
