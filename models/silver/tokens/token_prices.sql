{{ config(materialized='incremental') }}

with

token_observations as (

    select * from {{ ref('token_observations') }}

),

bronze_prices as (

    select * from {{ source('bronze', 'token_prices') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

observed as (

    select
        token_address,
        observed_at,
        -- what a unit is worth by its amount in base units
        price_usd * coalesce(multiplier, 1) as price_usd,
        liquidity_usd,
        'token_list' as source,  -- noqa: RF04
        _dlt_load_id,
        _dlt_id
    from token_observations
    union all
    -- This endpoint's price is of that unit already.
    select
        bronze_prices.token_address,
        bronze_prices.observed_at,
        {{ parse_number('bronze_prices.value') }} as price_usd,
        {{ parse_number('bronze_prices.liquidity') }} as liquidity_usd,
        'multi_price' as source,  -- noqa: RF04
        bronze_prices._dlt_load_id,
        bronze_prices._dlt_id
    from bronze_prices
    left semi join complete_loads on bronze_prices._dlt_load_id = complete_loads.load_id

),

new_prices as (

    select observed.*
    from observed
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                observed.token_address = built.token_address
                and observed.observed_at = built.observed_at
    {%- endif %}
    -- the first answer at a time counts
    qualify row_number() over (
        partition by observed.token_address, observed.observed_at
        order by observed._dlt_load_id asc, observed._dlt_id asc
    ) = 1

),

typed as (

    select
        token_address,
        observed_at,
        price_usd,
        liquidity_usd,
        source
    from new_prices

)

select * from typed
