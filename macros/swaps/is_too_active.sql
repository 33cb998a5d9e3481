{% macro is_too_active(swap_count) -%}
    {{ swap_count }} > {{ var('max_swaps_per_wallet') }}
{%- endmacro %}
