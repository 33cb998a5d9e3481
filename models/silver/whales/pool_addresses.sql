{{ config(materialized='incremental') }}

with

wallet_swaps as (

    select * from {{ ref('wallet_swaps') }}

),

pools as (

    select
        pool_address,
        min(load_batch) as load_batch
    from wallet_swaps
    {% if is_incremental() -%}
        -- batches without a new pool leave no row and are read again until one has some
        where load_batch > (select coalesce(max(load_batch), 0) from {{ this }})
    {%- endif %}
    group by pool_address

),

new_pools as (

    select pools.*
    from pools
    {% if is_incremental() -%}
        left anti join {{ this }} as built on pools.pool_address = built.pool_address
    {%- endif %}
    where pools.pool_address is not null

)

select * from new_pools
