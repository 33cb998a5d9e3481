"""Small parts of trees that the rewriting of a query is made of."""

import re

from dbt.adapters.sparkconnect.embedded import functions, patterns
from dbt.adapters.sparkconnect.embedded.errors import RefusedError
from dbt.adapters.sparkconnect.embedded.macros import OVERLOADED
from sqlglot import exp

#: Marks the functions that sqlglot has not read.
OURS = "spark__"

TIME_TEXT = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?"
)
WHOLE_TYPES = {
    exp.DType.INT: "int",
    exp.DType.BIGINT: "bigint",
    exp.DType.SMALLINT: "smallint",
    exp.DType.TINYINT: "tinyint",
}
_DOUBLES = frozenset(["spark_to_double", "spark_try_double", "spark_divide", "spark_divide_double", "spark_try_divide"])
#: Marks, among a node's own notes, that it is a double.
IS_DOUBLE = "spark_is_double"
OUTER = (exp.Window, exp.Filter)


def place(node: exp.Expr) -> tuple[int | None, int | None]:
    """Return line and column of a node, or of the first thing in it that has a place."""
    for part in node.walk(bfs=False):
        line, column, start, end = (part.meta.get(key) for key in ("line", "col", "start", "end"))
        if line is not None and column is not None:
            return line, column - (end - start) if start is not None and end is not None else column
    return None, None


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call of a function of DuckDB."""
    if name in OVERLOADED and _is_bound_late(arguments[0]):
        # DuckDB chooses a macro's form before it knows the type of an aggregate; in a lambda it knows
        return once(name, *arguments)
    return exp.Anonymous(this=name, expressions=list(arguments))


def once(name: str, argument: exp.Expr) -> exp.Anonymous:
    """Return a macro's call for which its argument is computed, and planned, once however often it is mentioned."""
    if isinstance(argument, (exp.Column, exp.Literal)) and name not in OVERLOADED:
        return exp.Anonymous(this=name, expressions=[argument])
    each = lambda_of("x_", exp.Anonymous(this=name, expressions=[exp.column("x_")]))
    listed = exp.Anonymous(this="list_value", expressions=[argument])
    made = exp.Anonymous(this="list_transform", expressions=[listed, each])
    return exp.Anonymous(this="list_extract", expressions=[made, number(1)])


def _is_bound_late(node: exp.Expr) -> bool:
    """Return whether an expression holds an aggregate, a window or another column's alias."""
    select = node.find_ancestor(exp.Select)
    aliases = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)} if select else set()
    for part in node.walk(prune=lambda part: isinstance(part, exp.Subquery)):
        if isinstance(part, (exp.AggFunc, exp.Window, exp.Filter)):
            return True
        if isinstance(part, exp.Anonymous) and part.name.lower() in functions.AGGREGATES:
            return True
        if isinstance(part, exp.Column) and not part.table and part.name.lower() in aliases:
            return True
    return False


def cast(node: exp.Expr, kind: str) -> exp.Cast:
    """Return a plain cast of DuckDB's."""
    return exp.Cast(this=node, to=exp.DataType.build(kind, dialect="duckdb"))


def text(value: str) -> exp.Expr:
    """Return a text as a literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """Return a whole number as a literal."""
    return exp.Literal.number(value)


def struct(**fields: exp.Expr) -> exp.Struct:
    """Return a struct of named fields."""
    pairs = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in fields.items()]
    return exp.Struct(expressions=pairs)


def lambda_of(parameter: str, body: exp.Expr) -> exp.Lambda:
    """Return a function of one parameter."""
    return exp.Lambda(this=body, expressions=[exp.to_identifier(parameter)])


def literal(node: exp.Expr, function: str, what: str) -> str:
    """Return an argument that must be a text in the statement."""
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise RefusedError(f"{function} with a {what} that is no text in the statement", *place(node))
    return str(node.this)


def outermost(node: exp.Expr) -> exp.Expr:
    """Return the window or filter that stands around an aggregate."""
    while isinstance(node.parent, OUTER) and node.parent.this is node:
        node = node.parent
    return node


def unnested(node: exp.Expr) -> exp.Expr:
    """Return the rows of a list of structs, a column for each field."""
    depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=number(2))
    return call("unnest", node, depth)


def kind_of(node: exp.Expr) -> str:
    """Return 'double', 'whole', 'time' or '' where a statement alone does not show what an expression is."""
    node = node.unnest()
    if isinstance(node, exp.Neg):
        return kind_of(node.this)
    if isinstance(node, exp.Literal) and not node.is_string:
        return "double" if "e" in node.name.lower() else "" if "." in node.name else "whole"
    if isinstance(node, (exp.Interval, exp.CurrentTimestamp, exp.CurrentDate)):
        return "time"
    if isinstance(node, exp.Cast):
        if node.to.this == exp.DType.DOUBLE:
            return "double"
        return "whole" if node.to.this in WHOLE_TYPES else ""
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)) and "double" in (kind_of(node.this), kind_of(node.expression)):
        return "double"
    if isinstance(node, exp.Coalesce):
        return "double" if all(kind_of(part) == "double" for part in (node.this, *node.expressions)) else ""
    if isinstance(node, exp.Anonymous):
        return "double" if node.name in _DOUBLES or node.meta.get(IS_DOUBLE) else ""
    return "whole" if isinstance(node, exp.Count) else ""


def as_text(node: exp.Expr) -> exp.Expr:
    """Return an expression as text, as Spark casts it.

    Where the statement shows the type, no macro asks for it: one binds its argument again for each type.
    """
    if _is_text(node):
        return node
    is_whole = isinstance(node, exp.Cast) and kind_of(node) == "whole"
    return cast(node, "varchar") if is_whole else call("spark_string", node)


def _is_text(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return bool(node.is_string)
    if isinstance(node, exp.If):
        return _is_text(node.args["true"]) and _is_text(node.args.get("false") or exp.Null())
    return isinstance(node, exp.DPipe)


def regular(node: exp.Expr, function: str) -> str:
    """Return a regular expression in RE2's words."""
    pattern = patterns.re2_pattern(literal(node, function, "pattern"))
    if pattern is None:
        raise RefusedError(f"a pattern of {function} that Java and DuckDB read differently", *place(node))
    return pattern
