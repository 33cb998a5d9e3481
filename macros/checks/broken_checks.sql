{% macro broken_checks(checks, prefix='') -%}
    concat_ws(
        ', '
        {%- for name, condition in checks %},

        if(coalesce({{ condition }}, false), null, '{{ prefix ~ name }}')
        {%- endfor %}
    )
{%- endmacro %}
