{{ config(
    incremental_strategy='merge', unique_key='wallet_address', full_refresh=false
) }}

with

fetch_attempts as (

    select * from {{ ref('fetch_attempts') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

swap_load_batches as (

    select * from {{ ref('swap_load_batches') }}

),

swap_counts as (

    select * from {{ ref('swap_counts') }}

),

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

transaction_fetch_queue as (

    select * from {{ ref('transaction_fetch_queue') }}

),

covered_fetches as (

    -- the newest answered fetch whose rows are in wallet_swaps; ordered as in fetch_status
    select
        fetch_attempts.item as wallet_address,
        fetch_attempts.fetch_id as covered_fetch_id,
        fetch_attempts.data_source
    from fetch_attempts
    left semi join swap_load_batches on fetch_attempts._dlt_load_id = swap_load_batches.load_id
    where fetch_attempts.kind = 'swaps' and fetch_attempts.outcome in ('complete', 'partial')
    qualify row_number() over (
        partition by fetch_attempts.item
        order by
            fetch_attempts.fetched_at desc,
            fetch_attempts.landed_at desc nulls last,
            fetch_attempts.fetch_id desc
    ) = 1

),

pending_swaps as (

    select item as wallet_address from transaction_fetch_queue
    where due_at <= {{ as_of() }}
    union distinct
    -- Loads newer than swap_load_batches wait for the next build.
    select fetch_attempts.item as wallet_address
    from fetch_attempts
    left anti join swap_load_batches on fetch_attempts._dlt_load_id = swap_load_batches.load_id
    where fetch_attempts.kind = 'swaps'

),

built as (

    {% if is_incremental() -%}
    select
        wallet_address,
        covered_fetch_id,
        covered_batch,
        calculation_date,
        -- Read from the row as JSON: a table of an earlier version has no such column.
        from_json(to_json(struct(*)), 'code_version string').code_version as code_version
    from {{ this }}
    {%- else -%}
    select
        cast(null as string) as wallet_address,
        cast(null as string) as covered_fetch_id,
        cast(null as bigint) as covered_batch,
        cast(null as timestamp) as calculation_date,
        cast(null as string) as code_version
    where false
    {%- endif %}

),

newest_trades as (

    -- only trades that the wallet's calculation does not cover yet
    select
        wallet_trades.wallet_address,
        max(wallet_trades.load_batch) as covered_batch
    from wallet_trades
    left join built on wallet_trades.wallet_address = built.wallet_address
    where wallet_trades.load_batch > coalesce(built.covered_batch, 0)
    group by wallet_trades.wallet_address

),

current_state as (

    select
        covered_fetches.wallet_address,
        covered_fetches.covered_fetch_id,
        covered_fetches.data_source,
        fetch_status.is_history_complete,
        coalesce(newest_trades.covered_batch, built.covered_batch, 0) as covered_batch,
        case
            when built.wallet_address is null then 'first'
            when built.covered_fetch_id <> covered_fetches.covered_fetch_id then 'fetch'
            when newest_trades.covered_batch is not null then 'rows'
            -- another formula makes other figures of the same swaps
            when coalesce(built.code_version <> {{ code_version() }}, true) then 'code'
            -- Pending swaps come first: they may be of this very time, which has one calculation.
            when
                pending_swaps.wallet_address is null
                and built.calculation_date
                <= {{ as_of() }} - interval '{{ var("pnl_refresh_hours") }}' hour
                then 'refresh'
        end as due_reason
    from covered_fetches
    inner join fetch_status
        on covered_fetches.wallet_address = fetch_status.item and fetch_status.kind = 'swaps'
    left join newest_trades on covered_fetches.wallet_address = newest_trades.wallet_address
    left join built on covered_fetches.wallet_address = built.wallet_address
    left join pending_swaps on covered_fetches.wallet_address = pending_swaps.wallet_address
    -- a wallet is calculated once at a time; what comes later at that time waits for the next run
    where built.calculation_date is null or built.calculation_date < {{ as_of() }}

),

due_wallets as (

    select * from current_state
    where due_reason is not null

),

known_swaps as (

    select
        swap_counts.wallet_address,
        sum(swap_counts.swap_count) as swap_count
    from swap_counts
    left semi join due_wallets on swap_counts.wallet_address = due_wallets.wallet_address
    group by swap_counts.wallet_address

),

calculations as (

    select
        ---------- ids
        due_wallets.wallet_address,
        due_wallets.covered_fetch_id,
        due_wallets.covered_batch,

        ---------- strings
        due_wallets.due_reason,
        due_wallets.data_source,
        {{ code_version() }} as code_version,

        ---------- numerics
        coalesce(known_swaps.swap_count, 0) as swap_count,

        ---------- booleans
        due_wallets.is_history_complete,
        {{ is_too_active('coalesce(known_swaps.swap_count, 0)') }} as is_too_active,

        ---------- timestamps
        {{ as_of() }} as calculation_date
    from due_wallets
    left join known_swaps on due_wallets.wallet_address = known_swaps.wallet_address

)

select * from calculations
