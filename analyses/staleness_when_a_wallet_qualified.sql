-- How stale was the lake when a wallet qualified? One row per qualified calculation, with the
-- hours since the wallet's swaps and since its tokens' holder lists had been fetched.
-- `tracked_whales` and `tracked_tokens` know only the newest fetch, so the answer is read from
-- their snapshots, at the version that was valid then.

with

smart_traders as (

    select
        wallet_address,
        calculation_date
    from {{ ref('smart_traders') }}

),

whale_versions as (

    select * from {{ ref('tracked_whales_history') }}

),

token_versions as (

    select * from {{ ref('tracked_tokens_history') }}

),

whales_then as (

    -- the calculation itself is the state that began two microseconds after its time
    select
        smart_traders.wallet_address,
        smart_traders.calculation_date,
        whale_versions.token_address,
        whale_versions.txns_last_fetched_at
    from smart_traders
    inner join whale_versions
        on
            smart_traders.wallet_address = whale_versions.wallet_address
            and whale_versions.dbt_valid_from
            <= smart_traders.calculation_date + interval '2 microsecond'
            and coalesce(
                smart_traders.calculation_date + interval '2 microsecond'
                < whale_versions.dbt_valid_to,
                true
            )

),

tokens_then as (

    select
        whales_then.wallet_address,
        whales_then.calculation_date,
        min(token_versions.whale_fetched_at) as oldest_holder_list_at
    from whales_then
    inner join token_versions
        on
            whales_then.token_address = token_versions.token_address
            and token_versions.dbt_valid_from
            <= whales_then.calculation_date + interval '2 microsecond'
            and coalesce(
                whales_then.calculation_date + interval '2 microsecond'
                < token_versions.dbt_valid_to,
                true
            )
    group by whales_then.wallet_address, whales_then.calculation_date

),

ages as (

    select
        whales_then.wallet_address,
        whales_then.calculation_date,
        timestampdiff(
            hour, max(whales_then.txns_last_fetched_at), whales_then.calculation_date
        ) as swaps_age_hours,
        timestampdiff(
            hour, max(tokens_then.oldest_holder_list_at), whales_then.calculation_date
        ) as holder_list_age_hours
    from whales_then
    left join tokens_then
        on
            whales_then.wallet_address = tokens_then.wallet_address
            and whales_then.calculation_date = tokens_then.calculation_date
    group by whales_then.wallet_address, whales_then.calculation_date

)

select * from ages
