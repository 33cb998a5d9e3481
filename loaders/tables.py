"""The bronze tables' columns: the one place that lists which fields a row has and of which kind they are.

Both the Arrow schema that a table lands with and dlt's column hints come from here, so an all-null column exists. A
field of the API that is not named here lands as text of its own, as it stood on the wire, up to a number of them.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa

from smart_trader.console import one_line

logger = logging.getLogger(__name__)


# Columns a table may gain by fields that are not named here. Every load writes and reads all columns for good, so a
# server that makes up names would slow the lake down for ever. What is beyond stays in the row's own `item`.
MOST_NEW_COLUMNS = 100


class Kind(Enum):
    """What a column holds; the wire's form of money and quantities is kept as text, to the last digit."""

    TEXT = "text"
    ADDRESS = "address"
    """A Solana address: base58 of 32 bytes."""
    NUMBER = "number"
    """Text of a JSON number."""
    AMOUNT = "amount"
    """Text of a JSON number or of a string that holds one; the API sends both."""
    INTEGER = "integer"
    UNIX_TIME = "unix_time"
    """A time in unix seconds, to the year 2286."""
    FLAG = "flag"
    JSON = "json"
    """Text of an object or a list."""
    TIMESTAMP = "timestamp"
    """UTC; never from the wire."""


_ARROW = {
    Kind.INTEGER: pa.int64(),
    Kind.UNIX_TIME: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
}
_DLT = {Kind.INTEGER: "bigint", Kind.UNIX_TIME: "bigint", Kind.FLAG: "bool", Kind.TIMESTAMP: "timestamp"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column and, for a field of the API, whether a row may come without it and what the API calls it.

    Attributes:
        name: Its name.
        kind: What it holds.
        is_required: Whether a row without it is refused.
        wire: The field's name in an answer, where that is another one.
    """

    name: str
    kind: Kind
    is_required: bool = False
    wire: str = ""

    @property
    def wire_name(self) -> str:
        """The field's name in an answer."""
        return self.wire or self.name

    @property
    def field(self) -> pa.Field:
        """The column in Arrow; nullable always, since what is required is checked with a message of its own."""
        return pa.field(self.name, _ARROW.get(self.kind, pa.string()))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A bronze table.

    Attributes:
        name: Its name, and its folder's.
        stamps: Columns the loader fills: whose fetch brought the row, when, from where.
        fields: Columns that are fields of an API row.
        legs: Names of nested objects that are flattened as `<leg>__<field>`, with their fields.
    """

    name: str
    stamps: tuple[Column, ...]
    fields: tuple[Column, ...] = ()
    legs: Mapping[str, tuple[Column, ...]] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, stamps first: readers find a file's rows by the statistics of its first columns."""
        legs = (
            Column(f"{leg}__{column.name}", column.kind)
            for leg, columns in (self.legs or {}).items()
            for column in columns
        )
        return (*self.stamps, *self.fields, *legs)

    @property
    def schema(self) -> pa.Schema:
        """The table in Arrow."""
        return pa.schema([column.field for column in self.columns])

    def table_of(self, rows: Sequence[Mapping[str, object]]) -> pa.Table:
        """Return rows in Arrow.

        Raises:
            ValueError: A row lacks a column, or has one that the table does not have: it would land as null, or not.
        """
        for row in rows:
            if differing := row.keys() ^ set(self.schema.names):
                raise ValueError(f"{self.name}: a row differs from the table's columns by {sorted(differing)}")
        return pa.Table.from_pylist(list(rows), self.schema)

    @property
    def hints(self) -> dict[str, Any]:
        """The column hints that dlt takes."""
        return {
            column.name: {"name": column.name, "data_type": _DLT.get(column.kind, "text"), "nullable": True}
            for column in self.columns
        }


class NewColumns:
    """Decides which unknown fields of a table become columns; safe to share between threads.

    Args:
        table: The table.
        present: Columns it has in the lake already: these are always taken.
    """

    def __init__(self, table: Table, present: Iterable[str] = ()) -> None:
        self._table = table
        self._admitted = set(present) - {column.name for column in table.columns}
        self._lock = threading.Lock()
        self._is_full = False

    def choose(self, names: Iterable[str]) -> set[str]:
        """Return which of some fields' columns may land; those that did before come first."""
        with self._lock:
            wanted = set(names)
            room = max(0, MOST_NEW_COLUMNS - len(self._admitted))
            new = sorted(wanted - self._admitted)
            if len(new) > room and not self._is_full:
                self._is_full = True
                logger.warning(
                    "%s: the API has sent more than %s unknown fields, %s is the first that gets no column; its value "
                    "stays in the column item",
                    self._table.name, MOST_NEW_COLUMNS, one_line(new[room])[:60],
                )  # fmt: skip
            self._admitted.update(new[:room])
            return wanted & self._admitted


def _columns(kind: Kind, *names: str, is_required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, kind, is_required) for name in names)


