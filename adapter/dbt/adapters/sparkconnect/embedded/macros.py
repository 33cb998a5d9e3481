"""Macros of DuckDB with the meaning of Spark's functions and casts (ANSI mode, time zone UTC).

`typeof` is folded when a statement is planned, so that a branch on a type costs nothing at run time.
"""

#: Macros with a form for each type of their argument.
OVERLOADED = frozenset(
    [
        "spark_string",
        "spark_to_whole",
        "spark_try_whole",
        "spark_to_double",
        "spark_try_double",
        "spark_decimal_text",
        "spark_try_decimal_text",
        "spark_to_boolean",
        "spark_try_boolean",
        "spark_to_timestamp",
        "spark_try_timestamp",
        "spark_to_date",
        "spark_try_date",
    ]
)
#: Digits after the point for which `bround` and `round` exist.
ROUNDED_DIGITS = range(19)
#: Below it, shifted to whole numbers, doubles have three digits more that hold; so far from a tie they are not one.
CLEAR_LIMIT = "1e12"
CLEAR_OF_TIES = "0.001"

_IS_DECIMAL = "typeof({0}) like 'DECIMAL%'"


def _refuse(what: str, fix: str = "Cast one side to double") -> str:
    return f"error('`method: embedded` refuses {what}: their result has another type on Spark. {fix}')"


_OF_A_DATE = _refuse("' || operator || ' of DATE/INTERVAL", "Use date_add or add_months, or cast to timestamp")
# types of both sides, in one text
_TYPES = "typeof(a) || '/' || typeof(b)"
_WITH_DECIMAL = r"DECIMAL[^/]*/(DECIMAL.*|.*INT.*)|[^/]*INT[^/]*/DECIMAL.*"
_WHOLE = "(TINYINT|SMALLINT|INTEGER|BIGINT)"
_MONEY = r"DECIMAL\(38,[0-6]\)"


def _checked(what: str, value: str) -> str:
    """Return a value that is refused for its types, which are mentioned once.

    Expressions stand in expressions: with each mention of an argument, binding takes so many times as long for each
    level. `error` of no text is null when it is bound, which leaves the value alone.

    Args:
        what: The message; in it a text that is null where the types are fine.
        value: The expression.
    """
    return f"case when {what} is null then {value} end"


def _matching(types: str, pattern: str) -> str:
    """Return the types if they match as a whole, and null otherwise."""
    return f"nullif(regexp_extract({types}, '^({pattern})$'), '')"


def _arithmetic(name: str, operator: str) -> list[str]:
    """Decimals only where both engines agree on the result's type, and so on its digits.

    `_of` takes both sides once more without checks in them, of which it asks the types alone.
    """
    agreed = f"{_MONEY}/{_WHOLE}|{_WHOLE}/{_MONEY}"
    looked_at, fix = _WITH_DECIMAL, "Cast one side to double"
    if operator in "+-":
        agreed += "".join(rf"|DECIMAL\(38,{scale}\)/DECIMAL\(38,{scale}\)" for scale in range(7))
    if operator == "-":
        # an interval on Spark, a number of days on DuckDB
        looked_at, fix = f"{_WITH_DECIMAL}|DATE/DATE", f"{fix}; of two dates, use datediff"

    def checked(left: str, right: str) -> str:
        types = f"typeof({left}) || '/' || typeof({right})"
        others = _matching(f"regexp_replace({types}, '^({agreed})$', '')", looked_at)
        return _checked(_refuse(f"`{operator}` of ' || {others} || '", fix), f"a {operator} b")

    return [
        f"create or replace macro spark_{name}(a, b) as {checked('a', 'b')}",
        f"create or replace macro spark_{name}_of(a, b, c, d) as {checked('c', 'd')}",
    ]


def unit_of(digits: int) -> str:
    """Return the last digit that stays, as a decimal."""
    number = "1" if digits == 0 else f"0.{'0' * (digits - 1)}1"
    return f"cast('{number}' as decimal({digits + 1}, {digits}))"


