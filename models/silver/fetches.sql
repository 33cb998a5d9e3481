{{ config(materialized='view') }}

with

fetch_log as (

    select * from {{ source('bronze', 'fetch_log') }}

),

landed_loads as (

    select * from {{ ref('landed_loads') }}

),

landed as (

    select fetch_log.*
    from fetch_log
    left semi join landed_loads on fetch_log._dlt_load_id = landed_loads.load_id
    qualify row_number() over (partition by fetch_log.fetch_id order by fetch_log._dlt_id asc) = 1

),

ranked as (

    -- within one run's time the later wall clock is the later fetch
    select
        *,
        row_number() over (
            partition by kind, item
            order by as_of desc, landed_at desc nulls last, fetch_id desc
        ) as recency
    from landed

),

measured as (

    select
        *,
        min(if(outcome = 'failed', null, recency)) over (partition by kind, item) as newest_answer,
        -- a fetch may fail after some pages: what they brought moves the newest known row, and so
        -- the place to go on from
        min(if(outcome = 'failed' and rows = 0, null, recency))
            over (partition by kind, item) as newest_progress
    from ranked

),

items as (

    select
        kind,
        item,
        ---------- the newest fetch, whatever came of it
        max_by(fetch_id, -recency) as fetch_id,
        max_by(outcome, -recency) as outcome,
        max_by(as_of, -recency) as fetched_at,
        max_by(error, -recency) as error,
        max_by(data_source, -recency) as data_source,
        max_by(run_id, -recency) as run_id,
        ---------- failures since the API last answered
        cast(coalesce(min(newest_answer) - 1, count(*)) as int) as attempts,
        ---------- the newest finished fetch
        max_by(fetch_id, -recency) filter (where outcome = 'complete') as complete_fetch_id,
        max_by(_dlt_load_id, -recency) filter (where outcome = 'complete') as complete_load_id,
        max_by(as_of, -recency) filter (where outcome = 'complete') as completed_at,
        ---------- the newest fetch that was answered, finished or not
        max(if(recency = newest_answer, fetch_id, null)) as answered_fetch_id,
        max(if(recency = newest_answer, _dlt_load_id, null)) as answered_load_id,
        ---------- where the next fetch goes on
        max(newest_time) as newest_known_time,
        max(if(recency = newest_progress, resume_before_time, null)) as resume_before_time,
        max(if(recency = newest_progress, resume_since_time, null)) as resume_since_time,
        max(if(recency = newest_progress, as_of, null)) as progressed_at,
        ---------- the whole record
        -- a gap that a later fetch left open makes a history incomplete again
        coalesce(bool_or(reached_oldest), false)
        and max(if(recency = newest_progress, resume_before_time, null)) is null
            as is_history_complete,
        bool_or(origin = 'given') as is_given,
        min(as_of) as first_fetched_at,
        count(*) as fetch_count,
        coalesce(sum(rows), 0) as row_count
    from measured
    group by kind, item

)

select * from items
