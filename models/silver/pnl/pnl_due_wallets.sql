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

    -- the newest answer whose rows wallet_swaps has taken in; the order is that of fetch_status
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

fetches_to_come as (

    select item as wallet_address from transaction_fetch_queue
    where due_at <= {{ as_of() }}
    union distinct
    -- what landed since swap_load_batches was built is for the next build
    select fetch_attempts.item as wallet_address
    from fetch_attempts
    left anti join swap_load_batches on fetch_attempts._dlt_load_id = swap_load_batches.load_id
    where fetch_attempts.kind = 'swaps'

),

{% if is_incremental() %}

built as (

    -- read from the row as JSON: a table of before there were versions has no such column, and null is no version
    select
        *,
        from_json(to_json(struct(*)), 'code_version string').code_version as built_version
    from {{ this }}

),

newest_trades as (

    -- of trades, those alone that the wallet's calculation does not know yet
    select
        wallet_trades.wallet_address,
        max(wallet_trades.load_batch) as covered_batch
    from wallet_trades
    left join built on wallet_trades.wallet_address = built.wallet_address
    where wallet_trades.load_batch > coalesce(built.covered_batch, 0)
    group by wallet_trades.wallet_address

),

{% else %}

newest_trades as (

    select
        wallet_address,
        max(load_batch) as covered_batch
    from wallet_trades
    group by wallet_address

),

{% endif %}

current_state as (

    select
        covered_fetches.wallet_address,
        covered_fetches.covered_fetch_id,
        covered_fetches.data_source,
        fetch_status.is_history_complete,
        coalesce(
            newest_trades.covered_batch{{ ', built.covered_batch' if is_incremental() }}, 0
        ) as covered_batch,
        fetches_to_come.wallet_address is not null as has_swaps_to_come
    from covered_fetches
    inner join fetch_status
        on covered_fetches.wallet_address = fetch_status.item and fetch_status.kind = 'swaps'
    left join newest_trades on covered_fetches.wallet_address = newest_trades.wallet_address
    {% if is_incremental() -%}
        left join built on covered_fetches.wallet_address = built.wallet_address
    {%- endif %}
    left join fetches_to_come on covered_fetches.wallet_address = fetches_to_come.wallet_address

),

due as (

    select
        current_state.*,
        {% if is_incremental() %}
        case
            when built.wallet_address is null then 'first'
            when built.covered_fetch_id <> current_state.covered_fetch_id then 'fetch'
            when built.covered_batch < current_state.covered_batch then 'rows'
            -- another formula makes other figures of the same swaps
            when coalesce(built.built_version <> {{ code_version() }}, true) then 'code'
            -- new swaps go before age: they may be of this very time, of which there is one calculation
            when
                not current_state.has_swaps_to_come
                and built.calculation_date
                <= {{ as_of() }} - interval '{{ var("pnl_refresh_hours") }}' hour
                then 'refresh'
        end as due_reason
        {% else %}
        'first' as due_reason
        {% endif %}
    from current_state
    {% if is_incremental() -%}
        left join built on current_state.wallet_address = built.wallet_address
        -- one calculation of a wallet at one time; what comes later at the same time waits for the next
        where built.calculation_date is null or built.calculation_date < {{ as_of() }}
    {%- endif %}

),

due_wallets as (

    select * from due
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
