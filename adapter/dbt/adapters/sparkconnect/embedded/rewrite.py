"""What each part of a Spark query becomes for DuckDB, from the leaves of its tree upwards."""

import re
from collections.abc import Callable

from dbt.adapters.sparkconnect.embedded import functions, patterns
from dbt.adapters.sparkconnect.embedded.errors import RefusedError
from dbt.adapters.sparkconnect.embedded.macros import OVERLOADED, ROUNDED_DIGITS
from sqlglot import exp

#: Marks the functions that sqlglot has not read.
OURS = "spark__"

_TIME_TEXT = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{1,6})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?"
)
_WHOLE_TYPES = {exp.DType.INT: "int", exp.DType.BIGINT: "bigint", exp.DType.SMALLINT: "smallint", exp.DType.TINYINT: "tinyint"}
_INT_PARTS = frozenset("YEAR QUARTER MONTH DAY HOUR MINUTE".split())
_TRUNCATED = frozenset("year quarter month week day hour minute second".split())
_DIFFERENCES = frozenset("year month day hour minute second".split())
_DOUBLES = frozenset("spark_to_double spark_try_double spark_divide spark_divide_double spark_try_divide".split())
_OUTER = (exp.Window, exp.Filter)
_STRUCTURE_TYPES = {
    "string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE", "date": "DATE",
}  # fmt: skip


def place(node: exp.Expr) -> tuple[int | None, int | None]:
    """Return line and column of a node, or of the first thing in it that has a place."""
    for part in node.walk(bfs=False):
        line, column, start, end = (part.meta.get(key) for key in ("line", "col", "start", "end"))
        if line is not None and column is not None:
            return line, column - (end - start) if start is not None and end is not None else column
    return None, None


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


# ---------------------------------------------------------------- small parts


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
    each = _lambda("x_", exp.Anonymous(this=name, expressions=[exp.column("x_")]))
    listed = exp.Anonymous(this="list_value", expressions=[argument])
    made = exp.Anonymous(this="list_transform", expressions=[listed, each])
    return exp.Anonymous(this="list_extract", expressions=[made, _number(1)])


def _is_bound_late(node: exp.Expr) -> bool:
    """Tell whether an expression holds an aggregate, a window or another column's alias."""
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


def _text(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def _number(value: int) -> exp.Literal:
    return exp.Literal.number(value)


def _struct(**fields: exp.Expr) -> exp.Struct:
    pairs = [exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in fields.items()]
    return exp.Struct(expressions=pairs)


def _lambda(parameter: str, body: exp.Expr) -> exp.Lambda:
    return exp.Lambda(this=body, expressions=[exp.to_identifier(parameter)])


def _literal(node: exp.Expr, function: str, what: str) -> str:
    if not isinstance(node, exp.Literal) or not node.is_string:
        raise RefusedError(f"{function} with a {what} that is no text in the statement", *place(node))
    return str(node.this)


def _outermost(node: exp.Expr) -> exp.Expr:
    """Return the window or filter that stands around an aggregate."""
    while isinstance(node.parent, _OUTER) and node.parent.this is node:
        node = node.parent
    return node


def range_table(table: exp.Table) -> None:
    """Turn `range(a, b)` as a table into one with Spark's column name."""
    function = table.this
    if not (isinstance(function, exp.Expr) and (function.name.lower() == "range" or type(function).__name__ == "GenerateSeries")):
        raise RefusedError("a function as a table other than range", *place(table))
    arguments = [cast(part, "bigint") for part in (function.expressions or _series_arguments(function))]
    rows = exp.select(exp.alias_(call("unnest", call("range", *arguments)), "id"))
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("range"))
    table.replace(exp.Subquery(this=rows, alias=alias))


def _series_arguments(function: exp.Expr) -> list[exp.Expr]:
    return [function.args[key] for key in ("start", "end", "step") if function.args.get(key) is not None]


# ---------------------------------------------------------------- casts


