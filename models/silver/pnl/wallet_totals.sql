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

sums as (

    select
        wallet_address,
        calculation_date,
        count_if(trade_count > 0) as token_count,
        sum(trade_count) as trade_count,
        sum(priced_trade_count) as priced_trade_count,
        sum(matched_sell_count) as matched_sell_count,
        sum(win_count) as win_count,
        sum(loss_count) as loss_count,
        sum(neutral_count) as neutral_count,
        sum(unknown_basis_lot_count) as unknown_basis_lot_count,
        sum(round_trip_count) as round_trip_count,
        cast(sum(realized_pnl_usd) as decimal(38, 6)) as realized_pnl_usd,
        cast(sum(unrealized_pnl_usd) as decimal(38, 6)) as unrealized_pnl_usd,
        cast(sum(open_value_usd) as decimal(38, 6)) as open_value_usd,
        cast(sum(open_cost_usd) as decimal(38, 6)) as open_cost_usd,
        cast(sum(bought_usd) as decimal(38, 6)) as bought_usd,
        cast(sum(sold_usd) as decimal(38, 6)) as sold_usd,
        cast(sum(matched_proceeds_usd) as decimal(38, 6)) as matched_proceeds_usd,
        cast(sum(unmatched_proceeds_usd) as decimal(38, 6)) as unmatched_proceeds_usd,
        cast(sum(cost_of_sold_usd) as decimal(38, 6)) as cost_of_sold_usd,
        cast(sum(gross_profit_usd) as decimal(38, 6)) as gross_profit_usd,
        cast(sum(gross_loss_usd) as decimal(38, 6)) as gross_loss_usd,
        cast(sum(unpriced_disposal_cost_usd) as decimal(38, 6)) as unpriced_disposal_cost_usd,
        cast(sum(round_trip_usd) as decimal(38, 6)) as round_trip_usd,
        cast(sum(held_cost_hours) as decimal(38, 12)) as held_cost_hours,
        cast(sum(held_cost_usd) as decimal(38, 12)) as held_cost_usd,
        min(first_trade_at) as first_trade_at,
        max(last_trade_at) as last_trade_at
    from new_positions
    group by wallet_address, calculation_date

),

totals as (

    -- a wallet without a swap has a calculation too: zeros
    select
        ---------- ids
        new_calculations.wallet_address,
        new_calculations.calculation_date,
        new_calculations.covered_fetch_id,
        new_calculations.data_source,
        new_calculations.code_version,

        ---------- what is known
        new_calculations.is_history_complete,
        new_calculations.is_too_active,
        new_calculations.swap_count,
        try_divide(
            cast(sums.matched_proceeds_usd as double), cast(sums.sold_usd as double)
        ) as basis_coverage,

        ---------- counts
        coalesce(sums.token_count, 0) as token_count,
        coalesce(sums.trade_count, 0) as trade_count,
        coalesce(sums.priced_trade_count, 0) as priced_trade_count,
        coalesce(sums.matched_sell_count, 0) as matched_sell_count,
        coalesce(sums.win_count, 0) as win_count,
        coalesce(sums.loss_count, 0) as loss_count,
        coalesce(sums.neutral_count, 0) as neutral_count,
        coalesce(sums.unknown_basis_lot_count, 0) as unknown_basis_lot_count,
        coalesce(sums.round_trip_count, 0) as round_trip_count,

        ---------- money
        coalesce(sums.realized_pnl_usd, 0) as realized_pnl_usd,
        coalesce(sums.unrealized_pnl_usd, 0) as unrealized_pnl_usd,
        coalesce(sums.open_value_usd, 0) as open_value_usd,
        coalesce(sums.open_cost_usd, 0) as open_cost_usd,
        coalesce(sums.bought_usd, 0) as bought_usd,
        coalesce(sums.sold_usd, 0) as sold_usd,
        coalesce(sums.matched_proceeds_usd, 0) as matched_proceeds_usd,
        coalesce(sums.unmatched_proceeds_usd, 0) as unmatched_proceeds_usd,
        coalesce(sums.cost_of_sold_usd, 0) as cost_of_sold_usd,
        coalesce(sums.gross_profit_usd, 0) as gross_profit_usd,
        coalesce(sums.gross_loss_usd, 0) as gross_loss_usd,
        coalesce(sums.unpriced_disposal_cost_usd, 0) as unpriced_disposal_cost_usd,
        coalesce(sums.round_trip_usd, 0) as round_trip_usd,

        ---------- holding
        coalesce(sums.held_cost_hours, 0) as held_cost_hours,
        coalesce(sums.held_cost_usd, 0) as held_cost_usd,

        ---------- timestamps
        sums.first_trade_at,
        sums.last_trade_at
    from new_calculations
    left join sums
        on
            new_calculations.wallet_address = sums.wallet_address
            and new_calculations.calculation_date = sums.calculation_date
    -- a wallet with trades whose positions are still of the calculation before has no totals yet
    where sums.wallet_address is not null or new_calculations.covered_batch = 0

)

select * from totals
