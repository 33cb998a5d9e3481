{% macro parse_decimals(column) -%}
    {#- a mint keeps its decimals in one byte; any other number is null, since it gives no power of ten -#}
    if({{ column }} between 0 and 255, cast({{ column }} as int), null)
{%- endmacro %}