def _cast(node: exp.Expr) -> exp.Expr:
    is_try = isinstance(node, exp.TryCast)
    kind, value = node.args["to"], node.this
    name = kind.this
    if isinstance(value, exp.Null) and not isinstance(kind.this, exp.Interval):
        return exp.Cast(this=value, to=kind)
    if isinstance(value, exp.Literal) and not value.is_string and not is_try and name in (*_WHOLE_TYPES, exp.DType.DOUBLE):
        # `1d`, `1L`: sqlglot's reading of a literal
        return node
    if name in exp.DataType.TEXT_TYPES:
        return value if isinstance(value, exp.Literal) and value.is_string else call("spark_string", value)
    prefix = "spark_try_" if is_try else "spark_to_"
    plain = exp.TryCast if is_try else exp.Cast
    if name in _WHOLE_TYPES:
        return plain(this=call(f"{prefix}whole", value), to=exp.DataType.build(_WHOLE_TYPES[name]))
    if name in (exp.DType.DOUBLE, exp.DType.FLOAT):
        double = call(f"{prefix}double", value)
        return double if name == exp.DType.DOUBLE else plain(this=double, to=kind)
    if name == exp.DType.DECIMAL:
        sizes = kind.copy() if kind.expressions else exp.DataType.build("decimal(10, 0)")
        return plain(this=call("spark_try_decimal_text" if is_try else "spark_decimal_text", value), to=sizes)
    if name == exp.DType.BOOLEAN:
        return call(f"{prefix}boolean", value)
    if name in (exp.DType.TIMESTAMPTZ, exp.DType.DATE):
        if isinstance(value, exp.Literal) and value.is_string and _TIME_TEXT.fullmatch(value.name) and not is_try:
            if name == exp.DType.TIMESTAMPTZ:
                return exp.Cast(this=_text(value.name.replace(" UTC", "Z")), to=kind)
        return call(prefix + ("date" if name == exp.DType.DATE else "timestamp"), value)
    if kind.args.get("nested") and isinstance(value, exp.Anonymous) and value.name in {"list_value", "map"}:
        return node
    raise RefusedError(f"casts to {kind.sql('databricks').lower()}", *place(value))


# ---------------------------------------------------------------- operators


def _kind(node: exp.Expr) -> str:
    """Return 'double', 'whole', 'time' or '' where a statement alone does not say what an expression is."""
    node = node.unnest()
    if isinstance(node, exp.Neg):
        return _kind(node.this)
    if isinstance(node, exp.Literal) and not node.is_string:
        return "double" if "e" in node.name.lower() else "" if "." in node.name else "whole"
    if isinstance(node, (exp.Interval, exp.CurrentTimestamp, exp.CurrentDate)):
        return "time"
    if isinstance(node, exp.Cast):
        if node.to.this == exp.DType.DOUBLE:
            return "double"
        return "whole" if node.to.this in _WHOLE_TYPES else ""
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)) and "double" in (_kind(node.left), _kind(node.right)):
        return "double"
    if isinstance(node, exp.Coalesce):
        return "double" if all(_kind(part) == "double" for part in (node.this, *node.expressions)) else ""
    if isinstance(node, exp.Anonymous):
        return "double" if node.name in _DOUBLES else ""
    return "whole" if isinstance(node, exp.Count) else ""


def _arithmetic(name: str) -> Callable[[exp.Expr], exp.Expr]:
    def change(node: exp.Expr) -> exp.Expr:
        kinds = {_kind(node.left), _kind(node.right)}
        if kinds & {"double", "time"} or kinds == {"whole"}:
            return node
        return call(f"spark_{name}", node.left, node.right)

    return change


def _divided(node: exp.Expr) -> exp.Expr:
    is_double = "double" in (_kind(node.left), _kind(node.right))
    return call("spark_divide_double" if is_double else "spark_divide", node.left, node.right)


def _division(name: str) -> Callable[[exp.Expr], exp.Expr]:
    return lambda node: call(name, node.left, node.right)


def _joined_text(node: exp.Expr) -> exp.Expr:
    return exp.DPipe(this=_as_text(node.left), expression=_as_text(node.right))


def _as_text(node: exp.Expr) -> exp.Expr:
    is_text = (isinstance(node, exp.Literal) and node.is_string) or isinstance(node, exp.DPipe)
    return node if is_text else call("spark_string", node)


