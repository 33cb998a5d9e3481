{#- One scan checks all that is claimed of a table's rows; a failing row comes back whole, with the claims it breaks -#}
{% test one_row_per(model, key, accepted={}, holds=[], refers_to=[]) %}

    {%- set claims = [] -%}
    {%- for column in key -%}
        {%- do claims.append((column ~ ' is not null', column ~ ' is not null')) -%}
    {%- endfor -%}
    {%- do claims.append(('one row per ' ~ key | join(', '), 'rows_of_key = 1')) -%}
    {%- for column, values in accepted.items() -%}
        {%- set condition = column ~ " in ('" ~ values | join("', '") ~ "')" -%}
        {%- do claims.append((condition, condition)) -%}
    {%- endfor -%}
    {%- for condition in holds -%}
        {%- do claims.append((condition, condition)) -%}
    {%- endfor -%}
    {%- for reference in refers_to -%}
        {%- do claims.append((
            reference.column ~ ' is in ' ~ reference.to.identifier,
            reference.column ~ ' is null or ' ~ reference.get('unless', 'false')
            ~ ' or parent_' ~ loop.index ~ ' is not null'
        )) -%}
    {%- endfor -%}

    with

    counted as (

        select
            *,
            count(*) over (partition by {{ key | join(', ') }}) as rows_of_key
        from {{ model }}

    ),

    {% for reference in refers_to -%}
    parents_{{ loop.index }} as (

        select distinct {{ reference.field }} as parent_{{ loop.index }} from {{ reference.to }}

    ),

    {% endfor -%}

    joined as (

        select * from counted
        {% for reference in refers_to -%}
        left join parents_{{ loop.index }} on {{ reference.column }} = parent_{{ loop.index }}
        {% endfor %}

    ),

    judged as (

        select
            concat_ws('; ',
                {% for text, condition in claims -%}
                if(coalesce({{ condition }}, false), null, '{{ text | replace("'", "\\'") }}')
                {{- ',' if not loop.last }}
                {% endfor %}
            ) as broken_claims,
            *
        from joined

    )

    select * from judged
    where broken_claims != ''

{% endtest %}
