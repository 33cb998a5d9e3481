"""Reads a query before it runs: that it is one, and which tables it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb

from smart_trader.errors import SmartTraderError

# Schemas of DuckDB's own, and what of them lists tables.
OWN_SCHEMAS = frozenset({"main", "temp", "information_schema", "pg_catalog"})
CATALOG_SCHEMAS = frozenset({"information_schema", "pg_catalog"})
_CATALOG_FUNCTION = re.compile(r"(duckdb|pragma)_")
_EXPLAIN = re.compile(r"^\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)


class QueryError(SmartTraderError):
    """A query that is wrong, or that is none."""


def named_tables(query: str) -> set[tuple[str, str]]:
    """Return schema and name of each table that a query names, as it writes them; without a schema, it is empty.

    Raises:
        QueryError: It is no query, more than one, asks for DuckDB's catalog, or cannot be read.
    """
    text = _EXPLAIN.sub("", query)
    found = _parser().cursor().execute("select json_serialize_sql(?::varchar)", [text]).fetchone()
    answer = json.loads(found[0]) if found else {"error": True}
    if answer.get("error_type") == "parser":
        # its own message has the place
        split_queries(text)
    if answer["error"]:
        raise QueryError("this is no query, and a lake is opened for reading alone", "write select ...")
    if len(answer["statements"]) != 1:
        raise QueryError("there must be one query", "run them one by one")
    nodes = list(_nodes(answer))
    if any(_asks_for_catalog(node) for node in nodes):
        raise QueryError(
            "DuckDB's own catalog knows only the tables that a query names",
            "list tables with .tables (in Python tables()), and columns with: describe TABLE",
        )
    return {(str(node["schema_name"]), str(node["table_name"])) for node in nodes if node.get("type") == "BASE_TABLE"}


def split_queries(text: str) -> list[str]:
    """Return the statements of a text, without their semicolons and what stands behind them.

    Raises:
        QueryError: It cannot be read.
    """
    try:
        statements = [statement.query for statement in _parser().cursor().extract_statements(text)]
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    return [_before_semicolon(statement).strip() for statement in statements]


def is_open(text: str) -> bool:
    """Whether a text ends inside a statement, a quote or a comment; comments alone begin no statement."""
    content = text.encode()
    tokens = [token for token in duckdb.tokenize(text) if token[1] != duckdb.token_type.comment]
    if tokens and not _is_semicolon(content, *tokens[-1]):
        return True
    try:
        split_queries(text)
    except QueryError as error:
        return "unterminated" in str(error)
    return False


def _before_semicolon(statement: str) -> str:
    content = statement.encode()
    end = next((at for at, kind in duckdb.tokenize(statement) if _is_semicolon(content, at, kind)), len(content))
    return content[:end].decode()


def _is_semicolon(content: bytes, at: int, kind: duckdb.token_type) -> bool:
    """Whether a token, whose place DuckDB counts in bytes, ends a statement."""
    return kind == duckdb.token_type.operator and content[at : at + 1] == b";"


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _asks_for_catalog(node: dict[str, Any]) -> bool:
    return (
        node.get("show_type") == "SHOW_SPECIAL"
        or (node.get("type") == "BASE_TABLE" and node["schema_name"].lower() in CATALOG_SCHEMAS)
        or (node.get("type") == "FUNCTION" and _CATALOG_FUNCTION.match(str(node.get("function_name"))) is not None)
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for one in tree:
            yield from _nodes(one)
