{#-- As dbt-spark's, but a table is dropped first only when it cannot be replaced in one commit:
     without a `file_format` Python models write Delta, and must keep the table they replace --#}
{% materialization table, adapter='sparkconnect', supported_languages=['sql', 'python'] %}
  {%- set language = model['language'] -%}
  {%- set file_format = config.get('file_format') or ('delta' if language == 'python' else none) -%}
  {%- set old_relation = adapter.get_relation(database=database, schema=schema, identifier=model['alias']) -%}
  {%- set target_relation = this.incorporate(type='table') -%}

  {{ run_hooks(pre_hooks) }}

  {%- set is_replaced = old_relation is not none and (
      (old_relation.is_delta and file_format == 'delta')
      or (old_relation.is_iceberg and file_format == 'iceberg')
  ) -%}
  {%- if old_relation is not none and not is_replaced -%}
    {% do adapter.drop_relation(old_relation) %}
  {%- endif -%}

  {%- call statement('main', language=language) -%}
    {{ create_table_as(False, target_relation, compiled_code, language) }}
  {%- endcall -%}

  {% do apply_grants(target_relation, config.get('grants'), should_revoke(old_relation, full_refresh_mode=True)) %}
  {% do persist_docs(target_relation, model) %}
  {% do persist_constraints(target_relation, model) %}

  {{ run_hooks(post_hooks) }}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
