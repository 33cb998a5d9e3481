{{ config(pre_hook="{{ delete_pending_verdicts() }}") }}

with

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

{% if is_incremental() %}

new_verdicts as (

    -- a wallet's rows of tokens follow its ALL_TOKENS row; what gold had not evaluated is deleted before
    select
        pnl_history.wallet_address,
        pnl_history.calculation_date
    from pnl_history
    left anti join {{ this }} as built
        on
            pnl_history.wallet_address = built.wallet_address
            and pnl_history.calculation_date = built.calculation_date
            and built.token_address = 'ALL_TOKENS'
    where pnl_history.token_address = 'ALL_TOKENS'

),

changed_calculations as (

    select pnl_history.*
    from pnl_history
    left semi join new_verdicts
        on
            pnl_history.wallet_address = new_verdicts.wallet_address
            and pnl_history.calculation_date = new_verdicts.calculation_date

),

{% else %}

changed_calculations as (

    select * from pnl_history

),

{% endif %}

flagged as (

    select
        ---------- ids
        changed_calculations.wallet_address,
        changed_calculations.token_address,
        changed_calculations.calculation_date,

        ---------- profit and loss
        changed_calculations.realized_pnl,
        changed_calculations.unrealized_pnl,
        changed_calculations.total_pnl,

        ---------- trading
        changed_calculations.trade_count,
        changed_calculations.win_rate,
        changed_calculations.total_bought,
        changed_calculations.total_sold,
        changed_calculations.roi,
        changed_calculations.avg_holding_time_hours,
        changed_calculations.avg_transaction_amount_usd,
        changed_calculations.trade_frequency_daily,
        changed_calculations.first_transaction,
        changed_calculations.last_transaction,

        ---------- position
        changed_calculations.current_position_tokens,
        changed_calculations.current_position_cost_basis,
        changed_calculations.current_position_value,

        ---------- record
        changed_calculations.processed_at,
        changed_calculations.batch_id,
        changed_calculations.data_source,

        ---------- gold
        coalesce(trader_evaluations.is_qualified, false) as moved_to_gold,
        if(
            trader_evaluations.wallet_address is null, 'pending', 'completed'
        ) as gold_processing_status,
        trader_evaluations.evaluated_at as gold_processed_at
    from changed_calculations
    left join trader_evaluations
        on
            changed_calculations.wallet_address = trader_evaluations.wallet_address
            and changed_calculations.calculation_date = trader_evaluations.calculation_date

)

select * from flagged
