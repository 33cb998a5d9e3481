with

token_observations as (

    select * from {{ ref('token_observations') }}

),

fetch_attempts as (

    select * from {{ ref('fetch_attempts') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

quote_assets as (

    select * from {{ ref('quote_assets') }}

),

untracked_tokens as (

    select * from {{ ref('untracked_tokens') }}

),

liquidity_tiers as (

    select * from {{ ref('liquidity_tiers') }}

),

token_lists as (

    -- Only a complete list shows that a token is missing; a partial one counts with the list
    -- before.
    select
        fetched_at,
        bool_or(outcome = 'complete') as is_complete
    from fetch_attempts
    where kind = 'tokens'
    group by fetched_at

),

numbered_lists as (

    select
        fetched_at,
        is_complete,
        count_if(is_complete) over (order by fetched_at asc) as list_number
    from token_lists

),

passing as (

    select
        token_observations.*,
        numbered_lists.list_number
    from token_observations
    inner join numbered_lists on token_observations.observed_at = numbered_lists.fetched_at
    left anti join quote_assets on token_observations.token_address = quote_assets.mint
    left anti join untracked_tokens
        on token_observations.token_address = untracked_tokens.token_address
    where token_observations.passes_filter

),

dated_returns as (

    select
        *,
        coalesce(
            list_number - lag(list_number) over (
                partition by token_address order by observed_at asc
            ) > 1,
            true
        ) as is_return
    from passing

),

lowest_tier as (

    select min_by(liquidity_tier, min_liquidity_usd) as liquidity_tier
    from liquidity_tiers

),

tokens as (

    select
        token_address,
        max_by(symbol, observed_at) as symbol,
        max_by(token_name, observed_at) as token_name,
        max_by(decimals, observed_at) as decimals,
        max_by(liquidity_tier, observed_at) as liquidity_tier,
        min(observed_at) as tracked_since,
        max(observed_at) filter (where is_return) as active_since,
        max(list_number) as last_list_number
    from dated_returns
    group by token_address

),

tokens_with_drop as (

    select
        tokens.*,
        missing_list.fetched_at as dropped_at
    from tokens
    left join numbered_lists as missing_list
        on
            tokens.last_list_number + 1 = missing_list.list_number
            and missing_list.is_complete

),

holder_fetches as (

    select * from fetch_status
    where kind = 'holders'

),

states as (

    select
        tokens_with_drop.token_address,
        tokens_with_drop.symbol,
        tokens_with_drop.token_name,
        tokens_with_drop.decimals,
        -- earlier versions gave no tier below the lowest minimum of their day
        coalesce(tokens_with_drop.liquidity_tier, lowest_tier.liquidity_tier) as liquidity_tier,
        tokens_with_drop.tracked_since,
        tokens_with_drop.dropped_at is null as is_active,
        if(
            coalesce({{ as_of() }} < holder_fetches.refresh_at, false)
            and holder_fetches.answered_outcome = 'complete',
            'completed',
            'pending'
        ) as whale_fetch_status,
        holder_fetches.completed_at as whale_fetched_at,
        coalesce(holder_fetches.attempts, 0) as whale_fetch_attempts,
        coalesce(holder_fetches.is_exhausted, false) as is_exhausted,
        -- Steps of one run share its time; the microsecond orders a fetch after its cause.
        greatest(
            tokens_with_drop.active_since,
            tokens_with_drop.dropped_at,
            holder_fetches.fetched_at + interval '1 microsecond',
            if({{ as_of() }} >= holder_fetches.refresh_at, holder_fetches.refresh_at, null)
        ) as state_changed_at
    from tokens_with_drop
    cross join lowest_tier
    left join holder_fetches on tokens_with_drop.token_address = holder_fetches.item

)

select * from states
