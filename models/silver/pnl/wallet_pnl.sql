{{ config(pre_hook="{{ delete_pending_verdicts() }}") }}

with

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

new_calculations as (

    -- A wallet's rows of tokens follow its ALL_TOKENS row. The hook has deleted what gold had not
    -- evaluated.
    select
        pnl_history.wallet_address,
        pnl_history.calculation_date
    from pnl_history
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_history.wallet_address = built.wallet_address
                and pnl_history.calculation_date = built.calculation_date
                and built.token_address = 'ALL_TOKENS'
    {%- endif %}
    where pnl_history.token_address = 'ALL_TOKENS'

),

new_rows as (

    select pnl_history.*
    from pnl_history
    left semi join new_calculations
        on
            pnl_history.wallet_address = new_calculations.wallet_address
            and pnl_history.calculation_date = new_calculations.calculation_date

),

flagged as (

    select
        ---------- ids
        new_rows.wallet_address,
        new_rows.token_address,
        new_rows.calculation_date,

        ---------- profit and loss
        new_rows.realized_pnl,
        new_rows.unrealized_pnl,
        new_rows.total_pnl,

        ---------- trading
        new_rows.trade_count,
        new_rows.win_rate,
        new_rows.total_bought,
        new_rows.total_sold,
        new_rows.roi,
        new_rows.avg_holding_time_hours,
        new_rows.avg_transaction_amount_usd,
        new_rows.trade_frequency_daily,
        new_rows.first_transaction,
        new_rows.last_transaction,

        ---------- position
        new_rows.current_position_tokens,
        new_rows.current_position_cost_basis,
        new_rows.current_position_value,

        ---------- record
        new_rows.processed_at,
        new_rows.batch_id,
        new_rows.data_source,

        ---------- gold
        -- evaluations of before there were grades hold no is_listed
        coalesce(trader_evaluations.is_listed, trader_evaluations.is_qualified, false)
            as moved_to_gold,
        if(
            trader_evaluations.wallet_address is null, 'pending', 'completed'
        ) as gold_processing_status,
        trader_evaluations.evaluated_at as gold_processed_at
    from new_rows
    left join trader_evaluations
        on
            new_rows.wallet_address = trader_evaluations.wallet_address
            and new_rows.calculation_date = trader_evaluations.calculation_date

)

select * from flagged