def _rounded(digits: int) -> list[str]:
    """Round the decimal text, as Java's BigDecimal does; the binary value has other ties.

    For half even: the text cut to one digit more shows a tie, if it is the number exactly.
    """
    one, ten = f"decimal(38, {digits})", f"decimal(38, {digits + 1})"
    # no `in (...)`: DuckDB makes a join of a longer one, and computes it where a CASE around it would not
    unit = f"cast({unit_of(digits)} as {one})"
    text = "cast(x as varchar)"
    even = f"""case
        when try_cast({text} as {ten}) = x
            and contains('05 25 45 65 85', right(replace(cast(try_cast({text} as {ten}) as varchar), '.', ''), 2))
        then cast(cast({text} as {one}) - cast(sign(x) as int) * {unit} as {one})
        else cast({text} as {one}) end"""
    up = f"cast({text} as {one})"
    # Text costs 5 us a number. A double that is far from a tie, for the digits that it has, rounds to the same from its
    # binary value.
    shifted = f"(x * 1e{digits})"
    is_clear = (
        f"typeof(x) = 'DOUBLE' and abs({shifted}) < {CLEAR_LIMIT} "
        f"and abs(abs({shifted} - trunc({shifted})) - 0.5) > {CLEAR_OF_TIES}"
    )
    clear = f"cast(cast(cast(round({shifted}) as bigint) as decimal(19, 0)) * {unit_of(digits)} as {one})"
    no_double = (
        "error('`method: embedded` refuses rounding of ' || typeof(x) || ' with no cast to decimal or double around: "
        "its result has another type on Spark. Cast the rounded number to the decimal that is meant, or to double')"
    )
    macros = []
    for name, decimal in (("bround", even), ("round", up)):
        macros.append(
            f"create or replace macro spark_{name}_{digits}(x) as case when {is_clear} then {clear} else {decimal} end"
        )
        # what is beyond a double's digits has none after the point
        macros.append(f"""create or replace macro spark_{name}_{digits}_number(x) as case
            when typeof(x) not in ('DOUBLE', '"NULL"') then {no_double}
            when not isfinite(x) or abs(x) >= 1e15 then x
            else cast(spark_{name}_{digits}(x) as double) end""")
    return macros


_DOUBLE_TEXT = r"""
create or replace macro spark_double_parts(t) as struct_pack(
    sign := case when t[1] = '-' then '-' else '' end,
    digits := ltrim(replace(split_part(ltrim(t, '-'), 'e', 1), '.', ''), '0'),
    exponent := case
        when contains(t, 'e') then cast(split_part(t, 'e', 2) as int)
        when starts_with(ltrim(t, '-'), '0.')
            then length(ltrim(split_part(t, '.', 2), '0')) - length(split_part(t, '.', 2)) - 1
        else length(split_part(ltrim(t, '-'), '.', 1)) - 1 end);
create or replace macro spark_double_scientific(p) as
    p.sign || p.digits[1] || '.' || coalesce(nullif(rtrim(p.digits[2:], '0'), ''), '0') || 'E' || p.exponent;
create or replace macro spark_double_string(x) as case
    when isnan(x) then 'NaN'
    when isinf(x) then case when x > 0 then 'Infinity' else '-Infinity' end
    when x = 0 or (abs(x) >= 1e-3 and abs(x) < 1e7) then cast(x as varchar)
    else list_extract(list_transform(
        [spark_double_parts(cast(x as varchar))], lambda p: spark_double_scientific(p)), 1) end;
"""

_ZONE = r"( ?(Z|UTC|[+-]\d{1,2}(:?\d{2})?))?"
_TIME = "'%Y-%m-%d %H:%M:%S.%f'"

