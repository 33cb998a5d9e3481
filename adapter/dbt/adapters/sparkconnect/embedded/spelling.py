"""What each of Spark's functions that are on the list becomes for DuckDB."""

from collections.abc import Callable

from dbt.adapters.sparkconnect.embedded import functions, patterns
from dbt.adapters.sparkconnect.embedded.errors import RefusedError
from dbt.adapters.sparkconnect.embedded.macros import ROUNDED_DIGITS
from dbt.adapters.sparkconnect.embedded.nodes import (
    IS_DOUBLE,
    OURS,
    OUTER,
    TIME_TEXT,
    as_text,
    call,
    cast,
    lambda_of,
    literal,
    number,
    once,
    outermost,
    place,
    regular,
    struct,
    text,
    unnested,
)
from sqlglot import exp

_TRUNCATED = frozenset(["year", "quarter", "month", "week", "day", "hour", "minute", "second"])
# not months: the two count from the last day of one otherwise
_DIFFERENCES = frozenset({"day", "hour", "minute", "second"})
_STRUCTURE_TYPES = {
    "string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE", "date": "DATE",
}  # fmt: skip


def exists_of(node: exp.Expr) -> exp.Expr:
    """Spell `exists(list, x -> ...)`; the one of a query stays."""
    condition = node.args.get("expression")
    if condition is None:
        return node
    return call("spark_any", call("list_transform", node.this, condition))


def reduce_of(node: exp.Expr) -> exp.Expr:
    """Fold a list of `{acc, x}`: DuckDB's own fold wants an accumulator of the elements' type."""
    merge, initial, finish = node.args["merge"], node.args["initial"], node.args.get("finish")
    accumulated, item = (parameter.name for parameter in merge.expressions)
    left, right = (
        exp.Dot(this=exp.column("s_"), expression=exp.to_identifier("acc")),
        exp.Dot(this=exp.column("e_"), expression=exp.to_identifier("x")),
    )
    step = _substituted(_substituted(merge.this, accumulated, left), item, right)
    pairs = call("list_transform", node.this, lambda_of(item, struct(acc=initial.copy(), x=exp.column(item))))
    fold = exp.Lambda(
        this=struct(acc=step, x=right.copy()), expressions=[exp.to_identifier("s_"), exp.to_identifier("e_")]
    )
    start = struct(acc=initial.copy(), x=exp.Null())
    folded = call("struct_extract", call("list_reduce", pairs, fold, start), text("acc"))
    if finish is None:
        return folded
    return call("list_extract", call("list_transform", call("list_value", folded), finish), number(1))


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


def function_of(node: exp.Expr) -> exp.Expr:
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
    outer = outermost(node)
    if outer is node:
        return cast(new, function.result)
    # the window or the filter has its turn later, and is wrapped as a whole
    outer.meta["spark_result"] = function.result
    return new


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and not TIME_TEXT.fullmatch(node.name)


def wrapped(node: exp.Expr) -> exp.Expr:
    """Cast a window or a filtered aggregate whose function needs it."""
    kind = node.meta.pop("spark_result", None)
    return cast(node.copy(), kind) if kind else node


def row_number(node: exp.Expr) -> exp.Expr:
    """Mark the cast of a row number, which is an int on Spark."""
    outermost(node).meta["spark_result"] = "int"
    return node


def _rounding(name: str) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        wanted = arguments[1] if len(arguments) > 1 else number(0)
        # not `-2`, whose name would be that of the 2 in it
        digits = wanted.name if isinstance(wanted, exp.Literal) else ""
        if not digits.isdigit() or int(digits) not in ROUNDED_DIGITS:
            raise RefusedError(f"{name} to other than 0 to {max(ROUNDED_DIGITS)} digits, as a number", *place(node))
        parent = node.parent
        while isinstance(parent, exp.Paren):
            parent = parent.parent
        kind = parent.to.this if isinstance(parent, exp.Cast) else None
        is_cast = kind in (exp.DType.DECIMAL, exp.DType.DOUBLE)
        if is_cast:
            return once(f"spark_{name}_{digits}", arguments[0])
        rounded = once(f"spark_{name}_{digits}_number", arguments[0])
        rounded.meta[IS_DOUBLE] = True
        return rounded

    return spelled


