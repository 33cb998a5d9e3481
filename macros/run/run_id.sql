{#- Read at execution only: what parsing reads from the environment becomes part of the parsed project, and a changed
    value would parse all of it again. -#}
{% macro run_id() -%}
    {%- if execute -%}
        '{{ env_var('SMART_TRADER_RUN_ID', '') or invocation_id }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}
