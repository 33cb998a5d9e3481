{% macro parse_number(column) -%}
    {#- JSON allows 1e400: a number too large for money is null, so that one such row stops no build -#}
    if(abs(try_cast({{ column }} as double)) < 1e30d, try_cast({{ column }} as double), null)
{%- endmacro %}
