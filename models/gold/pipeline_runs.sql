{{ config(materialized='view') }}

with

bronze_runs as (

    select * from {{ source('bronze', 'pipeline_runs') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

landed as (

    select
        bronze_runs.run_id,
        bronze_runs.step,
        bronze_runs.outcome,
        bronze_runs.data_source,
        bronze_runs.as_of,
        bronze_runs.started_at,
        bronze_runs.landed_at,
        bronze_runs.rows as landed_rows,
        bronze_runs.requests as request_count,
        bronze_runs.cu as compute_units,
        try_cast(bronze_runs.seconds as double) as seconds,
        bronze_runs.error,
        bronze_runs._dlt_id as record_id
    from bronze_runs
    left semi join complete_loads on bronze_runs._dlt_load_id = complete_loads.load_id
    qualify
        row_number() over (
            partition by bronze_runs._dlt_id
            order by bronze_runs.landed_at asc, bronze_runs._dlt_load_id asc
        ) = 1

)

select * from landed