def _bracket(node: exp.Expr) -> exp.Expr:
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Literal) and node.expressions[0].is_string:
        raise RefusedError("[...] on other than arrays", *place(node))
    # sqlglot counts from the dialect's first index
    return call("spark_item", node.this, node.expressions[0])


def _like(node: exp.Expr) -> exp.Expr:
    if "\\" in _literal(node.expression, "like", "pattern"):
        raise RefusedError("a backslash in the pattern of like", *place(node))
    return node


def _regexp(node: exp.Expr) -> exp.Expr:
    return call("regexp_matches", node.this, _text(_regular(node.expression, "rlike")))


def _regular(node: exp.Expr, function: str) -> str:
    pattern = patterns.re2_pattern(_literal(node, function, "pattern"))
    if pattern is None:
        raise RefusedError(f"a pattern of {function} that Java and DuckDB read differently", *place(node))
    return pattern


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


# ---------------------------------------------------------------- relations and clauses


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
    rows = [_struct(**dict(zip(names, values[at : at + width], strict=True))) for at in range(0, width * count, width)]
    item.replace(_unnested(call("list_value", *rows)))


def _unnested(node: exp.Expr) -> exp.Expr:
    """Return the rows of a list of structs, a column for each field."""
    depth = exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=_number(2))
    return call("unnest", node, depth)


# ---------------------------------------------------------------- functions on lists


def _exists(node: exp.Expr) -> exp.Expr:
    condition = node.args.get("expression")
    if condition is None:
        return node
    return call("spark_any", call("list_transform", node.this, condition))


def _reduce(node: exp.Expr) -> exp.Expr:
    """Fold a list of `{acc, x}`: DuckDB's own fold wants an accumulator of the elements' type."""
    merge, initial, finish = node.args["merge"], node.args["initial"], node.args.get("finish")
    accumulated, item = (parameter.name for parameter in merge.expressions)
    left, right = exp.Dot(this=exp.column("s_"), expression=exp.to_identifier("acc")), exp.Dot(
        this=exp.column("e_"), expression=exp.to_identifier("x")
    )
    step = _substituted(_substituted(merge.this, accumulated, left), item, right)
    pairs = call("list_transform", node.this, _lambda(item, _struct(acc=initial.copy(), x=exp.column(item))))
    fold = exp.Lambda(this=_struct(acc=step, x=right.copy()), expressions=[exp.to_identifier("s_"), exp.to_identifier("e_")])
    start = _struct(acc=initial.copy(), x=exp.Null())
    folded = call("struct_extract", call("list_reduce", pairs, fold, start), _text("acc"))
    if finish is None:
        return folded
    return call("list_extract", call("list_transform", call("list_value", folded), finish), _number(1))