_CASTS = rf"""
create or replace macro spark_string
    (x) as case
        when typeof(x) in ('DOUBLE', 'FLOAT')
        then list_extract(list_transform([try_cast(x as double)], lambda d: spark_double_string(d)), 1)
        when typeof(x) like '%[]' or typeof(x) like 'STRUCT%' or typeof(x) like 'MAP%'
            or typeof(x) in ('BLOB', 'INTERVAL')
        then error('`method: embedded` refuses cast(... as string) of a list, struct, map, interval or binary')
        else cast(x as varchar) end,
    (x varchar) as x,
    (x timestamptz) as rtrim(regexp_replace(strftime(x, {_TIME}), '(\.\d*?)0+$', '\1'), '.'),
    (x timestamp) as rtrim(regexp_replace(strftime(x, {_TIME}), '(\.\d*?)0+$', '\1'), '.'),
    (x date) as strftime(x, '%Y-%m-%d');

create or replace macro spark_unix_seconds(x) as cast(floor(epoch_us(x) / 1000000) as bigint);
create or replace macro spark_is_whole_text(x) as regexp_full_match(x, '\s*[+-]?\d+\s*');
create or replace macro spark_bad_cast(x, kind) as error('[CAST_INVALID_INPUT] The value ''' || x || ''' of the type '
    || '"STRING" cannot be cast to "' || kind || '" because it is malformed');
create or replace macro spark_to_whole
    (x) as case when typeof(x) in ('DOUBLE', 'FLOAT') or typeof(x) like 'DECIMAL%' then trunc(x) else x end,
    (x varchar) as case when spark_is_whole_text(x) then cast(trim(x) as bigint) else spark_bad_cast(x, 'BIGINT') end,
    (x boolean) as cast(x as int),
    (x timestamptz) as spark_unix_seconds(x);
create or replace macro spark_try_whole
    (x) as case when typeof(x) in ('DOUBLE', 'FLOAT') or typeof(x) like 'DECIMAL%' then trunc(x) else x end,
    (x varchar) as case when spark_is_whole_text(x) then try_cast(trim(x) as bigint) end,
    (x boolean) as cast(x as int),
    (x timestamptz) as spark_unix_seconds(x);

create or replace macro spark_try_double
    (x) as try_cast(x as double),
    (x varchar) as case
        when try_cast(x as double) is not null and not contains(x, '_') then try_cast(x as double)
        when regexp_full_match(trim(x), '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]')
        then try_cast(rtrim(trim(x), 'dDfF') as double) end;
create or replace macro spark_to_double
    (x) as cast(x as double),
    (x varchar) as case
        when x is null then null
        when spark_try_double(x) is null then spark_bad_cast(x, 'DOUBLE')
        else spark_try_double(x) end;

create or replace macro spark_decimal_text
    (x) as cast(x as varchar),
    (x boolean) as cast(cast(x as int) as varchar),
    (x varchar) as case
        when not contains(x, '_') and regexp_full_match(trim(x), '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?') then trim(x)
        else spark_bad_cast(x, 'DECIMAL') end;
create or replace macro spark_try_decimal_text
    (x) as cast(x as varchar),
    (x boolean) as cast(cast(x as int) as varchar),
    (x varchar) as case
        when not contains(x, '_') and regexp_full_match(trim(x), '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?')
        then trim(x) end;

create or replace macro spark_try_boolean
    (x) as cast(x as boolean),
    (x varchar) as case
        when lower(trim(x)) in ('t', 'true', 'y', 'yes', '1') then true
        when lower(trim(x)) in ('f', 'false', 'n', 'no', '0') then false end;
create or replace macro spark_to_boolean
    (x) as cast(x as boolean),
    (x varchar) as case
        when x is null then null
        when spark_try_boolean(x) is null then spark_bad_cast(x, 'BOOLEAN')
        else spark_try_boolean(x) end;

create or replace macro spark_is_time_text(x) as regexp_full_match(trim(x),
    '\d{{4}}-\d{{1,2}}-\d{{1,2}}([ T]\d{{1,2}}:\d{{1,2}}(:\d{{1,2}}(\.\d{{1,9}})?)?{_ZONE})?');
create or replace macro spark_time_text(x) as regexp_replace(
    regexp_replace(replace(trim(x), ' UTC', 'Z'), '(\.\d{{6}})\d+', '\1'),
    '(:\d{{1,2}}(?:\.\d+)?) ?([+-])(\d)$', '\1\20\3');
create or replace macro spark_unread_time(x, kind) as case
    when regexp_full_match(trim(x), '[+-]?\d{{4,7}}(-\d{{1,2}}(-\d{{1,2}}([ T].*)?)?)?|T?\d{{1,2}}:\d{{1,2}}.*')
    then error('`method: embedded` does not read the time ''' || x
        || '''; write it as 2026-01-31 09:00:00 or 2026-01-31')
    when kind is not null then spark_bad_cast(x, kind) end;
create or replace macro spark_try_timestamp
    (x) as cast(x as timestamptz),
    (x varchar) as case
        when spark_is_time_text(x) then try_cast(spark_time_text(x) as timestamptz)
        else cast(spark_unread_time(x, null) as timestamptz) end,
    (x date) as cast(x as timestamptz),
    (x timestamp) as cast(x as timestamptz),
    (x timestamptz) as x;
create or replace macro spark_to_timestamp
    (x) as cast(x as timestamptz),
    (x varchar) as case
        when spark_is_time_text(x) then cast(spark_time_text(x) as timestamptz)
        else cast(spark_unread_time(x, 'TIMESTAMP') as timestamptz) end,
    (x date) as cast(x as timestamptz),
    (x timestamp) as cast(x as timestamptz),
    (x timestamptz) as x;
create or replace macro spark_try_date
    (x) as cast(x as date),
    (x varchar) as case
        when regexp_full_match(trim(x), '\d{{4}}-\d{{1,2}}-\d{{1,2}}([ T].*)?')
        then try_cast(regexp_extract(trim(x), '^[^ T]+') as date)
        else cast(spark_unread_time(x, null) as date) end,
    (x date) as x,
    (x timestamp) as cast(x as date),
    (x timestamptz) as cast(x as date);
create or replace macro spark_to_date
    (x) as cast(x as date),
    (x varchar) as case
        when regexp_full_match(trim(x), '\d{{4}}-\d{{1,2}}-\d{{1,2}}([ T].*)?')
        then cast(regexp_extract(trim(x), '^[^ T]+') as date)
        else cast(spark_unread_time(x, 'DATE') as date) end,
    (x date) as x,
    (x timestamp) as cast(x as date),
    (x timestamptz) as cast(x as date);
"""


