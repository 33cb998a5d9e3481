{#-- What dbt adds to a model's code; `spark` and `write_table` are given by the adapter. Stock
     dbt-spark imports pyspark.pandas here (2.5 s) and knows neither partitions nor properties --#}
{% macro py_write_table(compiled_code, target_relation) %}
{{ compiled_code }}
dbt = dbtObj(spark.table)
write_table(
    spark,
    model(dbt, spark),
    {{ (target_relation | string) | tojson }},
    file_format={{ config.get('file_format', 'delta') | tojson }},
    partition_by={{ sparkconnect__partition_columns() | tojson }},
    properties={{ sparkconnect__python_table_properties(target_relation) | tojson }},
)
{% endmacro %}


{% macro sparkconnect__partition_columns() %}
  {%- set columns = config.get('partition_by') or [] -%}
  {{ return([columns] if columns is string else columns) }}
{% endmacro %}


{#-- Spark takes the comment and the location of a table as properties with these names --#}
{% macro sparkconnect__python_table_properties(target_relation) %}
  {%- for setting in ['clustered_by', 'buckets', 'options'] if config.get(setting) is not none -%}
    {% do exceptions.raise_compiler_error(
      "`" ~ setting ~ "` is not supported for Python models; remove it from this model's config"
    ) %}
  {%- endfor -%}
  {%- set properties = {} -%}
  {%- for key, value in (config.get('tblproperties') or {}).items() -%}
    {% do properties.update({key | string: value | string}) %}
  {%- endfor -%}
  {#-- an incremental model's temporary table stays in the warehouse, where dropping it deletes it --#}
  {%- if target_relation.identifier == model['alias'] -%}
    {%- if (config.get('persist_docs') or {}).get('relation') and model.description -%}
      {% do properties.update({'comment': model.description}) %}
    {%- endif -%}
    {%- if config.get('location_root') -%}
      {% do properties.update({'location': config.get('location_root') ~ '/' ~ model['alias']}) %}
    {%- endif -%}
  {%- endif -%}
  {{ return(properties) }}
{% endmacro %}
