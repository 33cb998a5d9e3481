with

position_returns as (

    select * from {{ ref('position_returns') }}

),

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

last_trades as (

    select
        wallet_address,
        max(first_trade_at) as last_trade_at
    from position_returns
    group by wallet_address

),

flags as (

    select
        pnl_due_wallets.wallet_address,
        'dormant' as flag,
        pnl_due_wallets.calculation_date,
        'hard' as severity,
        cast(null as string) as tier_cap,
        cast(null as double) as value,  -- noqa: RF04
        cast(null as double) as bound,
        'no trade' as sentence
    from pnl_due_wallets
    inner join last_trades on pnl_due_wallets.wallet_address = last_trades.wallet_address
    where last_trades.last_trade_at <= {{ as_of() }} - interval '{{ var("dormant_days") }}' day

)

select * from flags
