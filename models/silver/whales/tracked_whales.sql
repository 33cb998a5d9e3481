with

whale_wallets as (

    select * from {{ ref('whale_wallets') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

swap_fetches as (

    select * from fetch_status
    where kind = 'swaps'

),

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

newest_calculations as (

    select
        wallet_address,
        max(calculation_date) as calculated_at,
        max_by(covered_fetch_id, calculation_date) as covered_fetch_id,
        max(calculation_date) + interval '{{ var("pnl_refresh_hours") }}' hour as refresh_at
    from pnl_history
    where token_address = 'ALL_TOKENS'
    group by wallet_address

),

whale_facts as (

    select
        whale_wallets.*,
        swap_fetches.fetched_at,
        swap_fetches.completed_at as txns_last_fetched_at,
        swap_fetches.refresh_at as txns_refresh_at,
        coalesce(swap_fetches.attempts, 0) as txns_fetch_attempts,
        coalesce(swap_fetches.is_exhausted, false) as is_exhausted,
        newest_calculations.calculated_at as pnl_last_processed_at,
        newest_calculations.refresh_at as pnl_refresh_at,
        coalesce(
            swap_fetches.answered_outcome = 'complete'
            and {{ as_of() }} < swap_fetches.refresh_at,
            false
        ) as txns_fetched,
        coalesce(
            newest_calculations.covered_fetch_id = swap_fetches.complete_fetch_id
            -- an unfinished fetch may have landed rows since
            and newest_calculations.calculated_at >= swap_fetches.progressed_at
            and {{ as_of() }} < newest_calculations.refresh_at,
            false
        ) as pnl_processed
    from whale_wallets
    left join swap_fetches on whale_wallets.wallet_address = swap_fetches.item
    left join newest_calculations
        on whale_wallets.wallet_address = newest_calculations.wallet_address

),

states as (

    select
        whale_id,
        wallet_address,
        token_address,
        whale_tier,
        rank_tier,
        is_pool,
        is_too_active,
        is_exhausted,
        txns_fetched,
        if(txns_fetched, 'completed', 'pending') as txns_fetch_status,
        txns_last_fetched_at,
        txns_fetch_attempts,
        pnl_processed,
        if(pnl_processed, 'completed', 'pending') as pnl_processing_status,
        pnl_last_processed_at,
        -- Steps of one run share its time; a microsecond each orders them.
        greatest(
            coalesce(tracked_since, timestamp '1970-01-01 00:00:00+00:00'),
            fetched_at + interval '1 microsecond',
            if({{ as_of() }} >= txns_refresh_at, txns_refresh_at, null),
            pnl_last_processed_at + interval '2 microsecond',
            if({{ as_of() }} >= pnl_refresh_at, pnl_refresh_at, null)
        ) as state_changed_at
    from whale_facts

)

select * from states
