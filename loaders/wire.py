"""Takes response bodies apart without losing a digit: the rows of a page, and their fields as Arrow columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention

from loaders.errors import RowRefusedError
from loaders.tables import Column, Kind, Table

Row = dict[str, Any]

LINEAGE = {"_dlt_id", "_dlt_load_id"}
NOTHING = type(None)
MOST_INTEGER = 2**63
# what the API takes as a time at most
LAST_MOMENT = 10**10
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# JSON knows no largest exponent, but with one of millions every decimal takes seconds to compute
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


class Number(str):
    """A number with a point or an exponent, as it stood on the wire."""

    __slots__ = ()


class _Data(msgspec.Struct):
    items: list[msgspec.Raw] | None = None
    has_next: bool | None = None
    has_next_camel: bool | None = msgspec.field(default=None, name="hasNext")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    Attributes:
        texts: Each row as it stood in the body.
        rows: The same rows, parsed; numbers with a point are `Number`, others int.
        has_next: Whether the API says that more follows; None where it says nothing.
        is_missing: There was null in place of a listing, as for addresses that the API does not know.
    """

    texts: list[str]
    rows: list[Row]
    has_next: bool | None
    is_missing: bool = False


_data = msgspec.json.Decoder(_Data | None)
_row = msgspec.json.Decoder(float_hook=Number)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_naming = NamingConvention()


def read_page(data: bytes, where: str) -> Page:
    """Read the `data` of a response; null and a missing list are an empty page.

    Args:
        data: The JSON text under `data`.
        where: What was asked, for the message of an error.

    Raises:
        RowRefusedError: It is no listing, or a row is no object.
    """
    try:
        listing = _data.decode(data)
    except UNREADABLE as error:
        raise RowRefusedError(where, None, "data", str(error)) from None
    raws = (listing.items if listing else None) or []
    rows = []
    for index, raw in enumerate(raws):
        try:
            row = _row.decode(raw)
        except UNREADABLE as error:
            raise RowRefusedError(where, index, "row", str(error)) from None
        if not isinstance(row, dict):
            raise RowRefusedError(where, index, "row", f"{_shown(row)} is no object")
        rows.append(row)
    texts = [bytes(raw).decode() for raw in raws]
    has_next = None
    if listing is not None:
        has_next = listing.has_next if listing.has_next is not None else listing.has_next_camel
    return Page(texts, rows, has_next, listing is None)


