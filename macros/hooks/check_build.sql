{% macro check_build() -%}
    {#- Compiling the whole project renders the hooks too: offline there is no lake to check -#}
    {%- if execute -%}
        {%- set variables = invocation_args_dict.get('vars') or {} -%}
        {%- set is_offline = adapter.is_offline() -%}
        {%- set bronze = graph.sources.values() | map(attribute='schema') | first -%}
        {%- do adapter.call_python(
            'smart_trader.pipeline.before_build.check_build',
            variables, none if is_offline else adapter.lake_root(), target.name, bronze
        ) -%}
        {#- a run's wrong name is refused before anything is built -#}
        {%- do run_id() -%}
    {%- endif -%}
{%- endmacro %}
