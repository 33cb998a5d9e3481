{{ config(full_refresh=false) }}

with

wallet_totals as (

    select * from {{ ref('wallet_totals') }}

),

position_pnl as (

    select * from {{ ref('position_pnl') }}

),

new_calculations as (

    select wallet_totals.*
    from wallet_totals
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                wallet_totals.wallet_address = built.wallet_address
                and wallet_totals.calculation_date = built.calculation_date
                and built.token_address = 'ALL_TOKENS'
    {%- endif %}

),

token_figures as (

    select
        position_pnl.wallet_address,
        position_pnl.token_address,
        position_pnl.calculation_date,
        position_pnl.realized_pnl_usd,
        position_pnl.unrealized_pnl_usd,
        position_pnl.trade_count,
        position_pnl.priced_trade_count,
        position_pnl.win_count,
        position_pnl.loss_count,
        position_pnl.bought_usd,
        position_pnl.sold_usd,
        position_pnl.matched_proceeds_usd,
        position_pnl.cost_of_sold_usd,
        position_pnl.held_cost_hours,
        position_pnl.held_cost_usd,
        position_pnl.first_trade_at,
        position_pnl.last_trade_at,
        position_pnl.open_tokens,
        position_pnl.open_cost_usd,
        position_pnl.open_value_usd,
        new_calculations.data_source,
        new_calculations.covered_fetch_id,
        new_calculations.code_version,
        new_calculations.is_history_complete,
        new_calculations.is_too_active
    from position_pnl
    inner join new_calculations
        on
            position_pnl.wallet_address = new_calculations.wallet_address
            and position_pnl.calculation_date = new_calculations.calculation_date
    where position_pnl.trade_count > 0

),

wallet_figures as (

    select
        wallet_address,
        'ALL_TOKENS' as token_address,
        calculation_date,
        realized_pnl_usd,
        unrealized_pnl_usd,
        trade_count,
        priced_trade_count,
        win_count,
        loss_count,
        bought_usd,
        sold_usd,
        matched_proceeds_usd,
        cost_of_sold_usd,
        held_cost_hours,
        held_cost_usd,
        first_trade_at,
        last_trade_at,
        -- quantities of different tokens do not add
        cast(null as double) as open_tokens,
        open_cost_usd,
        open_value_usd,
        data_source,
        covered_fetch_id,
        code_version,
        is_history_complete,
        is_too_active
    from new_calculations

),

figures as (

    select * from token_figures
    union all
    select * from wallet_figures

),

calculated as (

    select
        ---------- ids
        wallet_address,
        token_address,
        calculation_date,

        ---------- profit and loss
        realized_pnl_usd as realized_pnl,
        unrealized_pnl_usd as unrealized_pnl,
        cast(realized_pnl_usd + unrealized_pnl_usd as decimal(38, 6)) as total_pnl,

        ---------- trading
        trade_count,
        {{ round_decimal(
            'coalesce(try_divide(100d * win_count, win_count + loss_count), 0)'
        ) }} as win_rate,
        bought_usd as total_bought,
        sold_usd as total_sold,
        -- of a cost of cents any percentage comes out
        if(
            cost_of_sold_usd < 1,
            cast(0 as decimal(38, 6)),
            {{ round_decimal(
                '100d * cast(realized_pnl_usd as double) / cast(cost_of_sold_usd as double)'
            ) }}
        ) as roi,
        {{ round_decimal(
            'try_divide(cast(held_cost_hours as double), cast(held_cost_usd as double))'
        ) }} as avg_holding_time_hours,
        {{ round_decimal(
            'try_divide(cast(bought_usd + sold_usd as double), priced_trade_count)'
        ) }} as avg_transaction_amount_usd,
        {{ round_decimal(
            'coalesce(trade_count / greatest(1d, '
            ~ '(unix_seconds(last_trade_at) - unix_seconds(first_trade_at)) / 86400d), 0d)'
        ) }} as trade_frequency_daily,
        first_trade_at as first_transaction,
        last_trade_at as last_transaction,

        ---------- position
        open_tokens as current_position_tokens,
        open_cost_usd as current_position_cost_basis,
        open_value_usd as current_position_value,

        ---------- record
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id,
        data_source,

        ---------- what the calculation knew
        covered_fetch_id,
        code_version,
        is_history_complete,
        is_too_active,
        try_divide(
            cast(matched_proceeds_usd as double), cast(sold_usd as double)
        ) as basis_coverage
    from figures

)

select * from calculated
