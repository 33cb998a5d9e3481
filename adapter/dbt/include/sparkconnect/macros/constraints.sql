{#-- Open-source Spark refuses `set not null` on a column of an existing table, and a table is made
     from a query, so its columns are all nullable: a check does the same and Delta enforces it --#}
{% macro sparkconnect__alter_column_set_constraints(relation, column_dict) %}
  {%- for name, column in column_dict.items() -%}
    {%- for constraint in column['constraints'] -%}
      {%- if constraint.type == 'not_null' -%}
        {%- set quoted = adapter.quote(name) -%}
        {%- call statement() -%}
          alter table {{ relation }} add constraint {{ constraint.name or name ~ '_not_null' }}
          check ({{ quoted }} is not null)
        {%- endcall -%}
      {%- elif constraint.type == 'check' -%}
        {%- call statement() -%}
          alter table {{ relation }}
          add constraint {{ constraint.name or name ~ '_check_' ~ loop.index }}
          check ({{ constraint.expression }})
        {%- endcall -%}
      {%- else -%}
        {% do exceptions.warn(
          "The constraint " ~ constraint.type ~ " of column " ~ name ~ " is not enforced by Delta."
        ) %}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
{% endmacro %}
