"""Where in a statement stands what is refused for the types of its operands, which DuckDB alone knows."""

import re
from collections.abc import Iterator

from dbt.adapters.sparkconnect.embedded import transpile
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.nodes import OURS, kind_of, place
from sqlglot import exp

_REFUSED = re.compile(r"refuses (?P<what>`[-+*]`|the division|rounding|%|\w+) of (?P<types>[^:]*)")
_OPERATORS: dict[str, type[exp.Expr]] = {
    "`+`": exp.Add,
    "`-`": exp.Sub,
    "`*`": exp.Mul,
    "%": exp.Mod,
    "the division": exp.Div,
}
_FUNCTIONS = {
    "rounding": frozenset(["round", "bround"]),
    "the division": frozenset(["try_divide"]),
    "%": frozenset(["pmod"]),
    "avg": frozenset(["avg", "mean"]),
}
#: More than these add nothing.
LISTED = 5


def with_place(message: str, statement: str) -> str:
    """Return a refusal with the places in the statement where it can stand; other messages as they are."""
    found = _REFUSED.search(message)
    if not found:
        return message
    try:
        places = sorted(set(_places(found["what"], transpile.parsed(statement))))
    except EmbeddedError:
        return message
    if not places:
        # it is in the text of a view
        return message
    shown = " or ".join(f"line {line}, column {column}" for line, column in places[:LISTED])
    more = f" or {len(places) - LISTED} more" if len(places) > LISTED else ""
    return f"{message[: found.end()]} at {shown}{more}{message[found.end() :]}"


def _places(what: str, tree: exp.Expr) -> Iterator[tuple[int, int]]:
    operator, names = _OPERATORS.get(what), _FUNCTIONS.get(what, frozenset([what]))
    for node in tree.walk():
        is_operator = operator is not None and isinstance(node, operator) and not _is_double(node)
        is_function = isinstance(node, exp.Anonymous) and node.name.lower().removeprefix(OURS) in names
        if is_operator or is_function:
            line, column = place(node)
            if line is not None and column is not None:
                yield line, column


def _is_double(node: exp.Expr) -> bool:
    return "double" in (kind_of(node.this), kind_of(node.expression))
