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
