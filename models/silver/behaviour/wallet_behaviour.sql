{{ config(materialized='incremental') }}

with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

new_calculations as (

    select
        pnl_due_wallets.wallet_address,
        pnl_due_wallets.calculation_date
    from pnl_due_wallets
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_due_wallets.wallet_address = built.wallet_address
                and pnl_due_wallets.calculation_date = built.calculation_date
    {%- endif %}

),

trades as (

    select
        wallet_trades.wallet_address,
        wallet_trades.token_address,
        wallet_trades.tx_hash,
        wallet_trades.side,
        wallet_trades.quantity,
        wallet_trades.value_usd,
        cast(bround(wallet_trades.value_usd, 12) as decimal(38, 12)) as exact_usd,
        wallet_trades.bought_quantity > 0 and wallet_trades.sold_quantity > 0 as is_round_trip,
        wallet_trades.block_unix_time,
        wallet_trades.block_number
    from wallet_trades
    left semi join new_calculations
        on wallet_trades.wallet_address = new_calculations.wallet_address

),

transactions as (

    select
        wallet_address,
        tx_hash,
        min(block_unix_time) as block_unix_time
    from trades
    group by wallet_address, tx_hash

),

paces as (

    -- in order of time, each transaction but the first of its second follows one of that second
    select
        wallet_address,
        count(*) as transaction_count,
        try_divide(
            count(*) - count(distinct block_unix_time), count(*) - 1
        ) as same_second_share
    from transactions
    group by wallet_address

),

shapes as (

    select
        wallet_address,
        count(*) as net_trade_count,
        count(distinct token_address) as token_count,
        count_if(is_round_trip) as round_trip_count
    from trades
    group by wallet_address

),

numbered_trades as (

    -- in FIFO's order; a sale without a price ends a ladder, too
    select
        *,
        row_number() over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
        ) as trade_number,
        count(if(side = 'sell', 1, null)) over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
            rows between unbounded preceding and current row
        ) as sales_before
    from trades
    where side is not null

),

buys as (

    select
        wallet_address,
        value_usd,
        exact_usd,
        value_usd / quantity as unit_usd,
        lag(value_usd / quantity) over (
            partition by wallet_address, token_address, sales_before
            order by trade_number asc
        ) as previous_unit_usd,
        sum(exact_usd) over (
            partition by wallet_address, token_address, sales_before
            order by trade_number asc
            rows between unbounded preceding and 1 preceding
        ) as bought_before_usd,
        count(if(value_usd is null, 1, null)) over (
            partition by wallet_address, token_address, sales_before
            order by trade_number asc
            rows between unbounded preceding and 1 preceding
        ) as unpriced_before
    from numbered_trades
    where side = 'buy'

),

judged_buys as (

    -- a rung: cheaper than the buy before, and about as large as all since the last sale
    select
        wallet_address,
        exact_usd,
        coalesce(
            unpriced_before = 0
            and unit_usd <= {{ var('martingale_max_price_ratio') }}d * previous_unit_usd
            and value_usd
            >= {{ var('martingale_min_size_ratio') }}d * cast(bought_before_usd as double),
            false
        ) as is_rung
    from buys

),

ladders as (

    select
        wallet_address,
        count_if(is_rung) as rung_count,
        try_divide(
            cast(sum(if(is_rung, exact_usd, 0)) as double), cast(sum(exact_usd) as double)
        ) as rung_usd_share
    from judged_buys
    group by wallet_address

),

behaviours as (

    select
        ---------- ids
        new_calculations.wallet_address,
        new_calculations.calculation_date,

        ---------- pace
        coalesce(paces.transaction_count, 0) as transaction_count,
        paces.same_second_share,

        ---------- shape
        coalesce(shapes.net_trade_count, 0) as net_trade_count,
        coalesce(shapes.token_count, 0) as token_count,
        coalesce(shapes.round_trip_count, 0) as round_trip_count,
        try_divide(shapes.round_trip_count, shapes.net_trade_count) as round_trip_share,

        ---------- ladders
        coalesce(ladders.rung_count, 0) as rung_count,
        ladders.rung_usd_share
    from new_calculations
    left join paces on new_calculations.wallet_address = paces.wallet_address
    left join shapes on new_calculations.wallet_address = shapes.wallet_address
    left join ladders on new_calculations.wallet_address = ladders.wallet_address

)

select * from behaviours
