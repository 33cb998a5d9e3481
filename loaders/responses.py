"""Takes response bodies apart without losing a digit: the rows of a page, and their fields as Arrow columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pyarrow as pa
from dlt.common.normalizers.naming.snake_case import NamingConvention

from loaders.errors import RowRefusedError
from loaders.loose_json import as_bytes, as_text, elements, members
from loaders.tables import Column, Kind, NewColumns, Table
from smart_trader.addresses import is_address
from smart_trader.console import one_line

Row = dict[str, Any]

LINEAGE = {"_dlt_id", "_dlt_load_id"}
NOTHING = type(None)
MOST_INTEGER = 2**63
# what the API takes as a time at most
LAST_TIME = 10**10
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# A page on which more of the rows are odd than one in so many is a change of the API, not one odd row.
ODD_ROWS_SHARE = 10
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
        has_next: Whether more follows, as the API reports or as a page beyond its limit shows; None where neither does.
        is_missing: There was null in place of a listing, as for addresses that the API does not know.
        numbers: Position of each row in the body.
        surplus: Rows beyond the requested limit; they are not among the rows.
        odd: Rows that cannot be read and are set apart.
    """

    texts: list[str]
    rows: list[Row]
    has_next: bool | None
    is_missing: bool = False
    numbers: tuple[int, ...] = ()
    surplus: int = 0
    odd: tuple[RowRefusedError, ...] = ()

    def without(self, odd: RowRefusedError) -> Page:
        """Return the page with a row set apart.

        Raises:
            RowRefusedError: It is no single row, or too many are odd: then none of them is the exception.
        """
        total = len(self.rows) + len(self.odd)
        count = len(self.odd) + 1
        if odd.row is None or count == total or count > max(1, total // ODD_ROWS_SHARE):
            raise odd
        kept = [index for index, number in enumerate(self.numbers) if number != odd.row]
        return replace(
            self,
            texts=[self.texts[index] for index in kept],
            rows=[self.rows[index] for index in kept],
            numbers=tuple(self.numbers[index] for index in kept),
            odd=(*self.odd, odd),
        )


_data = msgspec.json.Decoder(_Data | None)
_row = msgspec.json.Decoder(float_hook=Number)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_naming = NamingConvention()


def read_page(data: bytes, where: str, limit: int | None = None, *, sets_apart: bool = False) -> Page:
    """Read the `data` of a response; null and a missing list are an empty page.

    Args:
        data: The JSON text under `data`.
        where: What was requested, for the message of an error.
        limit: Rows that were requested; what a page holds beyond them is left out.
        sets_apart: A row that cannot be read is set apart instead of refused with the page, if it is the exception.

    Raises:
        RowRefusedError: It is no listing, or a row is no object.
    """
    try:
        listing = _data.decode(data)
    except msgspec.ValidationError as error:
        raise RowRefusedError(where, None, "data", str(error)) from None
    except UNREADABLE as error:
        listing = _read_loosely(data, where, error)
    raws = (listing.items if listing else None) or []
    surplus = 0 if limit is None else max(0, len(raws) - limit)
    raws = raws[:limit]
    reported = None
    if listing is not None:
        reported = listing.has_next if listing.has_next is not None else listing.has_next_camel
    has_next = True if surplus else reported
    texts, rows, refused = [], [], []
    for index, raw in enumerate(raws):
        try:
            rows.append(_read_row(bytes(raw), where, index))
            texts.append(bytes(raw).decode())
        except RowRefusedError as error:
            if not sets_apart:
                raise
            refused.append(error)
            rows.append({})
            texts.append("")
    page = Page(texts, rows, has_next, listing is None, tuple(range(len(rows))), surplus)
    for odd in refused:
        page = page.without(odd)
    return page


def read_object(data: bytes, where: str) -> Page:
    """Read a `data` that is one object, as a page of one row; null is a page of none.

    Raises:
        RowRefusedError: It is no object.
    """
    if data.strip() == b"null":
        return Page([], [], None, is_missing=True)
    row = _read_row(data, where, 0)
    return Page([data.decode()], [row], None, numbers=(0,))


def read_map(data: bytes, where: str) -> dict[str, bytes]:
    """Read a `data` that maps names to values; returns each value's own JSON text.

    Raises:
        RowRefusedError: It is no map.
    """
    with suppress(*UNREADABLE):
        return {name: bytes(raw) for name, raw in _raw_fields.decode(data).items()}
    # one value may be no JSON
    try:
        return {name: as_bytes(text) for name, text in members(as_text(data)).items()}
    except (ValueError, RecursionError) as error:
        raise RowRefusedError(where, None, "data", str(error)) from None


def _read_loosely(data: bytes, where: str, error: Exception) -> _Data:
    """Read a listing in which some value is no JSON."""
    try:
        found = members(as_text(data))
        items = [msgspec.Raw(as_bytes(item)) for item in elements(found["items"])]
        more = (found.get(name, "null").encode() for name in ("has_next", "hasNext"))
        return _Data(items, *(msgspec.json.decode(flag, type=bool | None) for flag in more))
    except (ValueError, KeyError, *UNREADABLE):
        raise RowRefusedError(where, None, "data", str(error)) from None


def _read_row(raw: bytes, where: str, index: int) -> Row:
    try:
        row = _row.decode(raw)
    except UNREADABLE as error:
        raise _make_unreadable_error(raw, where, index, error) from None
    if not isinstance(row, dict):
        raise RowRefusedError(where, index, "row", f"{_shorten(row)} is no object")
    return row


def _make_unreadable_error(raw: bytes, where: str, index: int, error: Exception) -> RowRefusedError:
    """Name which field of a row is no JSON, and whose row it is."""
    try:
        found = {name: as_bytes(text) for name, text in members(as_text(raw)).items()}
    except (ValueError, RecursionError):
        return RowRefusedError(where, index, "row", str(error))
    bad = next((name for name, value in found.items() if not _is_json(value)), "row")
    fields = {name: _row.decode(value) for name, value in found.items() if name in LABELS and _is_json(value)}
    problem = f"{_shorten(as_text(found.get(bad, raw)))} is no JSON value" if bad != "row" else str(error)
    return RowRefusedError(where, index, bad, problem, _find_label(fields))


def _is_json(value: bytes) -> bool:
    try:
        _row.decode(value)
    except UNREADABLE:
        return False
    return True


def page_table(
    table: Table, page: Page, where: str, stamps: dict[str, pa.Array], new_columns: NewColumns | None = None
) -> pa.Table:
    """Turn a page into rows of a bronze table.

    Args:
        table: The table.
        page: Rows of the API.
        where: What was requested, for the message of an error.
        stamps: The stamp columns that vary by row; the others are filled later.
        new_columns: Decides which fields that the table does not know land.

    Returns:
        The given stamps, `item`, every field of the table and, as text, fields it does not know.

    Raises:
        RowRefusedError: A known field is missing where it must not, or is of another type; names row and field.
    """
    parser = PageParser(page, where, new_columns or NewColumns(table))
    names = dict(stamps)
    if any(column.name == "item" for column in table.stamps):
        names["item"] = pa.array(page.texts, pa.string())
    taken = {column.name for column in table.columns} | LINEAGE
    names |= parser.columns(page.rows, table.fields, (), taken, set(table.legs or ()))
    for leg, columns in (table.legs or {}).items():
        names |= parser.columns(parser.objects(leg), columns, (leg,), taken, set())
    return pa.table(names)


def readable_table(
    table: Table,
    page: Page,
    where: str,
    stamps: Callable[[Page], dict[str, pa.Array]],
    new_columns: NewColumns | None = None,
) -> tuple[pa.Table, Page]:
    """Turn what can be read of a page into rows of a bronze table; an odd row is set apart.

    Returns:
        The rows, and the page without those set apart.

    Raises:
        RowRefusedError: Too many rows are odd.
    """
    while True:
        try:
            return page_table(table, page, where, stamps(page), new_columns), page
        except RowRefusedError as odd:
            page = page.without(odd)


@dataclass(frozen=True, slots=True)
class PageParser:
    """Reads the columns of one page."""

    page: Page
    where: str
    new_columns: NewColumns

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
            known.add(column.wire_name)
            values = [fields.get(column.wire_name) for fields in objects]
            made["__".join((*path, column.name))] = self._make_column(values, column, (*path, column.wire_name))
        unknown = sorted(set[str]().union(*(fields.keys() - known for fields in objects)))
        landing = {name: _naming.normalize_path("__".join((*path, name))) for name in unknown if name.strip("_ ")}
        # a name that would become one we have stays in the row's own text
        chosen = self.new_columns.choose(landed for landed in landing.values() if landed not in taken)
        for name, landed in landing.items():
            if landed in chosen and landed not in taken:
                taken.add(landed)
                made[landed] = self._read_texts([fields.get(name) for fields in objects], (*path, name))
        return made

    def _make_column(self, values: list[Any], column: Column, path: tuple[str, ...]) -> pa.Array:
        """Check one field's types and make it a column."""
        name = ".".join(path)
        allowed, meaning = _TYPES[column.kind]
        self._check(values, name, allowed if column.is_required else allowed | {NOTHING}, meaning)
        if column.kind is Kind.JSON:
            return self._read_texts(values, path)
        if column.kind in (Kind.INTEGER, Kind.UNIX_TIME):
            self._check_each(values, name, _is_int64 if column.kind is Kind.INTEGER else _is_unix_time, meaning)
            values = [int(Decimal(value)) if type(value) is Number else value for value in values]
        elif column.kind is Kind.AMOUNT:
            self._check_each(values, name, _is_decimal, meaning)
        elif column.kind is Kind.ADDRESS:
            self._check_each(values, name, _is_address, "a Solana address")
        if column.kind in (Kind.NUMBER, Kind.AMOUNT):
            values = [None if value is None else str(value) for value in values]
        return pa.array(values, column.field.type)

    def _read_texts(self, values: list[Any], path: tuple[str, ...]) -> pa.Array:
        """Return values as they stood on the wire, strings without their quotes."""
        texts = (None if value is None else self._read_text(index, value, path) for index, value in enumerate(values))
        return pa.array(texts, pa.string())

    def _read_text(self, index: int, value: Any, path: tuple[str, ...]) -> str:
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
                number, label = self.page.numbers[index], _find_label(self.page.rows[index])
                raise RowRefusedError(self.where, number, name, f"{_shorten(value)} is not {meaning}", label)


_TYPES: dict[Kind, tuple[set[type], str]] = {
    Kind.TEXT: ({str}, "text"),
    Kind.ADDRESS: ({str}, "text"),
    Kind.NUMBER: ({int, Number}, "a number"),
    Kind.AMOUNT: ({int, Number, str}, "a number"),
    Kind.INTEGER: ({int, Number}, "a whole number of 64 bits"),
    Kind.UNIX_TIME: ({int, Number}, "a time in unix seconds"),
    Kind.FLAG: ({bool}, "true or false"),
    Kind.JSON: ({dict, list}, "an object or a list"),
}


LABELS = ("tx_hash", "token_account", "address")


def _find_label(row: Row) -> str:
    """Return what names a row."""
    return next((f"{key} {_shorten(row[key])}" for key in LABELS if row.get(key)), "")


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


def _is_unix_time(value: int | Number | None) -> bool:
    return value is None or (_is_int64(value) and 0 < int(Decimal(value)) <= LAST_TIME)


def _is_address(value: str | None) -> bool:
    return value is None or is_address(value)


def _is_decimal(value: int | str | None) -> bool:
    return not isinstance(value, str) or DECIMAL.fullmatch(value) is not None


def _shorten(value: Any) -> str:
    try:
        text = one_line(repr(str(value) if isinstance(value, Number) else value))
    except RecursionError:
        text = f"a {type(value).__name__} nested too deep"
    return text if len(text) <= 80 else f"{text[:80]}..."
