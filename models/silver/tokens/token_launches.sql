with

token_observations as (

    select * from {{ ref('token_observations') }}

),

listings as (

    -- A listing may be a later one, so the earliest that was seen is nearest to the launch.
    select
        token_address,
        min(listed_at) as launched_at,
        'recent_listing_time' as source  -- noqa: RF04
    from token_observations
    where listed_at is not null
    group by token_address

)

select * from listings
