with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

followed_buys as (

    select * from {{ ref('followed_buys') }}

),

token_launches as (

    select * from {{ ref('token_launches') }}

),

first_trades as (

    select
        token_address,
        min(block_unix_time) as traded_time
    from wallet_trades
    group by token_address

),

token_starts as (

    -- A token is older than its first known trade, so what is late by that trade is late. A
    -- launch that is known to be earlier says more.
    select
        first_trades.token_address,
        least(first_trades.traded_time, unix_seconds(token_launches.launched_at))
        + {{ var('followed_late_seconds') }} as late_time
    from first_trades
    left join token_launches on first_trades.token_address = token_launches.token_address

),

late_buys as (

    select
        wallet_trades.wallet_address,
        count(*) as late_buy_count
    from wallet_trades
    inner join token_starts on wallet_trades.token_address = token_starts.token_address
    where wallet_trades.side = 'buy' and wallet_trades.block_unix_time > token_starts.late_time
    group by wallet_trades.wallet_address

),

followed_late_buys as (

    select
        followed_buys.wallet_address,
        sum(followed_buys.buy_count) as followed_buy_count
    from followed_buys
    inner join token_starts on followed_buys.token_address = token_starts.token_address
    where followed_buys.block_unix_time > token_starts.late_time
    group by followed_buys.wallet_address

),

followers as (

    select
        late_buys.wallet_address,
        late_buys.late_buy_count,
        coalesce(followed_late_buys.followed_buy_count, 0) as followed_buy_count,
        coalesce(followed_late_buys.followed_buy_count, 0) / late_buys.late_buy_count
            as followed_share
    from late_buys
    left join followed_late_buys
        on late_buys.wallet_address = followed_late_buys.wallet_address

)

select * from followers
