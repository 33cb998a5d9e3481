{{ config(full_refresh=false) }}

with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

position_pnl as (

    select * from {{ ref('position_pnl') }}

),

new_calculations as (

    select pnl_due_wallets.*
    from pnl_due_wallets
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_due_wallets.wallet_address = built.wallet_address
                and pnl_due_wallets.calculation_date = built.calculation_date
                and built.token_address = 'ALL_TOKENS'
    {%- endif %}

),

new_positions as (

    select position_pnl.*
    from position_pnl
    left semi join new_calculations
        on
            position_pnl.wallet_address = new_calculations.wallet_address
            and position_pnl.calculation_date = new_calculations.calculation_date

),

token_figures as (

    select
        wallet_address,
        token_address,
        calculation_date,
        trade_count,
        priced_trade_count,
        win_count,
        loss_count,
        realized_pnl_usd,
        unrealized_pnl_usd,
        bought_usd,
        sold_usd,
        matched_proceeds_usd,
        cost_of_sold_usd,
        held_cost_hours,
        held_cost_usd,
        open_tokens,
        open_cost_usd,
        open_value_usd,
        first_trade_at,
        last_trade_at
    from new_positions
    where trade_count > 0

),

position_sums as (

    -- no sum is rounded
    select
        wallet_address,
        calculation_date,
        sum(trade_count) as trade_count,
        sum(priced_trade_count) as priced_trade_count,
        sum(win_count) as win_count,
        sum(loss_count) as loss_count,
        cast(sum(realized_pnl_usd) as decimal(38, 6)) as realized_pnl_usd,
        cast(sum(unrealized_pnl_usd) as decimal(38, 6)) as unrealized_pnl_usd,
        cast(sum(bought_usd) as decimal(38, 6)) as bought_usd,
        cast(sum(sold_usd) as decimal(38, 6)) as sold_usd,
        cast(sum(matched_proceeds_usd) as decimal(38, 6)) as matched_proceeds_usd,
        cast(sum(cost_of_sold_usd) as decimal(38, 6)) as cost_of_sold_usd,
        cast(sum(held_cost_hours) as decimal(38, 12)) as held_cost_hours,
        cast(sum(held_cost_usd) as decimal(38, 12)) as held_cost_usd,
        cast(sum(open_cost_usd) as decimal(38, 6)) as open_cost_usd,
        cast(sum(open_value_usd) as decimal(38, 6)) as open_value_usd,
        min(first_trade_at) as first_trade_at,
        max(last_trade_at) as last_trade_at
    from new_positions
    group by wallet_address, calculation_date

),

wallet_figures as (

    -- a wallet without a swap has a calculation too: zeros
    select
        new_calculations.wallet_address,
        'ALL_TOKENS' as token_address,
        new_calculations.calculation_date,
        coalesce(position_sums.trade_count, 0) as trade_count,
        coalesce(position_sums.priced_trade_count, 0) as priced_trade_count,
        coalesce(position_sums.win_count, 0) as win_count,
        coalesce(position_sums.loss_count, 0) as loss_count,
        coalesce(position_sums.realized_pnl_usd, 0) as realized_pnl_usd,
        coalesce(position_sums.unrealized_pnl_usd, 0) as unrealized_pnl_usd,
        coalesce(position_sums.bought_usd, 0) as bought_usd,
        coalesce(position_sums.sold_usd, 0) as sold_usd,
        coalesce(position_sums.matched_proceeds_usd, 0) as matched_proceeds_usd,
        coalesce(position_sums.cost_of_sold_usd, 0) as cost_of_sold_usd,
        coalesce(position_sums.held_cost_hours, 0) as held_cost_hours,
        coalesce(position_sums.held_cost_usd, 0) as held_cost_usd,
        -- quantities of different tokens do not add
        cast(null as double) as open_tokens,
        coalesce(position_sums.open_cost_usd, 0) as open_cost_usd,
        coalesce(position_sums.open_value_usd, 0) as open_value_usd,
        position_sums.first_trade_at,
        position_sums.last_trade_at
    from new_calculations
    left join position_sums
        on
            new_calculations.wallet_address = position_sums.wallet_address
            and new_calculations.calculation_date = position_sums.calculation_date
    -- A wallet with trades waits until its positions are of this calculation.
    where position_sums.wallet_address is not null or new_calculations.covered_batch = 0

),

figures as (

    select * from token_figures
    union all
    select * from wallet_figures

),

described as (

    select
        figures.*,
        new_calculations.data_source,
        new_calculations.covered_fetch_id,
        new_calculations.code_version,
        new_calculations.is_history_complete,
        new_calculations.is_too_active
    from figures
    inner join new_calculations
        on
            figures.wallet_address = new_calculations.wallet_address
            and figures.calculation_date = new_calculations.calculation_date

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
        -- a cost below 1 USD gives any percentage
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
    from described

)

select * from calculated
