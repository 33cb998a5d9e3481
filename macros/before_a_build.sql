{#- Compiling the whole project renders these hooks too: offline there is no lake to look at, and no build to refuse. -#}


{% macro refuse_wrong_vars() -%}
    {#- dbt itself takes any value of any name; `invocation_args_dict` holds what the command line sets -#}
    {%- if execute -%}
        {%- do adapter.call_python('smart_trader.variables.check_variables', invocation_args_dict.get('vars') or {}) -%}
    {%- endif -%}
{%- endmacro %}


{% macro refuse_a_held_lake() -%}
    {#- Whoever runs a pipeline holds the lake's lock for all its steps; a build in between would mix its states -#}
    {%- if execute and not adapter.is_offline() -%}
        {%- set root = adapter.lake_root() -%}
        {%- do adapter.call_python('smart_trader.lake_lock.ensure_own_server', root, target.name) -%}
        {%- do adapter.call_python('smart_trader.lake_lock.ensure_lake_is_free', root) -%}
        {#- nor may tables of another version of the project be built upon -#}
        {%- set bronze = graph.sources.values() | map(attribute='schema') | first -%}
        {%- do adapter.call_python('smart_trader.pipeline.lake_version.ensure_lake_is_current', root, bronze) -%}
    {%- endif -%}
{%- endmacro %}


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
        {#- not before the loaders have: they take a folder that is there already for an error -#}
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


{% macro refuse_a_wrong_time() -%}
    {#- A step at an earlier time than what the lake holds would call work due, or done, that is not; one in the future
        would keep everything waiting until then -#}
    {%- if execute and not adapter.is_offline() -%}
        {%- set fetch_log = graph.sources.values()
            | selectattr('source_name', 'equalto', 'bronze') | selectattr('name', 'equalto', 'fetch_log') | first -%}
        {%- set times = ["select max(as_of) as newest, max(data_source) as data_source from " ~ fetch_log.relation_name] -%}
        {%- for node in graph.nodes.values() | selectattr('name', 'equalto', 'pnl_history') -%}
            {%- if load_relation(api.Relation.create(schema=node.schema, identifier=node.alias)) -%}
                {%- do times.append(
                    "select max(calculation_date) as newest, null as data_source from " ~ node.relation_name
                ) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set held = run_query(
            "select date_format(max(newest), \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\"), max(data_source) from ("
            ~ times | join(' union all ') ~ ")"
        ).rows[0] -%}
        {%- do adapter.call_python(
            'smart_trader.clock.check_command_time', env_var('SMART_TRADER_AS_OF', ''), run_started_at, held[0], held[1]
        ) -%}
    {%- endif -%}
{%- endmacro %}


{% macro refuse_a_lost_catalog() -%}
    {#- A build takes a table that the catalog does not know for one that was never made, and would begin a history
        anew over the files of the old one -#}
    {%- if execute and not adapter.is_offline() -%}
        {%- set unknown = [] -%}
        {%- for node in graph.nodes.values() -%}
            {%- if (node.resource_type == 'snapshot' or node.config.full_refresh is false)
                and not load_relation(api.Relation.create(schema=node.schema, identifier=node.alias)) -%}
                {%- do unknown.append(node.schema ~ '/' ~ node.alias) -%}
            {%- endif -%}
        {%- endfor -%}
        {#- all at once, since before the first run all of them are unknown -#}
        {%- if unknown and adapter.has_delta_log(adapter.lake_root() ~ '/{' ~ unknown | join(',') ~ '}') -%}
            {{ exceptions.raise_compiler_error(
                "the catalog does not know every history that the lake holds (of " ~ unknown | sort | join(', ')
                ~ "); register them with: smart-trader repair"
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro restore_views() -%}
    {#- Each engine keeps its own views: after a switch, `dbt test` alone or a build of a few models would not find those
        that it stands on. One whose own tables are missing is left to the build that makes them. -#}
    {%- if execute and not adapter.is_offline() -%}
        {%- set restored = [] -%}
        {%- for key in adapter.call_python('smart_trader.pipeline.views.views_below', graph.nodes, selected_resources) -%}
            {%- set view = graph.nodes[key] -%}
            {%- if not load_relation(api.Relation.create(schema=view.schema, identifier=view.alias)) -%}
                {%- set missing = [] -%}
                {#- dbt lets a hook refer to no node but those that are written in it -#}
                {%- set code = namespace(text=view.raw_code) -%}
                {%- for parent in view.depends_on.nodes if parent in graph.nodes -%}
                    {%- set node = graph.nodes[parent] -%}
                    {%- set code.text = code.text | replace("{{ ref('" ~ node.name ~ "') }}", node.relation_name) -%}
                    {%- if parent not in restored
                        and not load_relation(api.Relation.create(schema=node.schema, identifier=node.alias)) -%}
                        {%- do missing.append(parent) -%}
                    {%- endif -%}
                {%- endfor -%}
                {%- if not missing -%}
                    {%- do run_query('create or replace view ' ~ view.relation_name ~ ' as ' ~ render(code.text)) -%}
                    {%- do restored.append(key) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
