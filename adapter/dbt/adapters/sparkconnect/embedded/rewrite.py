"""What each part of a Spark query becomes for DuckDB, from the leaves of its tree upwards."""

import re
from collections.abc import Callable

from dbt.adapters.sparkconnect.embedded import functions
from dbt.adapters.sparkconnect.embedded.casts import cast_of
from dbt.adapters.sparkconnect.embedded.errors import RefusedError
from dbt.adapters.sparkconnect.embedded.nodes import (
    as_text,
    call,
    cast,
    kind_of,
    literal,
    place,
    regular,
    struct,
    text,
    unnested,
)
from dbt.adapters.sparkconnect.embedded.spelling import exists_of, function_of, reduce_of, row_number, wrapped
from sqlglot import exp

_INT_PARTS = frozenset(["YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE"])


def refuse_unknown_nodes(tree: exp.Expr) -> None:
    """Refuse a construct that is not known to mean the same on both engines."""
    for node in tree.walk():
        kind = type(node).__name__
        if kind not in functions.NODES:
            raise RefusedError(f"the construct {_words(kind)}", *place(node))


def _words(kind: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()


def rewritten(tree: exp.Expr) -> exp.Expr:
    """Return the tree with every part in DuckDB's words."""
    for node in reversed(list(tree.walk(bfs=True))):
        change = _CHANGES.get(type(node))
        if change is None:
            continue
        new = change(node)
        if new is not node:
            if node is tree:
                tree = new
            else:
                node.replace(new)
    return tree


def range_table(table: exp.Table) -> None:
    """Turn `range(a, b)` as a table into one with Spark's column name."""
    function = table.this
    if not (
        isinstance(function, exp.Expr)
        and (function.name.lower() == "range" or type(function).__name__ == "GenerateSeries")
    ):
        raise RefusedError("a function as a table other than range", *place(table))
    arguments = [cast(part, "bigint") for part in (function.expressions or _series_arguments(function))]
    rows = exp.select(exp.alias_(call("unnest", call("range", *arguments)), "id"))
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("range"))
    table.replace(exp.Subquery(this=rows, alias=alias))


def _series_arguments(function: exp.Expr) -> list[exp.Expr]:
    return [function.args[key] for key in ("start", "end", "step") if function.args.get(key) is not None]


def _arithmetic(name: str) -> Callable[[exp.Expr], exp.Expr]:
    def change(node: exp.Expr) -> exp.Expr:
        if name != "times" and (isinstance(node.this, exp.Interval) or isinstance(node.expression, exp.Interval)):
            return _moved(node, "`+`" if name == "plus" else "`-`")
        kinds = {kind_of(node.this), kind_of(node.expression)}
        if kinds & {"double", "time"} or kinds == {"whole"}:
            return node
        left, right = node.this, node.expression
        plain = [_unchecked(left), _unchecked(right)]
        if plain == [left, right]:
            return call(f"spark_{name}", left, right)
        return call(f"spark_{name}_of", left, right, *plain)

    return change


def _unchecked(node: exp.Expr) -> exp.Expr:
    """Return an expression of the same type without checks of types in it: a check of it need not bind them again."""

    def plain(part: exp.Expr) -> exp.Expr:
        if not isinstance(part, exp.Anonymous):
            return part
        if part.name in _PASSED_ON:
            return plain(part.expressions[0])
        operator = _CHECKED.get(part.name)
        return (
            exp.Paren(this=operator(this=part.expressions[-2], expression=part.expressions[-1])) if operator else part
        )

    return node.copy().transform(plain)


def _moved(node: exp.Expr, operator: str) -> exp.Expr:
    """Refuse a date that an interval is added to: it stays a date on Spark, and becomes a timestamp on DuckDB."""
    for key in ("this", "expression"):
        side = node.args[key]
        if not isinstance(side, (exp.Interval, exp.CurrentTimestamp)):
            node.set(key, call("spark_no_date", side, text(operator)))
    return node


def _trimmed(node: exp.Expr) -> exp.Expr:
    """Name the sign that Spark takes away, a space: DuckDB takes away every blank, as a no-break space is one."""
    if node.args.get("expression") is None:
        node.set("expression", text(" "))
    return node


def _divided(node: exp.Expr) -> exp.Expr:
    is_double = "double" in (kind_of(node.this), kind_of(node.expression))
    return call("spark_divide_double" if is_double else "spark_divide", node.this, node.expression)


