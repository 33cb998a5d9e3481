with

whale_wallets as (

    select * from {{ ref('whale_wallets') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

swap_fetches as (

    select * from fetch_status
    where kind = 'swaps'

),

wallets as (

    -- a wallet that holds several tokens is fetched once
    select
        wallet_address,
        min(tracked_since) as tracked_since,
        bool_or(token_address = 'WATCHLIST') as is_watched,
        min(holder_rank) as best_rank,
        count(*) as token_count
    from whale_wallets
    where not is_pool and not is_too_active
    group by wallet_address

),

queued as (

    select
        wallets.wallet_address as item,
        -- a watchlist line has no time: it is due until it is fetched
        coalesce(swap_fetches.due_at, wallets.tracked_since, timestamp '1970-01-01 00:00:00+00:00')
            as due_at,
        -- first half-read items, which are paid for in part; then refreshes; then new items
        case
            when swap_fetches.resume_before_time is not null then 1
            when swap_fetches.answered_outcome = 'partial' then 1
            when swap_fetches.completed_at is not null then 2
            else 3
        end as turn,
        wallets.is_watched,
        wallets.best_rank,
        wallets.token_count,
        coalesce(swap_fetches.attempts, 0) as attempts,
        swap_fetches.newest_known_time,
        swap_fetches.resume_before_time,
        swap_fetches.resume_since_time
    from wallets
    left join swap_fetches on wallets.wallet_address = swap_fetches.item

),

numbered as (

    select
        item,
        due_at,
        row_number() over (
            order by
                turn asc,
                if(turn = 3, null, due_at) asc,
                -- watched wallets, then the largest holders, then holders of the most tokens; the
                -- address only breaks ties
                is_watched desc,
                best_rank asc,
                token_count desc,
                due_at asc,
                item asc
        ) as queue_rank,
        attempts,
        newest_known_time,
        resume_before_time,
        resume_since_time
    from queued

)

select * from numbered
