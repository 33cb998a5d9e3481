{{ config(materialized='incremental', incremental_strategy='insert_overwrite') }}

{%- set after = 'between ' ~ (var('followed_min_delay_seconds')) ~ ' following and '
    ~ var('followed_max_delay_seconds') ~ ' following' -%}
{%- set before = 'between '
    ~ (var('followed_max_delay_seconds') - var('followed_min_delay_seconds') + 1)
    ~ ' preceding and 1 preceding' -%}
{%- set seconds = var('followed_max_delay_seconds') + 1 -%}

-- Slices of time are longer than the reach of a purchase, so that a trade changes nothing beyond
-- its own and their neighbours. All rows are written again, in one commit: those that are no more
-- go with it.

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

newest as (

    select coalesce(max(load_batch), 0) as covered_batch from wallet_trades

),

{% if is_incremental() -%}
new_slices as (

    -- of all new trades, since what is no purchase any more leaves a crowd
    select distinct
        token_address,
        block_unix_time div {{ seconds }} as time_slice
    from wallet_trades
    where load_batch > (select coalesce(max(covered_batch), 0) from {{ this }})

),

changed_slices as (

    select
        token_address,
        explode(array(time_slice - 1, time_slice, time_slice + 1)) as time_slice
    from new_slices

),

read_slices as (

    select
        token_address,
        explode(array(time_slice - 1, time_slice, time_slice + 1)) as time_slice
    from changed_slices

),

{% endif -%}
buys as (

    select
        wallet_trades.wallet_address,
        wallet_trades.token_address,
        wallet_trades.block_unix_time,
        wallet_trades.block_unix_time div {{ seconds }} as time_slice
    from wallet_trades
    {% if is_incremental() -%}
        left semi join read_slices
            on
                wallet_trades.token_address = read_slices.token_address
                and wallet_trades.block_unix_time div {{ seconds }} = read_slices.time_slice
    {%- endif %}
    where wallet_trades.side = 'buy'

),

counted_buys as (

    -- other wallets' buys: all of the token less the wallet's own
    select
        wallet_address,
        token_address,
        block_unix_time,
        time_slice,
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
    from buys

),

crowded_buys as (

    select
        wallet_address,
        token_address,
        block_unix_time,
        count(*) as buy_count
    from counted_buys
    {% if is_incremental() -%}
        left semi join changed_slices
            on
                counted_buys.token_address = changed_slices.token_address
                and counted_buys.time_slice = changed_slices.time_slice
    {%- endif %}
    where
        buys_after >= {{ var('followed_min_crowd') }}
        and buys_after >= {{ var('followed_min_growth') }} * (buys_before + 1)
    group by wallet_address, token_address, block_unix_time

),

followed as (

    select * from crowded_buys
    {% if is_incremental() -%}
    union all
    select
        built.wallet_address,
        built.token_address,
        built.block_unix_time,
        built.buy_count
    from {{ this }} as built
    left anti join changed_slices
        on
            built.token_address = changed_slices.token_address
            and built.block_unix_time div {{ seconds }} = changed_slices.time_slice
    {%- endif %}

),

covered as (

    select
        followed.*,
        newest.covered_batch
    from followed
    cross join newest

)

select * from covered
