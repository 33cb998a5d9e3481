{% macro percent_text(share) -%}
    cast(bround(100 * {{ share }}) as bigint) || '%'
{%- endmacro %}


{% macro whole_percent(share) -%}
    {{ (100 * share) | round | int }}%
{%- endmacro %}
