with

wallet_swaps as (

    select * from {{ ref('wallet_swaps') }}

),

counts as (

    select
        wallet_address,
        load_batch,
        count(*) as swap_count
    from wallet_swaps
    {% if is_incremental() -%}
        -- one commit takes in whole batches
        where load_batch > (select coalesce(max(load_batch), 0) from {{ this }})
    {%- endif %}
    group by wallet_address, load_batch

)

select * from counts
