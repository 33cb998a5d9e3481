with

positions as (

    select * from {{ ref('proof_positions') }}

),

trades as (

    select * from {{ ref('proof_trades') }}

),

position_totals as (

    select
        wallet_address,
        count(*) as token_count,
        sum(swap_count) as swap_count
    from positions
    group by wallet_address

),

cash_flows as (

    select
        wallet_address,
        cast(sum(if(side = 'sell', value_usd, -value_usd)) as decimal(38, 6)) as net_usd
    from trades
    group by wallet_address

),

wallets as (

    select
        position_totals.wallet_address,
        position_totals.token_count,
        position_totals.swap_count,
        cash_flows.net_usd
    from position_totals
    inner join cash_flows on position_totals.wallet_address = cash_flows.wallet_address

)

select * from wallets
