"""The functions that mean on DuckDB, in the form given here, what they mean on Spark; no other is run.

Each is compared with Spark by the bench of expressions in the tests. What is not listed is refused by name and line.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """How one function of Spark is spelled for DuckDB.

    Attributes:
        duckdb: Name of DuckDB's function, or of one of our macros (`spark_...`).
        least: Fewest arguments.
        most: Most arguments; None is any number.
        result: Type to cast the result to, where DuckDB's own is wider than Spark's.
        casts: Macros to put around the arguments, in their order.
    """

    duckdb: str
    least: int
    most: int | None
    result: str = ""
    casts: tuple[str, ...] = ()


def _same(names: str, least: int, most: int | None = -1) -> dict[str, Function]:
    """Return functions that DuckDB has under the same name."""
    return {name: Function(name, least, least if most == -1 else most) for name in names.split()}


def _whole(names: str, result: str = "int") -> dict[str, Function]:
    """Return one-argument functions whose result is `bigint` in DuckDB and narrower in Spark."""
    return {name: Function(name, 1, 1, result) for name in names.split()}


#: Functions that are renamed before sqlglot reads the text, so that none of its own readings of them counts.
FUNCTIONS: dict[str, Function] = {
    # numbers
    **_same("sqrt exp cbrt degrees radians isnan", 1),
    "abs": Function("abs", 1, 1),
    "bround": Function("spark_bround", 1, 2),
    "round": Function("spark_round", 1, 2),
    "floor": Function("spark_floor", 1, 1),
    "ceil": Function("spark_ceil", 1, 1),
    "ceiling": Function("spark_ceil", 1, 1),
    "ln": Function("spark_ln", 1, 1),
    "log10": Function("spark_log10", 1, 1),
    "log2": Function("spark_log2", 1, 1),
    "power": Function("pow", 2, 2, "double"),
    "pow": Function("pow", 2, 2, "double"),
    "sign": Function("sign", 1, 1, "double"),
    "signum": Function("sign", 1, 1, "double"),
    "mod": Function("spark_mod", 2, 2),
    "pmod": Function("spark_pmod", 2, 2),
    "try_divide": Function("spark_try_divide", 2, 2),
    # choices
    **_same("nullif", 2),
    "nvl": Function("coalesce", 2, 2),
    "ifnull": Function("coalesce", 2, 2),
    "nvl2": Function("spark_nvl2", 3, 3),
    "isnull": Function("spark_isnull", 1, 1),
    "isnotnull": Function("spark_isnotnull", 1, 1),
    "greatest": Function("greatest", 2, None),
    "least": Function("least", 2, None),
    # text
    **_same("reverse ltrim rtrim", 1),
    **_same("repeat contains", 2),
    **_same("replace translate", 3),
    "md5": Function("md5", 1, 1, "", ("spark_string",)),
    "lower": Function("lower", 1, 1, "", ("spark_string",)),
    "upper": Function("upper", 1, 1, "", ("spark_string",)),
    "lcase": Function("lower", 1, 1, "", ("spark_string",)),
    "ucase": Function("upper", 1, 1, "", ("spark_string",)),
    "startswith": Function("starts_with", 2, 2),
    "endswith": Function("ends_with", 2, 2),
    "length": Function("length", 1, 1, "int", ("spark_string",)),
    "char_length": Function("length", 1, 1, "int", ("spark_string",)),
    "character_length": Function("length", 1, 1, "int", ("spark_string",)),
    "len": Function("length", 1, 1, "int", ("spark_string",)),
    "instr": Function("instr", 2, 2, "int"),
    "ascii": Function("spark_ascii", 1, 1, "int"),
    "substring": Function("spark_substring", 2, 3),
    "substr": Function("spark_substring", 2, 3),
    "left": Function("spark_left", 2, 2),
    "right": Function("spark_right", 2, 2),
    "lpad": Function("lpad", 3, 3),
    "rpad": Function("rpad", 3, 3),
    "concat": Function("spark_concat", 1, None),
    "concat_ws": Function("spark_concat_ws", 2, None),
    "sha2": Function("spark_sha2", 2, 2),
    "regexp_replace": Function("spark_regexp_replace", 3, 3),
    "regexp_extract": Function("spark_regexp_extract", 2, 3),
    "regexp_like": Function("spark_regexp_like", 2, 2),
    "split": Function("spark_split", 2, 2),
    # times
    **_whole("month day quarter dayofmonth dayofyear weekofyear hour minute second year"),
    "dayofweek": Function("spark_dayofweek", 1, 1, "int"),
    "weekday": Function("spark_weekday", 1, 1, "int"),
    "date_format": Function("spark_date_format", 2, 2),
    "date_trunc": Function("spark_date_trunc", 2, 2),
    "to_date": Function("spark_to_date", 1, 1),
    "to_timestamp": Function("spark_to_timestamp", 1, 1),
    "date_add": Function("spark_date_add", 2, 2, "", ("spark_to_date",)),
    "date_sub": Function("spark_date_sub", 2, 2, "", ("spark_to_date",)),
    "datediff": Function("spark_datediff", 2, 2, "int", ("spark_to_date", "spark_to_date")),
    "date_diff": Function("spark_datediff", 2, 2, "int", ("spark_to_date", "spark_to_date")),
    "add_months": Function("spark_add_months", 2, 2, "", ("spark_to_date",)),
    "last_day": Function("last_day", 1, 1, "", ("spark_to_date",)),
    "make_date": Function("make_date", 3, 3),
    "timestampdiff": Function("spark_timestampdiff", 3, 3),
    "unix_micros": Function("epoch_us", 1, 1),
    "unix_millis": Function("spark_unix_millis", 1, 1),
    "unix_seconds": Function("spark_unix_seconds", 1, 1),
    "unix_date": Function("spark_unix_date", 1, 1, "int"),
    "timestamp_seconds": Function("spark_timestamp_seconds", 1, 1),
    "timestamp_millis": Function("spark_timestamp_millis", 1, 1),
    "timestamp_micros": Function("spark_timestamp_micros", 1, 1),
    # lists, structs and JSON
    "array": Function("list_value", 0, None),
    "size": Function("len", 1, 1, "int"),
    "cardinality": Function("len", 1, 1, "int"),
    "array_size": Function("len", 1, 1, "int"),
    "array_contains": Function("spark_array_contains", 2, 2),
    "array_sort": Function("spark_array_sort", 1, 1),
    "sort_array": Function("spark_sort_array", 1, 2),
    "array_max": Function("list_max", 1, 1),
    "array_min": Function("list_min", 1, 1),
    "array_join": Function("spark_array_join", 2, 2),
    "flatten": Function("flatten", 1, 1),
    "element_at": Function("spark_element_at", 2, 2),
    "get": Function("spark_get", 2, 2),
    "slice": Function("spark_slice", 3, 3),
    "sequence": Function("spark_sequence", 2, 2),
    "transform": Function("list_transform", 2, 2),
    "filter": Function("list_filter", 2, 2),
    "forall": Function("spark_forall", 2, 2),
    "map": Function("spark_map", 0, None),
    "named_struct": Function("spark_named_struct", 2, None),
    "from_json": Function("spark_from_json", 2, 2),
    "to_json": Function("spark_to_json", 1, 1),
    "explode": Function("unnest", 1, 1),
    "inline": Function("spark_inline", 1, 1),
    # aggregates and windows
    "count_if": Function("count_if", 1, 1, "bigint"),
    "bool_or": Function("bool_or", 1, 1),
    "bool_and": Function("bool_and", 1, 1),
    "some": Function("bool_or", 1, 1),
    "every": Function("bool_and", 1, 1),
    "max_by": Function("arg_max_null", 2, 2),
    "min_by": Function("arg_min_null", 2, 2),
    "any_value": Function("first", 1, 1),
    "first": Function("first", 1, 1),
    "last": Function("last", 1, 1),
    "avg": Function("spark_avg", 1, 1),
    "mean": Function("spark_avg", 1, 1),
    "sum": Function("spark_sum", 1, 1),
    "median": Function("spark_median", 1, 1),
    "percentile": Function("spark_percentile", 2, 2),
    "collect_list": Function("spark_collect_list", 1, 1),
    "collect_set": Function("spark_collect_set", 1, 1),
    "array_agg": Function("spark_collect_list", 1, 1),
    "row_number": Function("row_number", 0, 0, "int"),
    "rank": Function("rank", 0, 0, "int"),
    "dense_rank": Function("dense_rank", 0, 0, "int"),
    "ntile": Function("ntile", 1, 1, "int"),
    "percent_rank": Function("percent_rank", 0, 0),
    "cume_dist": Function("cume_dist", 0, 0),
    "lag": Function("lag", 1, 3),
    "lead": Function("lead", 1, 3),
    "first_value": Function("first_value", 1, 1),
    "last_value": Function("last_value", 1, 1),
    "nth_value": Function("nth_value", 2, 2),
}

#: DuckDB's names of the aggregates among them.
AGGREGATES = frozenset(
    "count_if bool_or bool_and arg_max_null arg_min_null first last avg sum median quantile_cont list row_number rank "
    "dense_rank ntile percent_rank cume_dist lag lead first_value last_value nth_value".split()
)

#: Functions that sqlglot reads right, or whose reading is taken up again in `rewrite`.
READ_BY_SQLGLOT = frozenset(
    "cast try_cast count max min if coalesce trim extract position struct aggregate reduce exists stack range now "
    "current_timestamp current_date any".split()
)

#: Words that a bracket may follow without being functions.
WORDS = frozenset(
    "all and as between by case check cube distinct div else end escape except exists filter from having ilike in inner "
    "intersect interval is join lateral like limit not on or over partition qualify rlike rollup select sets some "
    "tblproperties then union using values when where with within".split()
)

#: Types that take sizes in brackets.
SIZED_TYPES = frozenset("decimal dec numeric".split())

#: Types whose length Spark checks, and sqlglot forgets.
LENGTH_TYPES = frozenset("varchar char character".split())

#: What sqlglot makes of the rest of a statement; a construct that is not listed is refused.
NODES = frozenset(
    "Add Alias Aliases And Anonymous Array Between Boolean Bracket CTE Case Cast Coalesce Column ColumnDef Count "
    "CurrentDate CurrentTimestamp DPipe DType DataType DataTypeParam Distinct Div Dot EQ Except Exists Extract Filter "
    "From GT GTE Group Having Identifier If ILike In IntDiv Intersect Interval IntervalSpan Is Join LT LTE Lambda Like "
    "Limit Literal Max Min Mod Mul NEQ Neg Not Null NullSafeEQ Offset Or Order Ordered Paren PropertyEQ Qualify Reduce "
    "RegexpLike RowNumber Select Stack Star StrPosition Struct Sub Subquery Table TableAlias Trim TryCast Tuple Union "
    "Unnest Values Var Where Window WindowSpec With Within Escape Boolean Placeholder Parameter Hint Inline "
    "StarMap SetOperation Comment HavingMax Kwarg Cluster Sort Distribute BitwiseAnd".split()
)
