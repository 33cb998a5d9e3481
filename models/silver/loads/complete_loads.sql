{%- set bronze = source('bronze', 'fetch_log').schema %}

with

files as (

    -- the loaders' own list, one small file per load; a view lists the folder at each read, a table
    -- would not
    select value
    from text.`${spark.sql.warehouse.dir}/{{ bronze }}/_dlt_loads`

),

parsed as (

    select from_json(value, 'load_id string, status int, inserted_at timestamp') as landed
    from files

),

complete as (

    -- a list written twice (a kill just after the first time) is still one load
    select
        landed.load_id,
        min(landed.inserted_at) as landed_at
    from parsed
    where landed.status = 0
    group by landed.load_id

)

select * from complete
