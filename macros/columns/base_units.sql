{% macro base_units(column) -%}
    {#- Whole base units; OpenBook sends fractional ones: round half-even. An amount beyond decimal(38, 12) is whole as a
        double. Nearly all are whole as they came, and rounding would cost most of the time. -#}
    case
        when {{ column }} rlike '^[0-9]{1,26}$' then try_cast({{ column }} as double)
        else coalesce(
            cast(bround(try_cast({{ column }} as decimal(38, 12))) as double),
            {{ parse_number(column) }}
        )
    end
{%- endmacro %}
