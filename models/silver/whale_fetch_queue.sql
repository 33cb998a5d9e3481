{{ config(materialized='table') }}

with

tracked_tokens as (

    select * from {{ ref('tracked_tokens') }}

),

fetches as (

    select * from {{ ref('fetches') }}
    where kind = 'holders'

),

queued as (

    select
        tracked_tokens.token_address as item,
        coalesce(fetches.due_at, tracked_tokens.tracked_since) as due_at,
        fetches.fetched_at,
        tracked_tokens.whale_fetch_attempts as attempts
    from tracked_tokens
    left join fetches on tracked_tokens.token_address = fetches.item
    where tracked_tokens.is_active and not tracked_tokens.is_exhausted

),

numbered as (

    select
        item,
        due_at,
        row_number() over (
            order by fetched_at asc nulls first, due_at asc, item asc
        ) as queue_rank,
        attempts
    from queued

)

select * from numbered
