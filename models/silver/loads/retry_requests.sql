with

fetch_log as (

    select * from {{ source('bronze', 'fetch_log') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

newest_requests as (

    select
        fetch_log.kind,
        fetch_log.item,
        max(fetch_log.as_of) as requested_at,
        max(fetch_log.landed_at) as landed_at
    from fetch_log
    left semi join complete_loads on fetch_log._dlt_load_id = complete_loads.load_id
    where fetch_log.outcome = 'retry'
    group by fetch_log.kind, fetch_log.item

)

select * from newest_requests
