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
