{#- Read at execution only: what parsing reads from the environment becomes part of the parsed project, and a changed
    value would parse all of it again. -#}
{% macro code_version() -%}
    {%- if execute -%}
        '{{ adapter.call_python(
            'smart_trader.pipeline.fingerprints.formula_version', invocation_args_dict.get('vars') or {}
        ) }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}