def page_table(table: Table, page: Page, where: str, stamps: dict[str, pa.Array]) -> pa.Table:
    """Turn a page into rows of a bronze table.

    Args:
        table: The table.
        page: Rows of the API.
        where: What was asked, for the message of an error.
        stamps: The stamp columns that vary by row; the others are filled later.

    Returns:
        The given stamps, `item`, every field of the table and, as text, every field it does not know.

    Raises:
        RowRefusedError: A known field is missing where it must not, or is of another type; names row and field.
    """
    cutter = _Cutter(page, where)
    names = dict(stamps)
    if any(column.name == "item" for column in table.stamps):
        names["item"] = pa.array(page.texts, pa.string())
    taken = {column.name for column in table.columns} | LINEAGE
    names |= cutter.columns(page.rows, table.fields, (), taken, set(table.legs or ()))
    for leg, columns in (table.legs or {}).items():
        names |= cutter.columns(cutter.objects(leg), columns, (leg,), taken, set())
    return pa.table(names)


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Reads the columns of one page."""

    page: Page
    where: str

    def objects(self, name: str) -> list[Row]:
        """Return a nested object of every row."""
        values = [row.get(name) for row in self.page.rows]
        self._check(values, name, {dict}, "an object")
        return values  # type: ignore[return-value]

    def columns(
        self, objects: list[Row], columns: Iterable[Column], path: tuple[str, ...], taken: set[str], nested: set[str]
    ) -> dict[str, pa.Array]:
        """Read the fields of one object of every row: the known ones by their kind, the others as text."""
        made = {}
        known = set(nested)
        for column in columns:
            known.add(column.name)
            values = [fields.get(column.name) for fields in objects]
            made["__".join((*path, column.name))] = self._column(values, column, (*path, column.name))
        for name in sorted(set[str]().union(*(fields.keys() - known for fields in objects))):
            landed = _naming.normalize_path("__".join((*path, name))) if name.strip("_ ") else ""
            # a name that would become one we have stays in the row's own text
            if landed and landed not in taken:
                taken.add(landed)
                made[landed] = self._texts([fields.get(name) for fields in objects], (*path, name))
        return made

    def _column(self, values: list[Any], column: Column, path: tuple[str, ...]) -> pa.Array:
        """Check one field's types and make it a column."""
        name = ".".join(path)
        allowed, meaning = _TYPES[column.kind]
        self._check(values, name, allowed if column.is_required else allowed | {NOTHING}, meaning)
        if column.kind is Kind.JSON:
            return self._texts(values, path)
        if column.kind in (Kind.INTEGER, Kind.MOMENT):
            self._check_each(values, name, _is_int64 if column.kind is Kind.INTEGER else _is_moment, meaning)
            values = [int(Decimal(value)) if type(value) is Number else value for value in values]
        elif column.kind is Kind.AMOUNT:
            self._check_each(values, name, _is_decimal, meaning)
        if column.kind in (Kind.NUMBER, Kind.AMOUNT):
            values = [None if value is None else str(value) for value in values]
        return pa.array(values, column.field.type)

    def _texts(self, values: list[Any], path: tuple[str, ...]) -> pa.Array:
        """Return values as they stood on the wire, strings without their quotes."""
        texts = (None if value is None else self._text(index, value, path) for index, value in enumerate(values))
        return pa.array(texts, pa.string())

    def _text(self, index: int, value: Any, path: tuple[str, ...]) -> str:
        if isinstance(value, str):
            return str(value)
        raw = self.page.texts[index].encode()
        for step in path:
            raw = bytes(_raw_fields.decode(raw)[step])
        return raw.decode()

    def _check(self, values: list[Any], name: str, allowed: set[type], meaning: str) -> None:
        # types are compared as sets: a loop over the rows would cost more than all the rest
        if not set(map(type, values)) <= allowed:
            self._check_each(values, name, lambda value: type(value) in allowed, meaning)

    def _check_each(self, values: list[Any], name: str, is_good: Callable[[Any], bool], meaning: str) -> None:
        for index, value in enumerate(values):
            if not is_good(value):
                raise RowRefusedError(self.where, index, name, f"{_shown(value)} is not {meaning}", self._label(index))

    def _label(self, index: int) -> str:
        row = self.page.rows[index]
        keys = ("tx_hash", "token_account", "address")
        return next((f"{key} {_shown(row[key])}" for key in keys if row.get(key)), "")


_TYPES: dict[Kind, tuple[set[type], str]] = {
    Kind.TEXT: ({str}, "text"),
    Kind.NUMBER: ({int, Number}, "a number"),
    Kind.AMOUNT: ({int, Number, str}, "a number"),
    Kind.INTEGER: ({int, Number}, "a whole number of 64 bits"),
    Kind.MOMENT: ({int, Number}, "a time in unix seconds"),
    Kind.FLAG: ({bool}, "true or false"),
    Kind.JSON: ({dict, list}, "an object or a list"),
}


def _is_int64(value: int | Number | None) -> bool:
    if type(value) is Number:
        try:
            exact = Decimal(value)
        except InvalidOperation:
            # an exponent that no Decimal has
            return False
        # compared first: a huge one cannot be computed with
        return -MOST_INTEGER <= exact < MOST_INTEGER and exact == exact.to_integral_value()
    return value is None or -MOST_INTEGER <= int(value) < MOST_INTEGER


def _is_moment(value: int | Number) -> bool:
    return _is_int64(value) and 0 < int(Decimal(value)) <= LAST_MOMENT


def _is_decimal(value: int | str | None) -> bool:
    return not isinstance(value, str) or DECIMAL.fullmatch(value) is not None


def _shown(value: Any) -> str:
    try:
        text = repr(str(value) if isinstance(value, Number) else value)
    except RecursionError:
        text = f"a {type(value).__name__} nested too deep"
    return text if len(text) <= 80 else f"{text[:80]}..."
