{% macro usable_usd(expression) -%}
    {#- no swap is worth 0, and a value beyond all money comes from a manipulated price: both count as a missing price -#}
    if({{ expression }} > 0 and {{ expression }} < 1e18d, {{ expression }}, null)
{%- endmacro %}
