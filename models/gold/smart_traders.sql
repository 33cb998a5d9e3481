{{ config(materialized='incremental', full_refresh=false) }}

with

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

new_traders as (

    select
        ---------- ids
        trader_evaluations.wallet_address,
        trader_evaluations.calculation_date,

        ---------- standing
        trader_evaluations.tier,
        trader_evaluations.smart_trader_score,

        ---------- figures
        trader_evaluations.total_pnl,
        trader_evaluations.realized_pnl,
        trader_evaluations.unrealized_pnl,
        trader_evaluations.roi,
        trader_evaluations.win_rate,
        trader_evaluations.trade_count,
        trader_evaluations.total_bought,
        trader_evaluations.total_sold,
        trader_evaluations.avg_holding_time_hours,
        trader_evaluations.trade_frequency_daily,
        trader_evaluations.first_transaction,
        trader_evaluations.last_transaction,
        trader_evaluations.basis_coverage,
        trader_evaluations.data_source,

        ---------- record
        trader_evaluations.evaluated_at,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id
    from trader_evaluations
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                trader_evaluations.wallet_address = built.wallet_address
                and trader_evaluations.calculation_date = built.calculation_date
    {%- endif %}
    -- evaluations of before there were grades hold no is_listed
    where coalesce(trader_evaluations.is_listed, trader_evaluations.is_qualified)

)

select * from new_traders
