{{ config(materialized='incremental', full_refresh=false) }}

{%- set loads = ref('complete_loads') -%}
{%- set not_built = 'select load_id from ' ~ loads ~ ' except select load_id from ' ~ this %}

with

transaction_history as (

    select * from {{ source('bronze', 'transaction_history') }}

),

complete_loads as (

    select * from {{ loads }}

),

new_loads as (

    select
        complete_loads.load_id,
        complete_loads.landed_at
    from complete_loads
    {% if is_incremental() -%}
        -- Listed by an earlier statement: this one reads each table at a different time, so of a
        -- load that lands in between it may see the listing and not the rows.
        where {{ in_loads('complete_loads.load_id', not_built, limit=none) }}
    {%- endif %}

),

counted as (

    select
        _dlt_load_id as load_id,
        count(*) as bronze_row_count,
        count_if(owner <> wallet_address) as foreign_owner_count,
        count_if({{ is_base_sold() }} is null) as undirected_count
    from transaction_history
    {% if is_incremental() -%}
        where {{ in_loads('_dlt_load_id', not_built) }}
    {%- endif %}
    group by _dlt_load_id

),

batch as (

    -- Numbers grow even if the clock is set back.
    select
        greatest(
            unix_micros(current_timestamp()),
            {% if is_incremental() %}
            (select 1 + coalesce(max(load_batch), 0) from {{ this }})
            {% else %}
            0
            {% endif %}
        ) as load_batch

),

loads as (

    select
        new_loads.load_id,
        new_loads.landed_at,
        batch.load_batch,
        coalesce(counted.bronze_row_count, 0) as bronze_row_count,
        coalesce(counted.foreign_owner_count, 0) as foreign_owner_count,
        coalesce(counted.undirected_count, 0) as undirected_count
    from new_loads
    cross join batch
    left join counted on new_loads.load_id = counted.load_id

)

select * from loads