def _camel_columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    """Return columns of an endpoint that writes its fields in camel case."""
    return tuple(Column(name, kind, wire=re.sub("_(.)", lambda match: match[1].upper(), name)) for name in names)


_SHORT = ("1h", "2h", "4h", "8h", "24h")
_LONG = ("7d", "30d")
_FLOWS = ("24h", *_LONG)

TOKEN_METRICS = Table(
    "token_metrics",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "data_source"),
        *_columns(Kind.TIMESTAMP, "observed_at", "landed_at"),
        *_columns(Kind.INTEGER, "list_position"),
        *_columns(Kind.TEXT, "item"),
    ),
    fields=(
        *_columns(Kind.ADDRESS, "address", is_required=True),
        *_columns(Kind.TEXT, "symbol", "name", "logo_uri"),
        *_columns(Kind.INTEGER, "decimals", "holder", "last_trade_unix_time", "recent_listing_time"),
        *_columns(Kind.NUMBER, "price", "liquidity", "market_cap", "fdv", "total_supply", "circulating_supply"),
        *_columns(Kind.NUMBER, "multiplier"),
        *_columns(Kind.FLAG, "is_scaled_ui_token"),
        *_columns(Kind.NUMBER, *(f"volume_{window}_usd" for window in _SHORT + _LONG)),
        *_columns(Kind.NUMBER, *(f"volume_{window}_change_percent" for window in _SHORT + _LONG)),
        *_columns(Kind.NUMBER, *(f"price_change_{window}_percent" for window in _SHORT + _LONG)),
        *_columns(Kind.INTEGER, *(f"trade_{window}_count" for window in _SHORT + _LONG)),
        *_columns(Kind.INTEGER, *(f"{side}_{window}" for side in ("buy", "sell") for window in _FLOWS)),
        *_columns(Kind.NUMBER, *(f"{side}_{window}_change_percent" for side in ("buy", "sell") for window in _FLOWS)),
        *_columns(Kind.NUMBER, *(f"volume_{side}_{window}_usd" for side in ("buy", "sell") for window in _FLOWS)),
        *_columns(
            Kind.NUMBER, *(f"volume_{side}_{window}_change_percent" for side in ("buy", "sell") for window in _FLOWS)
        ),
        *_columns(Kind.INTEGER, "unique_wallet_24h"),
        *_columns(Kind.NUMBER, "unique_wallet_24h_change_percent"),
        *_columns(Kind.JSON, "extensions"),
    ),
)

WHALE_HOLDERS = Table(
    "whale_holders",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "data_source", "token_address"),
        *_columns(Kind.TIMESTAMP, "observed_at", "landed_at"),
        *_columns(Kind.INTEGER, "list_position"),
        *_columns(Kind.TEXT, "item"),
    ),
    fields=(
        *_columns(Kind.ADDRESS, "owner", "token_account", is_required=True),
        *_columns(Kind.ADDRESS, "mint"),
        *_columns(Kind.AMOUNT, "amount", is_required=True),
        *_columns(Kind.NUMBER, "ui_amount", "multiplier"),
        *_columns(Kind.INTEGER, "decimals"),
        *_columns(Kind.FLAG, "is_scaled_ui_token"),
    ),
)

