{#- Read at execution only: what parsing reads from the environment becomes part of the parsed project, and a changed
    value would parse all of it again. -#}
{% macro run_id() -%}
    {%- if execute -%}
        '{{ adapter.call_python(
            'smart_trader.run_ids.command_run_id', env_var('SMART_TRADER_RUN_ID', ''), invocation_id
        ) }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}