def _division(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: call(name, node.this, node.expression)


def _joined_text(node: exp.Expr) -> exp.Expr:
    return exp.DPipe(this=as_text(node.this), expression=as_text(node.expression))


def _bracket(node: exp.Expr) -> exp.Expr:
    if len(node.expressions) != 1 or (isinstance(node.expressions[0], exp.Literal) and node.expressions[0].is_string):
        raise RefusedError("[...] on other than arrays", *place(node))
    # sqlglot counts from the dialect's first index
    return call("spark_item", node.this, node.expressions[0])


def _like(node: exp.Expr) -> exp.Expr:
    if "\\" in literal(node.expression, "like", "pattern"):
        raise RefusedError("a backslash in the pattern of like", *place(node))
    return node


def _regexp(node: exp.Expr) -> exp.Expr:
    return call("regexp_matches", node.this, text(regular(node.expression, "rlike")))


def _extreme(node: exp.Expr) -> exp.Expr:
    """Refuse the largest of structs, which DuckDB orders with nulls last."""
    if isinstance(node.this, exp.Expr) and not isinstance(node.this, exp.Distinct):
        node.set("this", call("spark_ordered", node.this))
    return node


def _in(node: exp.Expr) -> exp.Expr:
    """Spell a list inside a CASE as comparisons: DuckDB joins a longer one, and computes it for all rows."""
    values = node.expressions
    if isinstance(node.this, exp.Column) or not values or node.find_ancestor(exp.Case, exp.If, exp.Coalesce) is None:
        return node
    tests = [exp.EQ(this=node.this.copy(), expression=value) for value in values]
    return exp.Paren(this=exp.or_(*tests))


def _extract(node: exp.Expr) -> exp.Expr:
    part = node.this.name.upper()
    if part not in _INT_PARTS:
        raise RefusedError(f"extract({part.lower()} from ...)", *place(node))
    return cast(call(part.lower(), call("spark_to_timestamp", node.expression)), "int")


def _position(node: exp.Expr) -> exp.Expr:
    if node.args.get("position") is not None or node.args.get("occurrence") is not None:
        raise RefusedError("a position to begin at", *place(node))
    return cast(call("instr", node.this, node.args["substr"]), "int")


def _values(node: exp.Expr) -> exp.Expr:
    """Name the columns of `values (...)` as Spark does."""
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        return node
    first = node.expressions[0]
    width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
    columns = [exp.to_identifier(f"col{number}") for number in range(1, width + 1)]
    name = alias.this if alias is not None and alias.this else exp.to_identifier("values_")
    node.set("alias", exp.TableAlias(this=name, columns=columns))
    return node


def _select(node: exp.Expr) -> exp.Expr:
    keys = [part for clause in ("distribute", "cluster", "sort") for part in _taken(node, clause)]
    if keys:
        order = [key if isinstance(key, exp.Ordered) else exp.Ordered(this=key, nulls_first=True) for key in keys]
        node.set("order", exp.Order(expressions=order))
    for item in list(node.expressions):
        _stack(item)
    return node


def _taken(node: exp.Expr, clause: str) -> list[exp.Expr]:
    found = node.args.get(clause)
    node.set(clause, None)
    return list(found.expressions) if found is not None else []


def _stack(item: exp.Expr) -> None:
    """Turn `stack(n, ...) as (a, b)` into the rows of a list of structs."""
    names = [part.name for part in item.expressions] if isinstance(item, exp.Aliases) else []
    if isinstance(item, exp.Alias) and isinstance(item.args.get("alias"), exp.Tuple):
        names = [part.name for part in item.args["alias"].expressions]
    function = item.this if names else item
    if not isinstance(function, exp.Stack):
        return
    if not names or not function.this.is_int:
        raise RefusedError("stack without a number of rows and the names of its columns", *place(item))
    count, values = int(function.this.name), function.expressions
    width = len(values) // count
    rows = [struct(**dict(zip(names, values[at : at + width], strict=True))) for at in range(0, width * count, width)]
    item.replace(unnested(call("list_value", *rows)))


#: Macros whose last two arguments are both sides, without checks.
_CHECKED: dict[str, type[exp.Binary]] = {
    f"spark_{name}{form}": operator
    for name, operator in (("plus", exp.Add), ("minus", exp.Sub), ("times", exp.Mul))
    for form in ("", "_of")
}
#: Macros that check their argument and return it.
_PASSED_ON = frozenset(["spark_ordered", "spark_summed"])
_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Anonymous: function_of,
    exp.Window: wrapped,
    exp.Filter: wrapped,
    exp.Cast: cast_of,
    exp.TryCast: cast_of,
    exp.Add: _arithmetic("plus"),
    exp.Sub: _arithmetic("minus"),
    exp.Mul: _arithmetic("times"),
    exp.Div: _divided,
    exp.Mod: _division("spark_mod"),
    exp.IntDiv: _division("spark_div"),
    exp.DPipe: _joined_text,
    exp.Bracket: _bracket,
    exp.Trim: _trimmed,
    exp.In: _in,
    exp.Max: _extreme,
    exp.Min: _extreme,
    exp.Like: _like,
    exp.ILike: _like,
    exp.RegexpLike: _regexp,
    exp.Extract: _extract,
    exp.StrPosition: _position,
    exp.Values: _values,
    exp.Select: _select,
    exp.Exists: exists_of,
    exp.Reduce: reduce_of,
    exp.RowNumber: row_number,
}
