{{ config(materialized='incremental', incremental_strategy='insert_overwrite') }}

{%- set seconds = var('wash_pair_max_seconds') -%}

-- A pair counts all trades of its two wallets, so a new trade makes those of its wallet again and
-- no others. All are written again, in one commit: pairs that are no more go with it.

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

newest as (

    select coalesce(max(load_batch), 0) as covered_batch from wallet_trades

),

{% if is_incremental() -%}
new_wallets as (

    select distinct wallet_address from wallet_trades
    where load_batch > (select coalesce(max(covered_batch), 0) from {{ this }})

),

reached_slices as (

    -- what lies within reach of a trade is in its slice or a neighbour
    select
        wallet_trades.token_address,
        explode(array(
            wallet_trades.block_unix_time div {{ seconds }} - 1,
            wallet_trades.block_unix_time div {{ seconds }},
            wallet_trades.block_unix_time div {{ seconds }} + 1
        )) as time_slice
    from wallet_trades
    left semi join new_wallets on wallet_trades.wallet_address = new_wallets.wallet_address

),

{% endif -%}
-- Numbers for addresses and signatures: each purchase is held three times, and all of them at once.
wallets as (

    select
        wallet_address,
        row_number() over (order by wallet_address asc) as wallet_number
    from (select distinct wallet_address from wallet_trades) as distinct_wallets

),

tokens as (

    select
        token_address,
        row_number() over (order by token_address asc) as token_number
    from (select distinct token_address from wallet_trades) as distinct_tokens

),

trades as (

    select
        wallets.wallet_number,
        tokens.token_number,
        wallet_trades.side,
        cast(wallet_trades.value_usd as double) as value_usd,
        wallet_trades.block_unix_time,
        wallet_trades.block_unix_time div {{ seconds }} as time_slice,
        -- of a trade, in an order of no meaning
        row_number() over (
            partition by tokens.token_number
            order by wallet_trades.block_unix_time asc
        ) as trade_number
    from wallet_trades
    {% if is_incremental() -%}
        left semi join reached_slices
            on
                wallet_trades.token_address = reached_slices.token_address
                and wallet_trades.block_unix_time div {{ seconds }} = reached_slices.time_slice
    {%- endif %}
    inner join wallets on wallet_trades.wallet_address = wallets.wallet_address
    inner join tokens on wallet_trades.token_address = tokens.token_address
    where wallet_trades.side is not null and wallet_trades.value_usd > 0

),

sales as (

    select * from trades
    where side = 'sell'

),

buys as (

    select
        *,
        explode(array(time_slice - 1, time_slice, time_slice + 1)) as reached_slice
    from trades
    where side = 'buy'

),

meetings as (

    select
        sales.wallet_number as seller,
        buys.wallet_number as buyer,
        sales.token_number,
        sales.trade_number as sale_number,
        buys.trade_number as buy_number
    from sales
    inner join buys
        on
            sales.token_number = buys.token_number
            and sales.time_slice = buys.reached_slice
    where
        sales.wallet_number != buys.wallet_number
        and abs(buys.block_unix_time - sales.block_unix_time) <= {{ seconds }}
        and least(buys.value_usd, sales.value_usd)
        >= {{ var('wash_pair_min_size_ratio') }}d * greatest(buys.value_usd, sales.value_usd)

),

directions as (

    -- a trade that meets several counts once
    select
        seller,
        buyer,
        count(distinct token_number, sale_number) as sale_count,
        count(distinct token_number, buy_number) as buy_count
    from meetings
    group by seller, buyer

),

pairs as (

    -- both sold to each other
    select
        wallets.wallet_address,
        counterparties.wallet_address as counterparty_address,
        sold.sale_count as sold_to_count,
        bought.buy_count as bought_from_count
    from directions as sold
    inner join directions as bought on sold.seller = bought.buyer and sold.buyer = bought.seller
    inner join wallets on sold.seller = wallets.wallet_number
    inner join wallets as counterparties on sold.buyer = counterparties.wallet_number

),

{% if is_incremental() -%}
sided_pairs as (

    select
        pairs.*,
        sellers.wallet_address is not null or others.wallet_address is not null as is_new
    from pairs
    left join new_wallets as sellers on pairs.wallet_address = sellers.wallet_address
    left join new_wallets as others on pairs.counterparty_address = others.wallet_address

),

known_pairs as (

    select
        built.wallet_address,
        built.counterparty_address,
        built.sold_to_count,
        built.bought_from_count
    from {{ this }} as built
    left anti join new_wallets as sellers on built.wallet_address = sellers.wallet_address
    left anti join new_wallets as others on built.counterparty_address = others.wallet_address

),

{% endif -%}
all_pairs as (

    select
        wallet_address,
        counterparty_address,
        sold_to_count,
        bought_from_count
    {% if is_incremental() -%}
    from sided_pairs
    -- of two others, only the trades near a new one were read
    where is_new
    union all
    select * from known_pairs
    {%- else -%}
    from pairs
    {%- endif %}

),

covered as (

    select
        all_pairs.*,
        newest.covered_batch
    from all_pairs
    cross join newest

)

select * from covered
