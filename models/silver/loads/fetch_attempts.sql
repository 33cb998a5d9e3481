with

fetch_log as (

    select * from {{ source('bronze', 'fetch_log') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

landed as (

    select
        ---------- ids
        fetch_log.fetch_id,
        fetch_log.kind,
        fetch_log.item,
        fetch_log.run_id,
        fetch_log._dlt_load_id,

        ---------- what came of it
        fetch_log.outcome,
        fetch_log.origin,
        fetch_log.data_source,
        fetch_log.error,
        fetch_log.reached_oldest,

        ---------- numbers
        coalesce(fetch_log.pages, 0) as page_count,
        coalesce(fetch_log.rows, 0) as landed_rows,
        coalesce(fetch_log.cu, 0) as compute_units,
        fetch_log.oldest_time,
        fetch_log.newest_time,
        fetch_log.resume_before_time,
        fetch_log.resume_since_time,

        ---------- timestamps
        fetch_log.as_of as fetched_at,
        fetch_log.landed_at
    from fetch_log
    left semi join complete_loads on fetch_log._dlt_load_id = complete_loads.load_id
    -- A request to retry is no fetch.
    where fetch_log.outcome != 'retry'
    qualify row_number() over (partition by fetch_log.fetch_id order by fetch_log._dlt_id asc) = 1

)

select * from landed
