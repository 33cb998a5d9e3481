{% macro is_base_sold() -%}
    {#- base and quote do not give the direction: the legs' types and signs do; null if they do not -#}
    {%- set is_sold = {} -%}
    {%- for leg in ['base', 'quote'] -%}
        {%- set change = parse_number(leg ~ '__ui_change_amount') -%}
        {%- do is_sold.update({leg:
            "case when " ~ leg ~ "__type_swap = 'from' then true when " ~ leg ~ "__type_swap = 'to' then false "
            ~ "when " ~ change ~ " < 0 then true when " ~ change ~ " > 0 then false end"
        }) -%}
    {%- endfor -%}
    if(
        coalesce({{ is_sold['base'] }} <> {{ is_sold['quote'] }}, true),
        coalesce({{ is_sold['base'] }}, not {{ is_sold['quote'] }}),
        null
    )
{%- endmacro %}
