{#-- dbt's snapshots get the columns by this macro and expect Column objects; dbt-spark answers
     with the raw rows of DESCRIBE, which breaks `hard_deletes: new_record` --#}
{% macro sparkconnect__get_columns_in_relation(relation) -%}
  {{ return(adapter.get_columns_in_relation(relation)) }}
{%- endmacro %}


{#-- Delta drops columns only when they are mapped by name, so the error names how to get there --#}
{% macro sparkconnect__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
  {%- if remove_columns -%}
    {%- set names = remove_columns | map(attribute='quoted') | join(', ') -%}
    {%- if not sparkconnect__maps_columns_by_name(relation) -%}
      {% do exceptions.raise_compiler_error(
        "Cannot drop " ~ names ~ " from " ~ relation ~ ": the table does not map its columns by "
        ~ "name. Run the model once with --full-refresh, or set its tblproperties to "
        ~ "{'delta.columnMapping.mode': 'name'} before that run and dbt will drop columns later."
      ) %}
    {%- endif -%}
    {% do run_query("alter table " ~ relation ~ " drop columns (" ~ names ~ ")") %}
  {%- endif -%}
  {%- if add_columns -%}
    {% do spark__alter_relation_add_remove_columns(relation, add_columns, none) %}
  {%- endif -%}
{% endmacro %}


{% macro sparkconnect__maps_columns_by_name(relation) %}
  {%- for row in fetch_tbl_properties(relation) -%}
    {%- if row[0] == 'delta.columnMapping.mode' and row[1] == 'name' -%}
      {{ return(true) }}
    {%- endif -%}
  {%- endfor -%}
  {{ return(false) }}
{% endmacro %}


{#-- dbt-spark sends a statement for each column, and each is a commit --#}
{% macro sparkconnect__alter_column_comment(relation, column_dict) %}
  {%- set comments = {} -%}
  {%- for name, column in column_dict.items() -%}
    {%- do comments.update({name: column['description'] or ''}) -%}
  {%- endfor -%}
  {%- if not adapter.set_column_comments(relation, comments) -%}
    {% do spark__alter_column_comment(relation, column_dict) %}
  {%- endif -%}
{% endmacro %}
