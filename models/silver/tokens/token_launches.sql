with

token_creations as (

    select * from {{ source('bronze', 'token_creations') }}

),

token_metrics as (

    select * from {{ source('bronze', 'token_metrics') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

dated as (

    select
        token_creations.token_address,
        token_creations.block_unix_time as launch_time,
        token_creations.observed_at,
        token_creations._dlt_load_id,
        'creation_info' as source  -- noqa: RF04
    from token_creations
    union all
    -- From the lists as they landed: token_observations would judge every row again for one more
    -- column.
    select
        token_metrics.address as token_address,
        token_metrics.recent_listing_time as launch_time,
        token_metrics.observed_at,
        token_metrics._dlt_load_id,
        'recent_listing_time' as source  -- noqa: RF04
    from token_metrics

),

landed as (

    select dated.*
    from dated
    left semi join complete_loads on dated._dlt_load_id = complete_loads.load_id
    -- what is still to come is no launch
    where dated.launch_time between 1 and unix_seconds(dated.observed_at)

),

launches as (

    -- A listing may be a later one, so the earliest that was seen is nearest to the launch.
    select
        token_address,
        source,
        min(launch_time) as launch_time
    from landed
    group by token_address, source

),

typed as (

    select
        token_address,
        timestamp_seconds(launch_time) as launched_at,
        source
    from launches
    -- how a token was made is more than when it was listed
    qualify row_number() over (partition by token_address order by source asc) = 1

)

select * from typed
