{#-- as dbt-spark's, and noted in the lake, so that both engines know the view --#}
{% materialization view, adapter='sparkconnect' -%}
  {%- set made = create_or_replace_view() -%}
  {%- set docs = config.get('persist_docs', {}) -%}
  {%- set columns = {} -%}
  {%- if docs.get('columns') -%}
    {%- for name, column in model.columns.items() -%}
      {%- do columns.update({name: column.description or ''}) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- do adapter.record_view(this, sql, model.description if docs.get('relation') else none, columns) -%}
  {{ return(made) }}
{%- endmaterialization %}
