"""What a cast of Spark's becomes for DuckDB."""

from dbt.adapters.sparkconnect.embedded.errors import RefusedError
from dbt.adapters.sparkconnect.embedded.nodes import TIME_TEXT, WHOLE_TYPES, as_text, call, kind_of, place, text
from sqlglot import exp


def cast_of(node: exp.Expr) -> exp.Expr:
    """Spell a cast so that bad input fails, or is null in a try_cast, where it does on Spark."""
    is_try = isinstance(node, exp.TryCast)
    kind, value = node.args["to"], node.this
    name = kind.this
    if isinstance(value, exp.Null) and not isinstance(kind.this, exp.Interval):
        return exp.Cast(this=value, to=kind)
    if (
        isinstance(value, exp.Literal)
        and not value.is_string
        and not is_try
        # `cast(2.5 as int)` is a cast
        and (name == exp.DType.DOUBLE or (name in WHOLE_TYPES and value.is_int))
    ):
        # `1d`, `1L`: sqlglot's reading of a literal
        return node
    if name in exp.DataType.TEXT_TYPES:
        return as_text(value)
    prefix = "spark_try_" if is_try else "spark_to_"
    plain = exp.TryCast if is_try else exp.Cast
    if name in WHOLE_TYPES:
        if kind_of(value) == "double":
            return plain(this=call("trunc", value), to=exp.DataType.build(WHOLE_TYPES[name]))
        return plain(this=call(f"{prefix}whole", value), to=exp.DataType.build(WHOLE_TYPES[name]))
    if name in (exp.DType.DOUBLE, exp.DType.FLOAT):
        double = call(f"{prefix}double", value)
        return double if name == exp.DType.DOUBLE else plain(this=double, to=kind)
    if name == exp.DType.DECIMAL:
        sizes = kind.copy() if kind.expressions else exp.DataType.build("decimal(10, 0)")
        return plain(this=call("spark_try_decimal_text" if is_try else "spark_decimal_text", value), to=sizes)
    if name == exp.DType.BOOLEAN:
        return call(f"{prefix}boolean", value)
    if name in (exp.DType.TIMESTAMPTZ, exp.DType.DATE):
        is_plain = isinstance(value, exp.Literal) and value.is_string and TIME_TEXT.fullmatch(value.name) is not None
        if is_plain and not is_try and name == exp.DType.TIMESTAMPTZ:
            return exp.Cast(this=text(value.name.replace(" UTC", "Z")), to=kind)
        return call(prefix + ("date" if name == exp.DType.DATE else "timestamp"), value)
    if kind.args.get("nested") and isinstance(value, exp.Anonymous) and value.name in {"list_value", "map"}:
        return node
    raise RefusedError(f"casts to {kind.sql('databricks').lower()}", *place(value))
