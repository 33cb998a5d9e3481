{{ config(materialized='incremental', full_refresh=false) }}

-- Nothing of the rows themselves is read here. A statement sees each table at a moment of its own,
-- so a load that lands in between may be listed while its rows are not seen yet. What reads this
-- table afterwards sees them.

with

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

new_loads as (

    select
        complete_loads.load_id,
        complete_loads.landed_at
    from complete_loads
    {% if is_incremental() -%}
        left anti join {{ this }} as built on complete_loads.load_id = built.load_id
    {%- endif %}

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
        batch.load_batch
    from new_loads
    cross join batch

)

select * from loads
