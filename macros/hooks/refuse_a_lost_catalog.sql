{% macro refuse_a_lost_catalog() -%}
    {#- A build takes a table that the catalog does not know for one that was never made, and would begin a history
        again over the files of the old one -#}
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
