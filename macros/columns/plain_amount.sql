{% macro plain_amount(column) -%}
    {#- nearly all amounts are whole base units and in plain form already -#}
    case
        when {{ column }} rlike '^(0|[1-9][0-9]{0,25})$' then {{ column }}
        else coalesce(
            trim(trailing '.' from trim(trailing '0' from cast(try_cast({{ column }} as decimal(38, 12)) as string))),
            -- too long for that type; so large an amount has no decimal places
            cast(try_cast({{ column }} as decimal(38, 0)) as string),
            {{ column }}
        )
    end
{%- endmacro %}
