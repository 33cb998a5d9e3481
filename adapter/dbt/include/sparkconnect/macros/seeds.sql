{#-- dbt-spark drops a seed and creates it anew: a reader finds no table in between, and files that a lost catalog left
     make the creation fail. Delta replaces a table in one commit --#}
{% macro sparkconnect__create_csv_table(model, agate_table) %}
  {%- set types = model['config'].get('column_types', {}) -%}
  {%- set columns = [] -%}
  {%- for name in agate_table.column_names -%}
    {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
    {%- do columns.append(adapter.quote_seed_column(name | string, model['config'].get('quote_columns')) ~ ' ' ~ type) -%}
  {%- endfor -%}
  {%- set is_delta = config.get('file_format') == 'delta' -%}
  {%- set sql -%}
    create {{ 'or replace' if is_delta }} table {{ this.render() }} (
      {{ columns | join(', ') }}
    )
    {{ file_format_clause() }}
    {{ partition_cols(label='partitioned by') }}
    {{ clustered_cols(label='clustered by') }}
    {{ location_clause() }}
    {{ comment_clause() }}
  {%- endset -%}
  {%- call statement('_') -%}
    {{ sql }}
  {%- endcall -%}
  {{ return(sql) }}
{% endmacro %}


{% macro sparkconnect__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {%- if old_relation and not (old_relation.is_delta and config.get('file_format') == 'delta') -%}
    {% do adapter.drop_relation(old_relation) %}
  {%- endif -%}
  {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}
