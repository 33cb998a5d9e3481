{% macro sparkconnect__create_schema(relation) -%}
    {#- Spark would make `silver.db`; a schema with its own location keeps the lake's folders readable for every tool -#}
    {%- set warehouse = run_query('set spark.sql.warehouse.dir').columns[1].values()[0] -%}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ relation.without_identifier() }}
        location '{{ warehouse | replace("'", "\\'") }}/{{ relation.schema }}'
    {%- endcall -%}
{%- endmacro %}
