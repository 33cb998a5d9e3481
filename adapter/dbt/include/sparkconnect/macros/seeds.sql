{#-- dbt-spark drops a seed, creates it again and then inserts its rows: a reader in between finds no table or no rows,
     and files that a lost catalog left behind make the creation fail. Delta does all of it in one commit --#}
{% macro sparkconnect__create_csv_table(model, agate_table) %}
  {%- if config.get('file_format') != 'delta' -%}
    {{ return(spark__create_csv_table(model, agate_table)) }}
  {%- endif -%}
  {%- set types = model['config'].get('column_types', {}) -%}
  {%- set columns = [] -%}
  {%- for name in agate_table.column_names -%}
    {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
    {%- set quoted = adapter.quote_seed_column(name | string, model['config'].get('quote_columns')) -%}
    {%- do columns.append('cast(col' ~ loop.index ~ ' as ' ~ type ~ ') as ' ~ quoted) -%}
  {%- endfor -%}
  {%- set row = '(' ~ (['%s'] * columns | length) | join(', ') ~ ')' -%}
  {%- set bindings = [] -%}
  {%- for values in agate_table.rows -%}{%- do bindings.extend(values) -%}{%- endfor -%}
  {#- without rows, one row of nulls gives the columns, and the condition takes it away -#}
  {%- set is_empty = bindings | length == 0 -%}
  {%- set sql -%}
    create or replace table {{ this.render() }}
    {{ file_format_clause() }}
    {{ partition_cols(label='partitioned by') }}
    {{ location_clause() }}
    {{ comment_clause() }}
    as select {{ columns | join(', ') }}
    from values {{ ([row] * ([agate_table.rows | length, 1] | max)) | join(', ') }}
    where {{ 'false' if is_empty else 'true' }}
  {%- endset -%}
  {%- do adapter.add_query(sql, bindings=([none] * columns | length if is_empty else bindings), abridge_sql_log=True) -%}
  {{ return(sql) }}
{% endmacro %}


{% macro sparkconnect__load_csv_rows(model, agate_table) %}
  {%- if config.get('file_format') != 'delta' -%}
    {{ return(spark__load_csv_rows(model, agate_table)) }}
  {%- endif -%}
  {{ return('-- the rows came with the table') }}
{% endmacro %}


{% macro sparkconnect__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {%- if old_relation and not (old_relation.is_delta and config.get('file_format') == 'delta') -%}
    {% do adapter.drop_relation(old_relation) %}
  {%- endif -%}
  {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}