def _substituted(tree: exp.Expr, name: str, new: exp.Expr) -> exp.Expr:
    """Put an expression where a lambda's parameter stands: as `p`, or as the table of `p.x`."""

    def change(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            if node.name == name and not node.table:
                return new.copy()
            if node.table == name:
                return exp.Dot(this=new.copy(), expression=node.this.copy())
        if isinstance(node, exp.Identifier) and node.name == name and _is_value(node):
            return new.copy()
        return node

    return tree.transform(change)


def _is_value(node: exp.Expr) -> bool:
    parent, key = node.parent, node.arg_key
    if parent is None or isinstance(parent, (exp.Column, exp.TableAlias, exp.Table)) or key == "alias":
        return False
    if isinstance(parent, exp.PropertyEQ):
        return key != "this"
    if isinstance(parent, exp.Dot):
        return key != "expression"
    return not (isinstance(parent, exp.Lambda) and key == "expressions")


# ---------------------------------------------------------------- functions of ours


def _function(node: exp.Expr) -> exp.Expr:
    """Spell one of our functions for DuckDB."""
    word = node.name.lower()
    if not word.startswith(OURS):
        return node
    name = word.removeprefix(OURS)
    function, arguments = functions.FUNCTIONS[name], list(node.expressions)
    if len(arguments) < function.least or (function.most is not None and len(arguments) > function.most):
        raise RefusedError(f"{name} with {len(arguments)} arguments", *place(node))
    arguments = [
        call(function.casts[at], part) if at < len(function.casts) and not _is_text(part) else part
        for at, part in enumerate(arguments)
    ]
    spelled = _SPELLED.get(name)
    new = spelled(node, arguments) if spelled else call(function.duckdb, *arguments)
    if not function.result:
        return new
    outer = _outermost(node)
    if outer is node:
        return cast(new, function.result)
    # the window or the filter has its turn later, and is wrapped as a whole
    outer.meta["spark_result"] = function.result
    return new


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and not _TIME_TEXT.fullmatch(node.name)


def _wrapped(node: exp.Expr) -> exp.Expr:
    kind = node.meta.pop("spark_result", None)
    return cast(node.copy(), kind) if kind else node


def _row_number(node: exp.Expr) -> exp.Expr:
    _outermost(node).meta["spark_result"] = "int"
    return node


def _rounding(name: str) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        digits = arguments[1].name if len(arguments) > 1 else "0"
        if not digits.isdigit() or int(digits) not in ROUNDED_DIGITS:
            raise RefusedError(f"{name} to other than 0 to {max(ROUNDED_DIGITS)} digits, as a number", *place(node))
        parent = node.parent
        while isinstance(parent, exp.Paren):
            parent = parent.parent
        kind = parent.to.this if isinstance(parent, exp.Cast) else None
        is_cast = kind in (exp.DType.DECIMAL, exp.DType.DOUBLE)
        return once(f"spark_{name}_{digits}" if is_cast else f"spark_{name}_{digits}_number", arguments[0])

    return spelled


def _concat(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    texts = [_as_text(part) for part in arguments]
    joined = texts[0]
    for text in texts[1:]:
        joined = exp.DPipe(this=joined, expression=text)
    return exp.Paren(this=joined)


def _concat_ws(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("concat_ws", arguments[0], *[_as_text(part) for part in arguments[1:]])


def _date_format(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    pattern = patterns.strftime_pattern(_literal(arguments[1], "date_format", "pattern"))
    if pattern is None:
        raise RefusedError(f"the date pattern {arguments[1].name}", *place(arguments[1]))
    return call("strftime", call("spark_to_timestamp", arguments[0]), _text(pattern))


def _date_trunc(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    unit = _literal(arguments[0], "date_trunc", "unit").lower()
    if unit not in _TRUNCATED:
        raise RefusedError(f"date_trunc to {unit}", *place(node))
    return call("date_trunc", _text(unit), call("spark_to_timestamp", arguments[1]))


def _timestampdiff(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    unit = arguments[0].name.lower()
    if unit not in _DIFFERENCES:
        raise RefusedError(f"timestampdiff in {unit}", *place(node))
    ends = [call("spark_to_timestamp", part) for part in arguments[1:]]
    return call("datesub", _text(unit), *ends)


def _regexp_replace(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    new = patterns.re2_replacement(_literal(arguments[2], "regexp_replace", "replacement"))
    if new is None:
        raise RefusedError("a replacement of regexp_replace that Java and DuckDB read differently", *place(node))
    return call("regexp_replace", arguments[0], _text(_regular(arguments[1], "regexp_replace")), _text(new), _text("g"))


def _regexp_extract(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    group = arguments[2] if len(arguments) > 2 else _number(1)
    return call("regexp_extract", arguments[0], _text(_regular(arguments[1], "regexp_extract")), group)


def _regexp_like(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("regexp_matches", arguments[0], _text(_regular(arguments[1], "regexp_like")))


def _split(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("string_split_regex", arguments[0], _text(_regular(arguments[1], "split")))


def _from_json(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    fields = []
    for field in _literal(arguments[1], "from_json", "schema").split(","):
        name, _, kind = field.strip().partition(" ")
        if kind.strip().lower() not in _STRUCTURE_TYPES:
            raise RefusedError(f"the type {kind.strip()} in a schema of from_json", *place(arguments[1]))
        fields.append(f'"{name}":"{_STRUCTURE_TYPES[kind.strip().lower()]}"')
    return call("spark_from_json", arguments[0], _text("{" + ",".join(fields) + "}"))


def _to_json(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """Give the whole row as JSON; that of single values is spelled otherwise by Spark."""
    struct = arguments[0]
    is_row = isinstance(struct, exp.Struct) and len(struct.expressions) == 1 and bool(list(struct.find_all(exp.Star)))
    select = node.find_ancestor(exp.Select)
    source = (select.args.get("from_") or select.args.get("from")) if select is not None else None
    if not is_row or source is None or select is None or select.args.get("joins"):
        raise RefusedError("to_json of other than struct(*) of one table", *place(node))
    return call("to_json", exp.column(exp.to_identifier(source.this.alias_or_name, quoted=True)))


def _aggregate(name: str, guard: str, *rest: str) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    """Return an aggregate whose argument must not be a decimal that Spark would give another type."""

    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        first = arguments[0]
        extra = [_text(text) for text in rest]
        if isinstance(first, exp.Distinct):
            guarded = exp.Distinct(expressions=[call(guard, part, *extra) for part in first.expressions])
            return call(name, guarded)
        return call(name, call(guard, first, *extra), *arguments[1:])

    return spelled


def _collected(is_set: bool) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    """Collect without nulls, and to an empty list where there is nothing."""

    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        value = arguments[0]
        if isinstance(node.parent, _OUTER):
            raise RefusedError("collect_list and collect_set with a filter or a window", *place(node))
        if isinstance(value, exp.Distinct):
            value = value.expressions[0]
            is_distinct = True
        else:
            is_distinct = is_set
        item = exp.Distinct(expressions=[value.copy()]) if is_distinct else value.copy()
        present = exp.Where(this=exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
        collected = exp.Filter(this=call("list", item), expression=present)
        return exp.Coalesce(this=collected, expressions=[call("list_value")])

    return spelled


def _named_struct(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    names = [_literal(part, "named_struct", "name") for part in arguments[::2]]
    return _struct(**dict(zip(names, arguments[1::2], strict=True)))


def _map(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("map", call("list_value", *arguments[::2]), call("list_value", *arguments[1::2]))


def _array_join(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("list_aggregate", arguments[0], _text("string_agg"), arguments[1])


_SPELLED: dict[str, Callable[[exp.Expr, list[exp.Expr]], exp.Expr]] = {
    "bround": _rounding("bround"),
    "round": _rounding("round"),
    "concat": _concat,
    "concat_ws": _concat_ws,
    "date_format": _date_format,
    "date_trunc": _date_trunc,
    "timestampdiff": _timestampdiff,
    "regexp_replace": _regexp_replace,
    "regexp_extract": _regexp_extract,
    "regexp_like": _regexp_like,
    "split": _split,
    "from_json": _from_json,
    "to_json": _to_json,
    "inline": lambda node, arguments: _unnested(arguments[0]),
    "avg": _aggregate("avg", "spark_no_decimal", "avg"),
    "mean": _aggregate("avg", "spark_no_decimal", "avg"),
    "sum": _aggregate("sum", "spark_summed"),
    "median": _aggregate("median", "spark_no_decimal", "median"),
    "percentile": _aggregate("quantile_cont", "spark_no_decimal", "percentile"),
    "collect_list": _collected(is_set=False),
    "array_agg": _collected(is_set=False),
    "collect_set": _collected(is_set=True),
    "named_struct": _named_struct,
    "map": _map,
    "array_join": _array_join,
    "forall": lambda node, arguments: call("spark_all", call("list_transform", *arguments)),
    "to_date": lambda node, arguments: call("spark_to_date", *arguments),
    "to_timestamp": lambda node, arguments: call("spark_to_timestamp", *arguments),
}

_CHANGES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Anonymous: _function,
    exp.Window: _wrapped,
    exp.Filter: _wrapped,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Add: _arithmetic("plus"),
    exp.Sub: _arithmetic("minus"),
    exp.Mul: _arithmetic("times"),
    exp.Div: _divided,
    exp.Mod: _division("spark_mod"),
    exp.IntDiv: _division("spark_div"),
    exp.DPipe: _joined_text,
    exp.Bracket: _bracket,
    exp.In: _in,
    exp.Like: _like,
    exp.ILike: _like,
    exp.RegexpLike: _regexp,
    exp.Extract: _extract,
    exp.StrPosition: _position,
    exp.Values: _values,
    exp.Select: _select,
    exp.Exists: _exists,
    exp.Reduce: _reduce,
    exp.RowNumber: _row_number,
}
