{% macro round_decimal(expression) -%}
    cast(bround({{ expression }}, 6) as decimal(38, 6))
{%- endmacro %}
