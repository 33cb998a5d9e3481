{%- set seconds = var('wash_pair_max_seconds') -%}

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

trades as (

    select
        wallet_address,
        token_address,
        tx_hash,
        side,
        value_usd,
        block_unix_time,
        block_unix_time div {{ seconds }} as time_slice
    from wallet_trades
    where side is not null and value_usd > 0

),

sales as (

    select * from trades
    where side = 'sell'

),

buys as (

    -- what lies within reach of a sale is in its slice or a neighbour
    select
        *,
        explode(array(time_slice - 1, time_slice, time_slice + 1)) as reached_slice
    from trades
    where side = 'buy'

),

meetings as (

    select
        sales.wallet_address as seller,
        buys.wallet_address as buyer,
        sales.token_address,
        sales.tx_hash as sale_tx_hash,
        buys.tx_hash as buy_tx_hash
    from sales
    inner join buys
        on
            sales.token_address = buys.token_address
            and sales.time_slice = buys.reached_slice
    where
        sales.wallet_address != buys.wallet_address
        and abs(buys.block_unix_time - sales.block_unix_time) <= {{ seconds }}
        and least(buys.value_usd, sales.value_usd)
        >= {{ var('wash_pair_min_size_ratio') }}d * greatest(buys.value_usd, sales.value_usd)

),

directions as (

    -- a trade that meets several counts once
    select
        seller,
        buyer,
        count(distinct token_address, sale_tx_hash) as sale_count,
        count(distinct token_address, buy_tx_hash) as buy_count
    from meetings
    group by seller, buyer

),

pairs as (

    -- both sold to each other
    select
        sold.seller as wallet_address,
        sold.buyer as counterparty_address,
        sold.sale_count as sold_to_count,
        bought.buy_count as bought_from_count
    from directions as sold
    inner join directions as bought on sold.seller = bought.buyer and sold.buyer = bought.seller

)

select * from pairs
