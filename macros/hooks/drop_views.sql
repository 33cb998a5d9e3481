{% macro drop_views(schema, names) -%}
    {%- for name in names -%}
        {%- do adapter.drop_relation(api.Relation.create(schema=schema, identifier=name, type='view')) -%}
    {%- endfor -%}
{%- endmacro %}
