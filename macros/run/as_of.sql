{#- Read at execution only: what parsing reads from the environment becomes part of the parsed project, and a changed
    value would parse all of it again. -#}
{% macro as_of() -%}
    {%- if execute -%}
        timestamp '{{ adapter.call_python(
            'smart_trader.clock.spark_timestamp', env_var('SMART_TRADER_AS_OF', ''), run_started_at
        ) }}'
    {%- else -%}
        timestamp '1970-01-01T00:00:00Z'
    {%- endif -%}
{%- endmacro %}
