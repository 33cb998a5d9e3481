{{ config(materialized='table') }}

with

whale_wallets as (

    select * from {{ ref('whale_wallets') }}

),

fetches as (

    select * from {{ ref('fetches') }}
    where kind = 'swaps'

),

wallets as (

    -- held in several tokens, fetched once
    select
        wallet_address,
        min(tracked_since) as tracked_since
    from whale_wallets
    where not is_pool and not too_active
    group by wallet_address

),

queued as (

    select
        wallets.wallet_address as item,
        -- a line of the watchlist has no clock: due from the beginning until it is fetched
        coalesce(fetches.due_at, wallets.tracked_since, timestamp '1970-01-01 00:00:00+00:00')
            as due_at,
        fetches.fetched_at,
        coalesce(fetches.attempts, 0) as attempts,
        fetches.newest_known_time,
        fetches.resume_before_time,
        fetches.resume_since_time
    from wallets
    left join fetches on wallets.wallet_address = fetches.item
    where not coalesce(fetches.is_exhausted, false)

),

numbered as (

    select
        item,
        due_at,
        row_number() over (
            order by fetched_at asc nulls first, due_at asc, item asc
        ) as queue_rank,
        attempts,
        newest_known_time,
        resume_before_time,
        resume_since_time
    from queued

)

select * from numbered