def _refuse_order() -> str:
    types = _matching("typeof(x)", r"STRUCT.*|.*\[\]")
    return f"error('`method: embedded` refuses the order of ' || {types} || ': Spark puts nulls in it first')"


def _refuse_sum() -> str:
    narrow = _matching("typeof(x)", r"DECIMAL\(([0-9]|1[0-9]|2[0-7]),.*")
    return (
        f"error('`method: embedded` refuses sum of ' || {narrow} || ': its result is narrower on Spark. "
        "Cast to decimal(38, ...) or double')"
    )


_NUMBERS = f"""
create or replace macro spark_by_zero() as
    error('[DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead');
create or replace macro spark_no_decimal(x, what) as case
    when {_IS_DECIMAL.format("x")} then
        error('`method: embedded` refuses ' || what || ' of ' || typeof(x) || ': its result has another type on Spark. '
            || 'Cast to double') else x end;
create or replace macro spark_divided(a, b) as
    {_checked(_refuse("the division of ' || " + _matching(_TYPES, _WITH_DECIMAL) + " || '"), "a / b")};
create or replace macro spark_divide_double(a, b) as case when b = 0 then spark_by_zero() else a / b end;
create or replace macro spark_divide(a, b) as case when b = 0 then spark_by_zero() else spark_divided(a, b) end;
create or replace macro spark_try_divide(a, b) as case when b = 0 then null else spark_divided(a, b) end;
create or replace macro spark_div(a, b) as case when b = 0 then spark_by_zero() else cast(a // b as bigint) end;
create or replace macro spark_mod(a, b) as case
    when b = 0 then spark_by_zero() else spark_no_decimal(a, '%') % spark_no_decimal(b, '%') end;
create or replace macro spark_pmod(a, b) as
    case when spark_mod(a, b) < 0 then (spark_mod(a, b) + b) % b else spark_mod(a, b) end;
create or replace macro spark_flatten(x) as case when list_count(x) = len(x) then flatten(x) end;
create or replace macro spark_no_date(x, operator) as case
    when typeof(x) = 'DATE' then {_OF_A_DATE}
    else x end;
create or replace macro spark_ordered(x) as {_checked(_refuse_order(), "x")};
create or replace macro spark_floor(x) as cast(floor(spark_no_decimal(x, 'floor')) as bigint);
create or replace macro spark_ceil(x) as cast(ceil(spark_no_decimal(x, 'ceil')) as bigint);
create or replace macro spark_ln(x) as case when x > 0 then ln(x) end;
create or replace macro spark_log10(x) as case when x > 0 then log10(x) end;
create or replace macro spark_log2(x) as case when x > 0 then log2(x) end;
create or replace macro spark_nvl2(a, b, c) as case when a is not null then b else c end;
create or replace macro spark_isnull(x) as (x is null);
create or replace macro spark_isnotnull(x) as (x is not null);
create or replace macro spark_summed(x) as {_checked(_refuse_sum(), "x")};
"""

