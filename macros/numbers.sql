{% macro wire_number(column) -%}
    {#- a number that money cannot hold is none: JSON allows 1e400, and one such row must not stop a build -#}
    if(abs(try_cast({{ column }} as double)) < 1e30d, try_cast({{ column }} as double), null)
{%- endmacro %}


{% macro wire_decimals(column) -%}
    {#- a mint keeps its decimals in one byte; others are none, since no power of ten could be made of them -#}
    if({{ column }} between 0 and 255, cast({{ column }} as int), null)
{%- endmacro %}


{% macro plain_amount(column) -%}
    {#- whole base units, nearly always, are in plain form as they came -#}
    case
        when {{ column }} rlike '^(0|[1-9][0-9]{0,25})$' then {{ column }}
        else coalesce(
            trim(trailing '.' from trim(trailing '0' from cast(try_cast({{ column }} as decimal(38, 12)) as string))),
            -- too long for that; what is so large has no places
            cast(try_cast({{ column }} as decimal(38, 0)) as string),
            {{ column }}
        )
    end
{%- endmacro %}


{% macro base_units(column) -%}
    {#- whole, half to even, since openbook sends floats; what a decimal of 12 places cannot hold has none in a double.
        Nearly all are whole as they came, which rounding would cost the most of. -#}
    case
        when {{ column }} rlike '^[0-9]{1,26}$' then try_cast({{ column }} as double)
        else coalesce(
            cast(bround(try_cast({{ column }} as decimal(38, 12))) as double),
            {{ wire_number(column) }}
        )
    end
{%- endmacro %}


{% macro is_too_active(swap_count) -%}
    {{ swap_count }} > {{ var('max_swaps_per_wallet') }}
{%- endmacro %}


{% macro rounded(expression) -%}
    cast(bround({{ expression }}, 6) as decimal(38, 6))
{%- endmacro %}


{% macro in_loads(column, query) -%}
    {#- As literals, so that Parquet files and row groups without the loads are passed over; a join would read them.
        Beyond some hundreds the list costs more than it saves. -#}
    {%- if execute -%}
        {%- set loads = run_query(query).columns[0].values() -%}
        {%- if not loads -%}
            false
        {%- elif loads | length > 200 -%}
            true
        {%- else -%}
            {{ column }} in ('{{ loads | join("', '") }}')
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{% macro is_base_sold() -%}
    {#- base and quote say nothing about the direction, the legs' own words and signs do; null is a row without one -#}
    {%- set is_sold = {} -%}
    {%- for leg in ['base', 'quote'] -%}
        {%- set change = wire_number(leg ~ '__ui_change_amount') -%}
        {%- do is_sold.update({leg:
            "case when " ~ leg ~ "__type_swap = 'from' then true when " ~ leg ~ "__type_swap = 'to' then false "
            ~ "when " ~ change ~ " < 0 then true when " ~ change ~ " > 0 then false end"
        }) -%}
    {%- endfor -%}
    if(
        coalesce({{ is_sold['base'] }} <> {{ is_sold['quote'] }}, true),
        coalesce({{ is_sold['base'] }}, not {{ is_sold['quote'] }}),
        null
    )
{%- endmacro %}


{% macro usable_usd(expression) -%}
    {#- nothing is worth 0, and what is worth more than all money comes of a poisoned price: both are a missing price -#}
    if({{ expression }} > 0 and {{ expression }} < 1e18d, {{ expression }}, null)
{%- endmacro %}


{% macro route_usd(swaps, swap) -%}
    if(
        {{ swap }}.leg.is_token_to_token,
        coalesce(
            {{ moved_usd(swaps, swap, 'sold', 'bought') }},
            {{ moved_usd(swaps, swap, 'bought', 'sold') }}
        ),
        null
    )
{%- endmacro %}


{% macro moved_usd(swaps, swap, own_leg, other_leg) -%}
    aggregate(
        {{ swaps }},
        struct(0d as quantity, 0d as usd),
        (sums, other) -> if(
            other.usd is not null
            and other.leg.{{ other_leg }}_quantity > 0
            and other.leg.{{ other_leg }}_token = {{ swap }}.leg.{{ own_leg }}_token,
            struct(sums.quantity + other.leg.{{ other_leg }}_quantity as quantity, sums.usd + other.usd as usd),
            sums
        ),
        sums -> if(
            {{ swap }}.leg.{{ own_leg }}_quantity > 0 and sums.quantity >= {{ swap }}.leg.{{ own_leg }}_quantity,
            sums.usd * {{ swap }}.leg.{{ own_leg }}_quantity / sums.quantity,
            null
        )
    )
{%- endmacro %}