def _concat(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    texts = [as_text(part) for part in arguments]
    joined = texts[0]
    for part in texts[1:]:
        joined = exp.DPipe(this=joined, expression=part)
    return exp.Paren(this=joined)


def _concat_ws(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("concat_ws", arguments[0], *[as_text(part) for part in arguments[1:]])


def _date_format(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    pattern = patterns.strftime_pattern(literal(arguments[1], "date_format", "pattern"))
    if pattern is None:
        raise RefusedError(f"the date pattern {arguments[1].name}", *place(arguments[1]))
    return call("strftime", call("spark_to_timestamp", arguments[0]), text(pattern))


def _date_trunc(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    unit = literal(arguments[0], "date_trunc", "unit").lower()
    if unit not in _TRUNCATED:
        raise RefusedError(f"date_trunc to {unit}", *place(node))
    return call("date_trunc", text(unit), call("spark_to_timestamp", arguments[1]))


def _timestampdiff(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    unit = arguments[0].name.lower()
    if unit not in _DIFFERENCES:
        raise RefusedError(f"timestampdiff in {unit}", *place(node))
    ends = [call("spark_to_timestamp", part) for part in arguments[1:]]
    return call("datesub", text(unit), *ends)


def _regexp_replace(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    new = patterns.re2_replacement(literal(arguments[2], "regexp_replace", "replacement"))
    if new is None:
        raise RefusedError("a replacement of regexp_replace that Java and DuckDB read differently", *place(node))
    return call("regexp_replace", arguments[0], text(regular(arguments[1], "regexp_replace")), text(new), text("g"))


def _regexp_extract(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    group = arguments[2] if len(arguments) > 2 else number(1)
    return call("regexp_extract", arguments[0], text(regular(arguments[1], "regexp_extract")), group)


def _regexp_like(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("regexp_matches", arguments[0], text(regular(arguments[1], "regexp_like")))


def _split(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("string_split_regex", arguments[0], text(regular(arguments[1], "split")))


def _from_json(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    fields = []
    for field in literal(arguments[1], "from_json", "schema").split(","):
        name, _, kind = field.strip().partition(" ")
        if kind.strip().lower() not in _STRUCTURE_TYPES:
            raise RefusedError(f"the type {kind.strip()} in a schema of from_json", *place(arguments[1]))
        fields.append(f'"{name}":"{_STRUCTURE_TYPES[kind.strip().lower()]}"')
    return call("spark_from_json", arguments[0], text("{" + ",".join(fields) + "}"))


def _to_json(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """Give the whole row as JSON; that of single values is spelled otherwise by Spark."""
    struct = arguments[0]
    is_row = isinstance(struct, exp.Struct) and len(struct.expressions) == 1 and bool(list(struct.find_all(exp.Star)))
    select = node.find_ancestor(exp.Select)
    source = (select.args.get("from_") or select.args.get("from")) if select is not None else None
    if not is_row or source is None or select is None or select.args.get("joins"):
        raise RefusedError("to_json of other than struct(*) of one table", *place(node))
    # a text to Spark; as JSON it would be bound once more when it is written
    return cast(call("to_json", exp.column(exp.to_identifier(source.this.alias_or_name, quoted=True))), "varchar")


def _aggregate(name: str, guard: str, *rest: str) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    """Return an aggregate whose argument must not be a decimal that Spark would give another type."""

    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        first = arguments[0]
        extra = [text(part) for part in rest]
        if isinstance(first, exp.Distinct):
            guarded = exp.Distinct(expressions=[call(guard, part, *extra) for part in first.expressions])
            return call(name, guarded)
        return call(name, call(guard, first, *extra), *arguments[1:])

    return spelled


def _collected(is_set: bool) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    """Collect without nulls, and to an empty list where there is nothing."""

    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        value = arguments[0]
        if isinstance(node.parent, OUTER):
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
    names = [literal(part, "named_struct", "name") for part in arguments[::2]]
    return struct(**dict(zip(names, arguments[1::2], strict=True)))


def _map(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    return call("map", call("list_value", *arguments[::2]), call("list_value", *arguments[1::2]))


def _array_join(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """Join the elements as Spark spells them; an empty list, or one of nulls, is an empty text."""
    item = exp.column("item_")
    texts = call("list_transform", arguments[0].copy(), lambda_of("item_", call("spark_string", item)))
    joined = call("list_aggregate", texts, text("string_agg"), arguments[1])
    is_null = exp.Is(this=arguments[0], expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=exp.Not(this=is_null), true=exp.Coalesce(this=joined, expressions=[text("")]))])


def _of_elements(name: str) -> Callable[[exp.Expr, list[exp.Expr]], exp.Expr]:
    """Refuse a second parameter, the number of the element: DuckDB counts from 1, and Spark from 0."""

    def spelled(node: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
        function = arguments[1]
        if isinstance(function, exp.Lambda) and len(function.expressions) > 1:
            raise RefusedError("a function of an element and its number", *place(node))
        return call(name, *arguments)

    return spelled


_SPELLED: dict[str, Callable[[exp.Expr, list[exp.Expr]], exp.Expr]] = {
    # false for null, as for a number
    "isnan": lambda node, arguments: exp.Coalesce(this=call("isnan", *arguments), expressions=[exp.false()]),
    # spaces alone, of all blanks
    "ltrim": lambda node, arguments: call("ltrim", *arguments, text(" ")),
    "rtrim": lambda node, arguments: call("rtrim", *arguments, text(" ")),
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
    "inline": lambda node, arguments: unnested(arguments[0]),
    "avg": _aggregate("avg", "spark_no_decimal", "avg"),
    "mean": _aggregate("avg", "spark_no_decimal", "avg"),
    "sum": _aggregate("sum", "spark_summed"),
    "median": _aggregate("median", "spark_no_decimal", "median"),
    "percentile": _aggregate("quantile_cont", "spark_no_decimal", "percentile"),
    "collect_list": _collected(is_set=False),
    "array_agg": _collected(is_set=False),
    "collect_set": _collected(is_set=True),
    "transform": _of_elements("list_transform"),
    "filter": _of_elements("list_filter"),
    "named_struct": _named_struct,
    "map": _map,
    "array_join": _array_join,
    "forall": lambda node, arguments: call("spark_all", call("list_transform", *arguments)),
    "greatest": lambda node, arguments: call("greatest", *[call("spark_ordered", part) for part in arguments]),
    "least": lambda node, arguments: call("least", *[call("spark_ordered", part) for part in arguments]),
    "to_date": lambda node, arguments: call("spark_to_date", *arguments),
    "to_timestamp": lambda node, arguments: call("spark_to_timestamp", *arguments),
}