_TEXT = r"""
create or replace macro spark_ascii(x) as case when x = '' then 0 else unicode(x) end;
create or replace macro spark_substring
    (s, p) as case
        when p = 0 then s
        when p < 0 and -p >= length(s) then s
        else substring(s, p) end,
    (s, p, n) as case
        when n <= 0 then case when s is not null then '' end
        when p = 0 then substring(s, 1, n)
        when p < 0 and -p > length(s) then substring(s, 1, greatest(n + length(s) + p, 0))
        else substring(s, p, n) end;
create or replace macro spark_left(s, n) as left(s, greatest(n, 0));
create or replace macro spark_right(s, n) as right(s, greatest(n, 0));
create or replace macro spark_sha2(x, bits) as case
    when bits in (0, 256) then sha256(x)
    else error('`method: embedded` has of sha2 only 256 bits') end;
"""

_TIMES = """
create or replace macro spark_dayofweek(x) as dayofweek(x) + 1;
create or replace macro spark_weekday(x) as isodow(x) - 1;
create or replace macro spark_date_add(d, n) as cast(d + cast(n as int) as date);
create or replace macro spark_date_sub(d, n) as cast(d - cast(n as int) as date);
create or replace macro spark_datediff(a, b) as datediff('day', b, a);
create or replace macro spark_add_months(d, n) as cast(d + to_months(cast(n as int)) as date);
create or replace macro spark_unix_millis(x) as cast(floor(epoch_us(x) / 1000) as bigint);
create or replace macro spark_unix_date(x) as datediff('day', date '1970-01-01', x);
create or replace macro spark_timestamp_micros(x) as make_timestamptz(cast(x as bigint));
create or replace macro spark_timestamp_millis(x) as make_timestamptz(cast(x as bigint) * 1000);
create or replace macro spark_timestamp_seconds(x) as case
    when typeof(x) in ('DOUBLE', 'FLOAT') or typeof(x) like 'DECIMAL%'
    then error('`method: embedded` refuses timestamp_seconds of fractions; use timestamp_micros')
    else make_timestamptz(cast(x as bigint) * 1000000) end;
"""

_LISTS = r"""
create or replace macro spark_from_json(v, s) as case
    when v is not null then json_transform(case when json_valid(v) then v else '{}' end, s) end;
create or replace macro spark_array_contains(l, x) as case
    when list_contains(l, x) then true
    when l is null or x is null or list_aggregate(l, 'count') < len(l) then null
    else false end;
create or replace macro spark_any(l) as case
    when list_contains(l, true) then true
    when l is null or list_aggregate(l, 'count') < len(l) then null
    else false end;
create or replace macro spark_all(l) as case
    when list_contains(l, false) then false
    when l is null or list_aggregate(l, 'count') < len(l) then null
    else true end;
create or replace macro spark_array_sort(l) as list_sort(l, 'ASC', 'NULLS LAST');
create or replace macro spark_sort_array
    (l) as list_sort(l, 'ASC', 'NULLS FIRST'),
    (l, a) as case when a then list_sort(l, 'ASC', 'NULLS FIRST') else list_sort(l, 'DESC', 'NULLS LAST') end;
create or replace macro spark_item(l, i) as case
    when i < 0 or i >= len(l) then
        error('[INVALID_ARRAY_INDEX] The index ' || i || ' is out of bounds. The array has ' || len(l) || ' elements')
    else list_extract(l, i + 1) end;
create or replace macro spark_get(l, i) as case when i >= 0 then list_extract(l, i + 1) end;
create or replace macro spark_element_at(l, i) as case
    when i = 0 or abs(i) > len(l) then
        error('[INVALID_ARRAY_INDEX_IN_ELEMENT_AT] The index ' || i || ' is out of bounds. The array has '
            || len(l) || ' elements')
    else list_extract(l, i) end;
create or replace macro spark_slice(l, s, n) as case
    when s = 0 or n < 0 then error('[INVALID_PARAMETER_VALUE] slice begins at 1 and has no negative length')
    when s < 0 and -s > len(l) then list_slice(l, 1, 0)
    when s < 0 then list_slice(l, len(l) + s + 1, len(l) + s + n)
    else list_slice(l, s, s + n - 1) end;
create or replace macro spark_sequence(a, b) as case
    when a <= b then generate_series(a, b) else generate_series(a, b, -1) end;
"""


def macros() -> str:
    """Return the statements that make all macros, in the order of their use of each other."""
    rounding = [text for digits in ROUNDED_DIGITS for text in _rounded(digits)]
    arithmetic = [*_arithmetic("plus", "+"), *_arithmetic("minus", "-"), *_arithmetic("times", "*")]
    parts = [_DOUBLE_TEXT, _CASTS, _TIMES, _NUMBERS, _TEXT, _LISTS, ";\n".join([*rounding, *arithmetic])]
    return "\n".join(parts)
