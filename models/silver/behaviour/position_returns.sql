with

position_pnl as (

    select * from {{ ref('position_pnl') }}

),

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

whale_wallets as (

    select * from {{ ref('whale_wallets') }}

),

token_launches as (

    select * from {{ ref('token_launches') }}

),

newest_positions as (

    select
        position_pnl.*,
        position_pnl.cost_of_sold_usd + position_pnl.open_cost_usd as put_in_usd,
        position_pnl.realized_pnl_usd + position_pnl.unrealized_pnl_usd as total_pnl_usd
    from position_pnl
    left semi join pnl_due_wallets
        on
            position_pnl.wallet_address = pnl_due_wallets.wallet_address
            and position_pnl.calculation_date = pnl_due_wallets.calculation_date
    where position_pnl.trade_count > 0

),

triggers as (

    -- The lists that made the wallet tracked. A later list that names it, too, found nothing new:
    -- its token would be known without it.
    select
        wallet_address,
        token_address,
        tracked_since
    from whale_wallets
    qualify tracked_since = min(tracked_since) over (partition by wallet_address)

),

positions as (

    select
        ---------- ids
        newest_positions.wallet_address,
        newest_positions.token_address,
        newest_positions.calculation_date,

        ---------- money
        cast(newest_positions.put_in_usd as double) as cost_usd,
        cast(newest_positions.total_pnl_usd as double) as pnl_usd,
        greatest(-1d, least(
            {{ var('max_position_return') }}d,
            cast(newest_positions.total_pnl_usd as double)
            / cast(newest_positions.put_in_usd as double)
        )) as bounded_return,

        ---------- booleans
        triggers.wallet_address is not null as is_trigger,

        ---------- timestamps
        newest_positions.first_trade_at,
        token_launches.launched_at,
        unix_seconds(newest_positions.first_trade_at)
        - unix_seconds(token_launches.launched_at) as seconds_after_launch
    from newest_positions
    left join triggers
        on
            newest_positions.wallet_address = triggers.wallet_address
            and newest_positions.token_address = triggers.token_address
            and newest_positions.first_trade_at <= triggers.tracked_since
    left join token_launches on newest_positions.token_address = token_launches.token_address
    where newest_positions.put_in_usd >= {{ var('min_position_usd') }}

)

select * from positions
