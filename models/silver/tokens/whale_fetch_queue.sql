with

tracked_tokens as (

    select * from {{ ref('tracked_tokens') }}

),

token_observations as (

    select * from {{ ref('token_observations') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

holder_fetches as (

    select * from fetch_status
    where kind = 'holders'

),

newest_places as (

    select
        token_address,
        max_by(list_position, observed_at) as list_position
    from token_observations
    group by token_address

),

queued as (

    select
        tracked_tokens.token_address as item,
        coalesce(holder_fetches.due_at, tracked_tokens.tracked_since) as due_at,
        -- first half-read items, which are paid for in part; then refreshes; then new items
        case
            when holder_fetches.answered_outcome = 'partial' then 1
            when holder_fetches.completed_at is not null then 2
            else 3
        end as turn,
        newest_places.list_position,
        tracked_tokens.whale_fetch_attempts as attempts
    from tracked_tokens
    left join holder_fetches on tracked_tokens.token_address = holder_fetches.item
    left join newest_places on tracked_tokens.token_address = newest_places.token_address
    where tracked_tokens.is_active

),

numbered as (

    select
        item,
        due_at,
        row_number() over (
            order by
                turn asc,
                if(turn = 3, null, due_at) asc,
                -- the token list is in the order of token_sort_by
                list_position asc nulls last,
                item asc
        ) as queue_rank,
        attempts
    from queued

)

select * from numbered
