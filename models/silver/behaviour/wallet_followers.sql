{%- set after = 'between ' ~ (var('followed_min_delay_seconds')) ~ ' following and '
    ~ var('followed_max_delay_seconds') ~ ' following' -%}
{%- set before = 'between '
    ~ (var('followed_max_delay_seconds') - var('followed_min_delay_seconds') + 1)
    ~ ' preceding and 1 preceding' -%}

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

token_launches as (

    select * from {{ ref('token_launches') }}

),

token_starts as (

    -- A token is older than its first known trade, so what is late by that trade is late. A
    -- launch that is known to be earlier says more.
    select
        wallet_trades.token_address,
        least(
            min(wallet_trades.block_unix_time), min(unix_seconds(token_launches.launched_at))
        ) as started_time
    from wallet_trades
    left join token_launches on wallet_trades.token_address = token_launches.token_address
    group by wallet_trades.token_address

),

buys as (

    -- other wallets' buys: all of the token less the wallet's own
    select
        wallet_address,
        token_address,
        block_unix_time,
        count(*) over (
            partition by token_address
            order by block_unix_time asc
            range {{ after }}
        ) - count(*) over (
            partition by token_address, wallet_address
            order by block_unix_time asc
            range {{ after }}
        ) as buys_after,
        count(*) over (
            partition by token_address
            order by block_unix_time asc
            range {{ before }}
        ) - count(*) over (
            partition by token_address, wallet_address
            order by block_unix_time asc
            range {{ before }}
        ) as buys_before
    from wallet_trades
    where side = 'buy'

),

late_buys as (

    select
        buys.wallet_address,
        buys.buys_after >= {{ var('followed_min_crowd') }}
        and buys.buys_after
        >= {{ var('followed_min_growth') }} * (buys.buys_before + 1) as is_followed
    from buys
    inner join token_starts on buys.token_address = token_starts.token_address
    where buys.block_unix_time > token_starts.started_time + {{ var('followed_late_seconds') }}

),

followers as (

    select
        wallet_address,
        count(*) as late_buy_count,
        count_if(is_followed) as followed_buy_count,
        try_divide(count_if(is_followed), count(*)) as followed_share
    from late_buys
    group by wallet_address

)

select * from followers
