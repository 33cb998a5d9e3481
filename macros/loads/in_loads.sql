{% macro in_loads(column, query, limit=200) -%}
    {#- Literals let the engine skip Parquet files and row groups without the loads; a join would read them. Beyond some
        hundred loads the list costs more than it saves; limit=none is for a list that has to hold. -#}
    {%- if execute -%}
        {%- set loads = run_query(query).columns[0].values() -%}
        {%- if not loads -%}
            false
        {%- elif limit is not none and loads | length > limit -%}
            true
        {%- else -%}
            {{ column }} in ('{{ loads | join("', '") }}')
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
