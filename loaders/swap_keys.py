"""Which swap rows are the same: the identity the whole project counts by."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import pyarrow as pa


class RowKey(NamedTuple):
    """Identity of a swap row.

    A row with an instruction number counts once, however often it is served. Rows without one (openbook fills) can be
    equal to the letter, so `occurrence` distinguishes them: the position among equal rows of one page.
    """

    time: int
    tx_hash: str
    owner: str
    pool: str | None
    ins_index: int | None
    inner_ins_index: int | None
    legs: tuple[tuple[str, str | None, Decimal | None], ...]
    occurrence: int = 1

    @property
    def is_numbered(self) -> bool:
        """Whether the row has an instruction number."""
        return self.ins_index is not None


def row_keys(rows: pa.Table) -> list[RowKey]:
    """Return each row's key, from the columns: what the wire writes in several ways is one value there."""
    fields = zip(*(rows[name].to_pylist() for name in _FIELDS), strict=True)
    legs = zip(*(_legs(rows, leg) for leg in ("base", "quote")), strict=True)
    return [RowKey._make((*values, pair, 1)) for values, pair in zip(fields, legs, strict=True)]


_FIELDS = ("block_unix_time", "tx_hash", "owner", "address", "ins_index", "inner_ins_index")


def _legs(rows: pa.Table, leg: str) -> list[tuple[str, str | None, Decimal | None]]:
    addresses, sides, amounts = (rows[f"{leg}__{name}"].to_pylist() for name in ("address", "type_swap", "amount"))
    # 5, "5" and 5.0 are one amount
    exact = (None if amount is None else Decimal(amount) for amount in amounts)
    return list(zip(addresses, sides, exact, strict=True))
