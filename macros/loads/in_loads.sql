{% macro in_loads(column, query) -%}
    {#- Literals let the engine skip Parquet files and row groups without the loads; a join would read them. Beyond some
        hundred loads the list costs more than it saves. -#}
    {%- if execute -%}
        {%- set loads = run_query(query).columns[0].values() -%}
        {%- if not loads -%}
            false
        {%- elif loads | length > 200 -%}
            true
        {%- else -%}
            {{ column }} in ('{{ loads | join("', '") }}')
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
