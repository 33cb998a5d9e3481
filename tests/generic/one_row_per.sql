{#- One scan checks all that is claimed of a table's rows; a failing row comes back whole, with the claims it breaks.
    Checks of `wallet_checks` are looked at as well where a table is named: they fail the test unless their wallet is
    quarantined by `calculation_checks`, which warns. -#}
{% test one_row_per(model, key, accepted={}, holds=[], refers_to=[], wallet_checks_of=none) %}

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

    {%- if wallet_checks_of is none %}

    select * from judged
    where broken_claims != ''

    {%- else %},

    newest_checks as (

        select
            wallet_address as checked_wallet,
            max_by(failed_checks, calculation_date) as failed_checks
        from {{ ref('calculation_checks') }}
        group by wallet_address

    ),

    checked as (

        select
            {{ broken_checks(wallet_checks(wallet_checks_of)) }} as broken_checks,
            *
        from judged

    )

    -- a wallet that is set apart has done its harm already
    select checked.*
    from checked
    left join newest_checks on checked.wallet_address = newest_checks.checked_wallet
    where
        checked.broken_claims != ''
        or (checked.broken_checks != '' and newest_checks.failed_checks is null)

    {%- endif %}

{% endtest %}
