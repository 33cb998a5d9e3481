"""Which swap rows are the same: the identity the whole project counts by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from loaders.wire import Row


class RowKey(NamedTuple):
    """Identity of a swap row.

    A row with an instruction number counts once, however often it is served. Rows without one (openbook fills) can be
    equal to the letter, so `occurrence` tells them apart: the position among equal rows of one page.
    """

    time: int
    tx_hash: str
    owner: str
    pool: str | None
    ins_index: int | None
    inner_ins_index: int | None
    legs: tuple[tuple[str, str | None, int | Decimal | None], ...]
    occurrence: int = 1

    @property
    def is_numbered(self) -> bool:
        """Whether the row has an instruction number."""
        return self.ins_index is not None


def row_keys(rows: Iterable[Row]) -> Iterator[RowKey]:
    """Return each row's key; types are expected to be checked."""
    for row in rows:
        yield RowKey(
            int(row["block_unix_time"]),
            row["tx_hash"],
            row["owner"],
            row.get("address"),
            row.get("ins_index"),
            row.get("inner_ins_index"),
            tuple((leg["address"], leg.get("type_swap"), _canonical(leg.get("amount"))) for leg in _legs(row)),
        )


def _legs(row: Row) -> Iterator[Row]:
    yield row["base"]
    yield row["quote"]


def _canonical(amount: Any) -> int | Decimal | None:
    """Return a value that is equal for equal amounts: 5, "5" and 5.0 are one amount."""
    return Decimal(amount) if isinstance(amount, str) else amount
