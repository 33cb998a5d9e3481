{{ config(
    materialized='incremental', incremental_strategy='merge', unique_key='token_address'
) }}

{%- set batches = ref('swap_load_batches') -%}
{%- set newest = '(select coalesce(max(load_batch), 0) from ' ~ this ~ ')' -%}
{%- set is_new = 'load_batch > ' ~ newest %}

-- Of what names a token, the larger time counts, and at one time the larger value: an order that
-- does not ask what landed first. So naming a token again changes nothing, and only swaps, which
-- are many, are taken in by batch.

with

token_observations as (

    select * from {{ ref('token_observations') }}

),

token_creations as (

    select * from {{ source('bronze', 'token_creations') }}

),

transaction_history as (

    -- List columns, as bronze evolves.
    select
        _dlt_load_id,
        wallet_address,
        owner,
        fetched_at,
        base__address,
        base__symbol,
        base__decimals,
        quote__address,
        quote__symbol,
        quote__decimals
    from {{ source('bronze', 'transaction_history') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

swap_load_batches as (

    select * from {{ batches }}

),

new_batches as (

    select * from swap_load_batches
    {% if is_incremental() -%}
        where {{ is_new }}
    {%- endif %}

),

landed as (

    select
        transaction_history.*,
        new_batches.load_batch
    from transaction_history
    inner join new_batches on transaction_history._dlt_load_id = new_batches.load_id
    {% if is_incremental() -%}
        where
            {{ in_loads(
                'transaction_history._dlt_load_id',
                'select load_id from ' ~ batches ~ ' where ' ~ is_new
            ) }}
    {%- endif %}

),

legs as (

    select
        fetched_at,
        load_batch,
        stack(
            2,
            base__address, base__symbol, base__decimals,
            quote__address, quote__symbol, quote__decimals
        ) as (token_address, symbol, decimals)
    from landed
    -- as in wallet_swaps: an answer about somebody else is not to be trusted
    where owner = wallet_address

),

sightings as (

    select
        token_address,
        symbol,
        cast(null as string) as token_name,
        {{ parse_decimals('decimals') }} as decimals,
        fetched_at as seen_at,
        load_batch
    from legs
    where token_address is not null
    union all
    select
        token_address,
        symbol,
        token_name,
        decimals,
        observed_at as seen_at,
        cast(null as bigint) as load_batch
    from token_observations
    union all
    select
        token_creations.token_address,
        cast(null as string) as symbol,
        cast(null as string) as token_name,
        {{ parse_decimals('token_creations.decimals') }} as decimals,
        token_creations.observed_at as seen_at,
        cast(null as bigint) as load_batch
    from token_creations
    left semi join complete_loads on token_creations._dlt_load_id = complete_loads.load_id

),

{% if is_incremental() -%}
built as (

    -- of tokens that are named again; each value has its own time
    select
        known.token_address,
        stack(
            3,
            known.symbol, cast(null as string), cast(null as int), known.symbol_seen_at,
            cast(null as string), known.name, cast(null as int), known.name_seen_at,
            cast(null as string), cast(null as string), known.decimals, known.decimals_seen_at
        ) as (symbol, token_name, decimals, seen_at),
        known.load_batch
    from {{ this }} as known
    left semi join sightings on known.token_address = sightings.token_address

),

{% endif -%}
all_sightings as (

    select * from sightings
    {% if is_incremental() -%}
    union all
    select * from built
    {%- endif %}

),

values_by_time as (

    select
        token_address,
        seen_at,
        max(if(trim(symbol) = '', null, symbol)) as symbol,
        max(if(trim(token_name) = '', null, token_name)) as token_name,
        max(decimals) as decimals,
        max(load_batch) as load_batch
    from all_sightings
    group by token_address, seen_at

),

newest_values as (

    select
        token_address,
        max_by(symbol, seen_at) filter (where symbol is not null) as symbol,
        max_by(token_name, seen_at) filter (where token_name is not null) as name,  -- noqa: RF04
        max_by(decimals, seen_at) filter (where decimals is not null) as decimals,
        max(seen_at) filter (where symbol is not null) as symbol_seen_at,
        max(seen_at) filter (where token_name is not null) as name_seen_at,
        max(seen_at) filter (where decimals is not null) as decimals_seen_at,
        max(load_batch) as load_batch
    from values_by_time
    group by token_address

),

changed as (

    select newest_values.*
    from newest_values
    {% if is_incremental() -%}
        left anti join {{ this }} as before
            on
                newest_values.token_address = before.token_address
                and newest_values.symbol <=> before.symbol
                and newest_values.name <=> before.name
                and newest_values.decimals <=> before.decimals
                and newest_values.symbol_seen_at <=> before.symbol_seen_at
                and newest_values.name_seen_at <=> before.name_seen_at
                and newest_values.decimals_seen_at <=> before.decimals_seen_at
                and newest_values.load_batch <=> before.load_batch
    {%- endif %}

)

select * from changed
