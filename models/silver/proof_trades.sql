{{ config(unique_key='swap_id') }}

with

swaps as (

    select * from {{ ref('proof_swaps') }}

),

typed as (

    select
        swap_id,
        wallet_address,
        token_address,
        side,
        quantity,
        value_usd,
        traded_at
    from swaps

),

{% if is_incremental() %}

changed as (

    -- a merge of unchanged rows would rewrite their files
    select * from typed
    except all
    select * from {{ this }}

)

{% else %}

changed as (

    select * from typed

)

{% endif %}

select * from changed
