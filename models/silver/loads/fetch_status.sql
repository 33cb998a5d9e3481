with

fetch_attempts as (

    select * from {{ ref('fetch_attempts') }}

),

retry_requests as (

    select * from {{ ref('retry_requests') }}

),

compared as (

    select
        *,
        bool_and(outcome = 'failed') over run_of_kind
        and min(item) over run_of_kind != max(item) over run_of_kind as is_run_failed,
        bool_and(outcome = 'failed') over load_of_kind
        and min(item) over load_of_kind != max(item) over load_of_kind as is_load_failed
    from fetch_attempts
    window
        run_of_kind as (partition by kind, run_id, fetched_at),
        load_of_kind as (partition by kind, _dlt_load_id)

),

judged as (

    -- If all items of a run or a load failed, the endpoint failed, not the items. One item alone
    -- does not show which. Loads count because an outage may begin in the middle of a run.
    select
        *,
        outcome = 'failed' and (is_run_failed or is_load_failed) as is_outage
    from compared

),

ranked as (

    -- Fetches of one run share its time; the wall clock orders them.
    select
        *,
        row_number() over (
            partition by kind, item
            order by fetched_at desc, landed_at desc nulls last, fetch_id desc
        ) as recency
    from judged

),

measured as (

    select
        *,
        min(if(outcome = 'failed', null, recency)) over (partition by kind, item) as newest_answer,
        -- A fetch that failed after some pages has moved the newest known row, and so the place to
        -- continue from.
        min(if(outcome = 'failed' and landed_rows = 0, null, recency))
            over (partition by kind, item) as newest_progress
    from ranked

),

counted as (

    select
        measured.*,
        measured.outcome = 'failed'
        and not measured.is_outage
        and (measured.newest_answer is null or measured.recency < measured.newest_answer)
        and coalesce(
            measured.fetched_at > retry_requests.requested_at
            or (
                measured.fetched_at = retry_requests.requested_at
                and measured.landed_at > retry_requests.landed_at
            ),
            true
        ) as is_attempt
    from measured
    left join retry_requests
        on measured.kind = retry_requests.kind and measured.item = retry_requests.item

),

items as (

    select
        kind,
        item,
        ---------- the newest fetch, whatever came of it
        max_by(fetch_id, -recency) as fetch_id,
        max_by(outcome, -recency) as outcome,
        max(fetched_at) as fetched_at,
        max_by(error, -recency) as error,
        max_by(data_source, -recency) as data_source,
        max_by(run_id, -recency) as run_id,
        ---------- failures since the API last answered
        cast(count_if(is_attempt) as int) as attempts,
        max(fetched_at) filter (where is_attempt) as attempted_at,
        ---------- the newest fetch that was answered, finished or not
        max(if(recency = newest_answer, fetch_id, null)) as answered_fetch_id,
        max(if(recency = newest_answer, _dlt_load_id, null)) as answered_load_id,
        max(if(recency = newest_answer, outcome, null)) as answered_outcome,
        max(if(recency = newest_answer, fetched_at, null)) as answered_at,
        ---------- the newest finished fetch
        max_by(fetch_id, -recency) filter (where outcome = 'complete') as complete_fetch_id,
        max_by(_dlt_load_id, -recency) filter (where outcome = 'complete') as complete_load_id,
        max(fetched_at) filter (where outcome = 'complete') as completed_at,
        ---------- where the next fetch goes on
        max(newest_time) as newest_known_time,
        max(if(recency = newest_progress, resume_before_time, null)) as resume_before_time,
        max(if(recency = newest_progress, resume_since_time, null)) as resume_since_time,
        max(if(recency = newest_progress, fetched_at, null)) as progressed_at,
        ---------- the whole record
        coalesce(bool_or(reached_oldest), false) as has_reached_oldest,
        bool_or(origin = 'given') as is_given,
        min(fetched_at) as first_fetched_at,
        count(*) as fetch_count,
        sum(landed_rows) as landed_rows
    from counted
    group by kind, item

),

paced as (

    select
        *,
        -- a later fetch that left a gap makes the history incomplete again
        has_reached_oldest and resume_before_time is null as is_history_complete,
        attempts >= {{ var('max_fetch_attempts') }} as is_exhausted,
        case kind
            when 'holders' then interval '{{ var("whale_refresh_hours") }}' hour
            when 'swaps' then interval '{{ var("transactions_refresh_hours") }}' hour
        end as refresh_period
    from items

),

scheduled as (

    select
        * except (refresh_period, attempted_at),
        completed_at + refresh_period as refresh_at,
        case
            when attempts > 0
                then greatest(
                    attempted_at + if(
                        is_exhausted,
                        interval '{{ var("exhausted_retry_days") }}' day,
                        least(
                            interval '{{ var("retry_pause_hours") }}' hour
                            * power(2, least(attempts, 20) - 1),
                            refresh_period
                        )
                    ),
                    if(answered_outcome = 'complete', completed_at + refresh_period, attempted_at)
                )
            -- a paused backfill continues with the next run
            when answered_outcome = 'partial' then fetched_at
            else completed_at + refresh_period
        end as due_at
    from paced

)

select * from scheduled
