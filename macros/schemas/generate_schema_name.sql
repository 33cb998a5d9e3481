{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set name = custom_schema_name | default('', true) | trim -%}
    {%- if not name and node.resource_type in ('model', 'seed', 'snapshot') -%}
        {{ exceptions.raise_compiler_error(
            "no schema is configured for " ~ node.unique_id ~ "; give its folder a +schema in dbt_project.yml"
        ) }}
    {%- elif not name -%}
        {{ target.schema }}
    {%- elif target.name in ('local', 'spark', 'embedded', 'cluster') -%}
        {{ name }}
    {%- else -%}
        {{ target.schema }}_{{ name }}
    {%- endif -%}
{%- endmacro %}