_LEG = (
    *_columns(Kind.ADDRESS, "address", is_required=True),
    *_columns(Kind.TEXT, "symbol", "type", "type_swap"),
    *_columns(Kind.INTEGER, "decimals"),
    *_columns(Kind.AMOUNT, "amount", "change_amount", "ui_amount", "ui_change_amount"),
    *_columns(Kind.NUMBER, "price", "nearest_price", "multiplier"),
    *_columns(Kind.FLAG, "is_scaled_ui_token"),
    *_columns(Kind.JSON, "fee_info"),
)

TRANSACTION_HISTORY = Table(
    "transaction_history",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "data_source", "wallet_address"),
        *_columns(Kind.TIMESTAMP, "fetched_at", "landed_at"),
        *_columns(Kind.INTEGER, "occurrence"),
        *_columns(Kind.TEXT, "item"),
    ),
    fields=(
        *_columns(Kind.UNIX_TIME, "block_unix_time", is_required=True),
        *_columns(Kind.INTEGER, "block_number", "ins_index", "inner_ins_index"),
        *_columns(Kind.TEXT, "tx_hash", is_required=True),
        *_columns(Kind.ADDRESS, "owner", is_required=True),
        *_columns(Kind.TEXT, "address", "source", "tx_type", "interacted_program_id"),
        *_columns(Kind.NUMBER, "base_price", "quote_price", "volume", "volume_usd"),
        *_columns(Kind.JSON, "signers"),
    ),
    legs={"base": _LEG, "quote": _LEG},
)

TOKEN_CREATIONS = Table(
    "token_creations",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "data_source", "token_address"),
        *_columns(Kind.TIMESTAMP, "observed_at", "landed_at"),
        *_columns(Kind.TEXT, "item"),
    ),
    fields=(
        Column("mint", Kind.ADDRESS, wire="tokenAddress"),
        *_camel_columns(Kind.UNIX_TIME, "block_unix_time"),
        *_camel_columns(Kind.TEXT, "block_human_time", "tx_hash"),
        *_camel_columns(Kind.INTEGER, "slot", "decimals"),
        *_camel_columns(Kind.ADDRESS, "owner"),
    ),
)

TOKEN_PRICES = Table(
    "token_prices",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "data_source", "token_address"),
        *_columns(Kind.TIMESTAMP, "observed_at", "landed_at"),
        *_columns(Kind.TEXT, "item"),
    ),
    fields=(
        *_camel_columns(Kind.NUMBER, "value", "liquidity", "price_in_native"),
        Column("price_change_24h_percent", Kind.NUMBER, wire="priceChange24h"),
        *_camel_columns(Kind.UNIX_TIME, "update_unix_time"),
        *_camel_columns(Kind.TEXT, "update_human_time"),
        *_camel_columns(Kind.FLAG, "is_scaled_ui_token"),
        *_camel_columns(Kind.NUMBER, "multiplier", "scaled_value", "scaled_price_in_native"),
    ),
)

FETCH_LOG = Table(
    "fetch_log",
    stamps=(
        *_columns(Kind.TEXT, "fetch_id", "kind", "item", "outcome", "origin", "data_source", "run_id"),
        *_columns(Kind.TIMESTAMP, "as_of", "landed_at"),
        *_columns(Kind.TEXT, "error"),
        *_columns(Kind.INTEGER, "pages", "rows", "cu", "oldest_time", "newest_time"),
        *_columns(Kind.INTEGER, "resume_before_time", "resume_since_time"),
        *_columns(Kind.FLAG, "reached_oldest"),
    ),
)

PIPELINE_RUNS = Table(
    "pipeline_runs",
    stamps=(
        *_columns(Kind.TEXT, "run_id", "step", "outcome", "data_source"),
        *_columns(Kind.TIMESTAMP, "as_of", "started_at", "landed_at"),
        *_columns(Kind.INTEGER, "rows", "requests", "cu"),
        *_columns(Kind.TEXT, "seconds", "error"),
    ),
)

TABLES = (
    TOKEN_METRICS,
    WHALE_HOLDERS,
    TRANSACTION_HISTORY,
    TOKEN_CREATIONS,
    TOKEN_PRICES,
    FETCH_LOG,
    PIPELINE_RUNS,
)
TABLE_NAMES = tuple(table.name for table in TABLES)
