{{ config(full_refresh=false) }}

{%- set tables = ['wallet_trades', 'fifo_positions', 'position_pnl', 'pnl_history'] -%}
{%- set sources = tables + ['unreadable_amount', 'all_tokens', 'fifo_intervals'] -%}

{#- Without a new calculation nothing is read. -#}
{%- set has_new = true -%}
{%- if execute and is_incremental() -%}
    {%- set has_new = run_query(
        "select 1 from " ~ ref('pnl_history') ~ " as calculated left anti join " ~ this ~ " as built"
        ~ " on calculated.wallet_address = built.wallet_address"
        ~ " and calculated.calculation_date = built.calculation_date"
        ~ " where calculated.token_address = 'ALL_TOKENS' limit 1"
    ).rows | length > 0 -%}
{%- endif %}

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

fifo_positions as (

    select * from {{ ref('fifo_positions') }}

),

position_pnl as (

    select * from {{ ref('position_pnl') }}

),

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

fifo_disagreements as (

    select * from {{ ref('fifo_disagreements') }}

),

new_calculations as (

    select
        pnl_history.wallet_address,
        pnl_history.calculation_date
    from pnl_history
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_history.wallet_address = built.wallet_address
                and pnl_history.calculation_date = built.calculation_date
    {%- endif %}
    where pnl_history.token_address = 'ALL_TOKENS'

),

{% for table in tables %}
broken_{{ table }} as (

    select {{ table }}.*
    from {{ table }}
    left semi join new_calculations
        on
            {{ table }}.wallet_address = new_calculations.wallet_address
            {%- if table != 'wallet_trades' %}
            and {{ table }}.calculation_date = new_calculations.calculation_date
            {%- endif %}
    where {{ has_new }} and {{ broken_checks(wallet_checks(table)) }} != ''

),

{{ table }}_faults as (

    select
        '{{ table }}' as origin,
        wallet_address,
        {{ 'cast(null as timestamp)' if table == 'wallet_trades' else 'calculation_date' }}
            as calculation_date,
        {{ broken_checks(wallet_checks(table), table ~ '.') }} as failed_checks,
        to_json(struct(*)) as failed_row
    from broken_{{ table }}

),

{% endfor %}

unreadable_trades as (

    -- The API served an amount that is no number, so the wallet's figures lack it.
    select wallet_trades.*
    from wallet_trades
    left semi join new_calculations
        on wallet_trades.wallet_address = new_calculations.wallet_address
    where {{ has_new }} and wallet_trades.has_unreadable_amount

),

unreadable_amount_faults as (

    select
        'unreadable_amount' as origin,
        wallet_address,
        cast(null as timestamp) as calculation_date,
        'unreadable_amount' as failed_checks,
        to_json(struct(*)) as failed_row
    from unreadable_trades

),

sums as (

    select
        pnl_history.wallet_address,
        pnl_history.calculation_date,
        {{ all_tokens_differences() }}
    from pnl_history
    left semi join new_calculations
        on
            pnl_history.wallet_address = new_calculations.wallet_address
            and pnl_history.calculation_date = new_calculations.calculation_date
    group by pnl_history.wallet_address, pnl_history.calculation_date

),

broken_sums as (

    select * from sums
    where not coalesce({{ is_sum_of_tokens() }}, false)

),

all_tokens_faults as (

    select
        'all_tokens' as origin,
        wallet_address,
        calculation_date,
        'pnl_history.all_tokens' as failed_checks,
        to_json(struct(*)) as failed_row
    from broken_sums

),

fifo_intervals_faults as (

    select
        'fifo_intervals' as origin,
        wallet_address,
        calculation_date,
        'fifo_positions.intervals' as failed_checks,
        to_json(struct(*)) as failed_row
    from fifo_disagreements
    where {{ has_new }}

),

faults as (

    {% for source in sources -%}
    select * from {{ source }}_faults
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

checks as (

    select
        ---------- ids
        new_calculations.wallet_address,
        new_calculations.calculation_date,

        ---------- what was found
        nullif(concat_ws(
            ', '
            {%- for source in sources %},
            max(if(faults.origin = '{{ source }}', faults.failed_checks, null))
            {%- endfor %}
        ), '') as failed_checks,
        max(faults.failed_row) as failed_row,

        ---------- record
        {{ as_of() }} as checked_at
    from new_calculations
    left join faults
        on
            new_calculations.wallet_address = faults.wallet_address
            -- trades belong to every calculation of their wallet
            and new_calculations.calculation_date
            = coalesce(faults.calculation_date, new_calculations.calculation_date)
    group by new_calculations.wallet_address, new_calculations.calculation_date

)

select * from checks
