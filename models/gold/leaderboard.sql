with

wallet_standings as (

    select * from {{ ref('wallet_standings') }}

),

standing_history as (

    select * from {{ ref('standing_history') }}

),

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

smart_traders as (

    select * from {{ ref('smart_traders') }}

),

seen as (

    -- lakes of before there were standings know their lists by the evaluations alone
    select
        wallet_address,
        scored_at as seen_at,
        is_listed,
        tier,
        true as is_standing
    from standing_history
    union all
    select
        wallet_address,
        evaluated_at as seen_at,
        true as is_listed,
        tier,
        false as is_standing
    from smart_traders
    union all
    select
        wallet_address,
        evaluated_at as seen_at,
        false as is_listed,
        cast(null as string) as tier,
        false as is_standing
    from trader_evaluations
    where not coalesce(is_listed, is_qualified)

),

last_listings as (

    select
        wallet_address,
        seen_at,
        tier
    from seen
    where is_listed
    qualify row_number() over (
        partition by wallet_address
        -- two evaluations of one time hold calculations of which the standing shows the newer
        order by seen_at desc, is_standing desc, tier asc
    ) = 1

),

unlistings as (

    select
        seen.wallet_address,
        min(seen.seen_at) as unlisted_at
    from seen
    inner join last_listings on seen.wallet_address = last_listings.wallet_address
    where not seen.is_listed and seen.seen_at > last_listings.seen_at
    group by seen.wallet_address

),

qualified_times as (

    select
        wallet_address,
        min(calculation_date) as first_qualified_at,
        max(calculation_date) as last_qualified_at,
        count(*) as qualified_count
    from trader_evaluations
    where is_qualified
    group by wallet_address

),

candidates as (

    -- who is listed, or was
    select
        wallet_standings.*,
        not wallet_standings.is_listed as former,
        coalesce(wallet_standings.tier, last_listings.tier) as shown_tier,
        if(
            wallet_standings.is_listed, null, coalesce(unlistings.unlisted_at, {{ as_of() }})
        ) as former_since,
        if(
            wallet_standings.unlisted_reason = 'does not qualify',
            'no longer qualifies',
            wallet_standings.unlisted_reason
        ) as former_reason,
        qualified_times.first_qualified_at,
        qualified_times.last_qualified_at,
        qualified_times.qualified_count
    from wallet_standings
    inner join qualified_times on wallet_standings.wallet_address = qualified_times.wallet_address
    left join last_listings on wallet_standings.wallet_address = last_listings.wallet_address
    left join unlistings on wallet_standings.wallet_address = unlistings.wallet_address
    where wallet_standings.is_listed or last_listings.wallet_address is not null

),

ranked as (

    -- Former traders have no rank. Followed wallets come last in their tier: those who follow them
    -- move their returns, and one more would not get them.
    select
        ---------- standing
        if(former, null, row_number() over (
            partition by former
            order by
                tier_order asc,
                is_followed asc,
                skill_low desc nulls last,
                total_pnl desc,
                wallet_address asc
        )) as overall_rank,
        if(former, null, row_number() over (
            partition by former, tier_order
            order by
                is_followed asc, skill_low desc nulls last, total_pnl desc, wallet_address asc
        )) as tier_rank,
        wallet_address,
        shown_tier as tier,
        uncapped_tier,
        grade,
        flags,
        former,
        former_since,
        former_reason,
        smart_trader_score,

        ---------- skill
        skill,
        skill_low,
        position_count,
        money_return,
        money_return_low,

        ---------- figures
        total_pnl,
        realized_pnl,
        unrealized_pnl,
        roi,
        win_rate,
        trade_count,
        total_bought,
        total_sold,
        avg_holding_time_hours,
        trade_frequency_daily,
        first_transaction,
        last_transaction,
        basis_coverage,
        failed_rules,
        data_source,

        ---------- timestamps
        calculation_date,
        first_qualified_at,
        last_qualified_at,
        qualified_count
    from candidates

)

select * from ranked
