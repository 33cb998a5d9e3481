"""Reads a query before it runs: that it is one, and which tables it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from smart_trader.errors import SmartTraderError

_EXPLAIN = re.compile(r"^\s*explain\s+(analyze\s+)?", re.IGNORECASE)


class QueryError(SmartTraderError):
    """A query that is wrong, or that is none."""


def named_tables(query: str) -> set[tuple[str, str]]:
    """Return schema and name of each table that a query names, as it writes them; names without a schema included.

    Raises:
        QueryError: It is no query, more than one, or cannot be read.
    """
    text = _EXPLAIN.sub("", query)
    parser = duckdb.connect()
    try:
        answer = json.loads(parser.execute("select json_serialize_sql(?::varchar)", [text]).fetchone()[0])  # type: ignore[index]
        if answer.get("error_type") == "parser":
            # the parser's own message has the place
            parser.extract_statements(text)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    finally:
        parser.close()
    if answer["error"]:
        raise QueryError("this is no query: a lake is opened for reading alone", "write select ...")
    if len(answer["statements"]) != 1:
        raise QueryError("there must be one query", "run one after the other")
    return {
        (str(node["schema_name"]), str(node["table_name"]))
        for node in _nodes(answer)
        if "table_name" in node and "schema_name" in node
    }


def split_queries(text: str) -> list[str]:
    """Return the statements of a text, without their semicolons.

    Raises:
        QueryError: It cannot be read.
    """
    with duckdb.connect() as parser:
        try:
            return [statement.query.strip().rstrip(";") for statement in parser.extract_statements(text)]
        except duckdb.Error as error:
            raise QueryError(str(error)) from None


def is_complete(text: str) -> bool:
    """Whether a text ends in a semicolon that is not inside a quote or a comment."""
    if not text.rstrip().endswith(";"):
        return False
    try:
        split_queries(text)
    except QueryError as error:
        return "unterminated" not in str(error)
    return True


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for one in tree:
            yield from _nodes(one)
