{%- set bronze = source('bronze', 'fetch_log').schema %}

with

files as (

    -- The loaders write one small file per load. A view lists the folder at each read.
    select value
    from text.`${spark.sql.warehouse.dir}/{{ bronze }}/_dlt_loads`

),

parsed as (

    select from_json(value, 'load_id string, status int, inserted_at timestamp') as landed
    from files

),

complete as (

    -- A load that was killed after its first file may have written two.
    select
        landed.load_id,
        min(landed.inserted_at) as landed_at
    from parsed
    where landed.status = 0
    group by landed.load_id

)

select * from complete
