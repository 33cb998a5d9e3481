{% macro sparkconnect__create_schema(relation) -%}
    {#- Spark would make `silver.db`; a schema with its own location keeps the lake's folders readable for every tool -#}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ relation.without_identifier() }}
        location '{{ adapter.lake_root() | replace("'", "\\'") }}/{{ relation.schema }}'
    {%- endcall -%}
{%- endmacro %}
