{% macro register_bronze() -%}
    {#- Runs before every build. Spark must never be the first to write a bronze table, and `create table` on an empty
        folder would be just that: so a table is registered only where the loaders have made one. -#}
    {%- if execute and not adapter.is_offline() -%}
        {%- set tables = graph.sources.values() | selectattr('source_name', 'equalto', 'bronze') | list -%}
        {%- set schema = tables[0].schema -%}
        {%- set is_known = adapter.check_schema_exists(target.database, schema) -%}
        {%- set known = run_query('show tables in ' ~ schema).columns['tableName'].values() if is_known else [] -%}
        {%- set unknown = tables | rejectattr('identifier', 'in', known) | sort(attribute='identifier') -%}
        {%- set absent = [] -%}
        {%- for table in unknown if not adapter.has_delta_log(table_folder(table)) -%}
            {%- do absent.append(schema ~ '.' ~ table.identifier) -%}
        {%- endfor -%}
        {%- if absent -%}
            {{ exceptions.raise_compiler_error(
                "the lake has no " ~ absent | join(', ') ~ " yet; make the empty tables with: python -m loaders init"
            ) }}
        {%- endif -%}
        {#- after the loaders have: they take a folder that is already there for an error -#}
        {%- if not is_known -%}
            {%- do create_schema(api.Relation.create(schema=schema, identifier='_')) -%}
        {%- endif -%}
        {%- for table in unknown -%}
            {%- do run_query(
                "create table if not exists " ~ schema ~ "." ~ table.identifier
                ~ " using delta location '" ~ table_folder(table) ~ "'"
            ) -%}
        {%- endfor -%}
        {#- views that the other engine made may read what the catalog knows only now -#}
        {%- if unknown -%}
            {%- do adapter.restore_views() -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro table_folder(table) -%}
    {{ return(adapter.lake_root() ~ '/' ~ table.schema ~ '/' ~ table.identifier) }}
{%- endmacro %}
