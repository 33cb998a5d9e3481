with

holder_observations as (

    select * from {{ ref('holder_observations') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

pool_addresses as (

    select * from {{ ref('pool_addresses') }}

),

swap_counts as (

    select * from {{ ref('swap_counts') }}

),

tracked_tokens as (

    select * from {{ ref('tracked_tokens') }}

),

watchlist as (

    select * from {{ ref('watchlist') }}

),

program_accounts as (

    select * from {{ ref('program_accounts') }}

),

whale_tiers as (

    select * from {{ ref('whale_tiers') }}

),

rank_tiers as (

    select * from {{ ref('rank_tiers') }}

),

swap_fetches as (

    select * from fetch_status
    where kind = 'swaps'

),

newest_holdings as (

    select
        wallet_address,
        token_address,
        max(observed_at) as observed_at,
        min(observed_at) as tracked_since,
        max_by(amount, observed_at) as amount,
        max_by(holder_rank, observed_at) as holder_rank
    from holder_observations
    left semi join tracked_tokens
        on holder_observations.token_address = tracked_tokens.token_address
    group by wallet_address, token_address

),

tiered_holdings as (

    select
        newest_holdings.wallet_address,
        newest_holdings.token_address,
        any_value(newest_holdings.amount) as amount,
        any_value(newest_holdings.holder_rank) as holder_rank,
        max_by(whale_tiers.whale_tier, whale_tiers.min_units) as whale_tier,
        max_by(rank_tiers.rank_tier, rank_tiers.min_rank) as rank_tier,
        any_value(newest_holdings.observed_at) as observed_at,
        any_value(newest_holdings.tracked_since) as tracked_since
    from newest_holdings
    inner join whale_tiers on greatest(newest_holdings.amount, 0) >= whale_tiers.min_units
    inner join rank_tiers on newest_holdings.holder_rank >= rank_tiers.min_rank
    group by newest_holdings.wallet_address, newest_holdings.token_address

),

holdings as (

    select
        *,
        observed_at = max(observed_at) over (partition by token_address) as is_current_holder
    from tiered_holdings

),

watched as (

    -- a wallet named on a command line is known by its fetch alone
    select
        coalesce(watchlist.wallet_address, swap_fetches.item) as wallet_address,
        swap_fetches.first_fetched_at as tracked_since
    from swap_fetches
    full outer join watchlist on swap_fetches.item = watchlist.wallet_address
    where swap_fetches.is_given or watchlist.wallet_address is not null

),

wallets as (

    select
        wallet_address || '_' || token_address as whale_id,
        wallet_address,
        token_address,
        amount,
        holder_rank,
        whale_tier,
        rank_tier,
        observed_at,
        is_current_holder,
        tracked_since
    from holdings
    union all
    select
        wallet_address || '_WATCHLIST' as whale_id,
        wallet_address,
        'WATCHLIST' as token_address,
        null as amount,
        null as holder_rank,
        null as whale_tier,
        null as rank_tier,
        null as observed_at,
        null as is_current_holder,
        tracked_since
    from watched

),

pools as (

    select pool_address as account_address from pool_addresses
    union distinct
    select account_address from program_accounts

),

too_active_wallets as (

    select wallet_address
    from swap_counts
    group by wallet_address
    having {{ is_too_active('sum(swap_count)') }}

),

judged as (

    select
        wallets.*,
        pools.account_address is not null as is_pool,
        too_active_wallets.wallet_address is not null as is_too_active
    from wallets
    left join pools on wallets.wallet_address = pools.account_address
    left join too_active_wallets on wallets.wallet_address = too_active_wallets.wallet_address

)

select * from judged
