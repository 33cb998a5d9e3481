-- Time travel: what has changed in `tracked_tokens` since its first version. Delta keeps old
-- versions until VACUUM removes their files; `describe history` lists them, and `timestamp as of`
-- takes a time instead of a number.

with

now as (

    select * from {{ ref('tracked_tokens') }}

),

earlier as (

    select * from {{ ref('tracked_tokens') }} version as of 0

),

compared as (

    select
        now.token_address,
        now.symbol,
        earlier.token_address is null as is_new,
        earlier.is_active as was_active,
        now.is_active,
        earlier.whale_fetched_at as earlier_whale_fetched_at,
        now.whale_fetched_at
    from now
    left join earlier on now.token_address = earlier.token_address

)

select * from compared
where is_new or not (was_active <=> is_active and earlier_whale_fetched_at <=> whale_fetched_at)
