with

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

wallet_caps as (

    select * from {{ ref('wallet_caps') }}

),

trader_tiers as (

    select * from {{ ref('trader_tiers') }}

),

lowest as (

    select max(tier_rank) as tier_rank from trader_tiers

),

newest_evaluations as (

    -- a wallet is evaluated once per calculation; before there were caps, `tier` was uncapped
    select
        *,
        if(is_qualified, coalesce(uncapped_tier, tier), null) as fitting_tier
    from trader_evaluations
    qualify row_number() over (partition by wallet_address order by calculation_date desc) = 1

),

capped as (

    select
        newest_evaluations.wallet_address,
        newest_evaluations.is_qualified
        and coalesce(wallet_caps.may_be_listed, false) as is_listed,
        greatest(
            -- a tier that is no longer there counts as the lowest
            coalesce(trader_tiers.tier_rank, lowest.tier_rank),
            wallet_caps.best_tier_rank
        ) as tier_rank
    from newest_evaluations
    cross join lowest
    left join trader_tiers on newest_evaluations.fitting_tier = trader_tiers.tier
    left join wallet_caps on newest_evaluations.wallet_address = wallet_caps.wallet_address

),

standings as (

    select
        ---------- ids
        newest_evaluations.wallet_address,
        newest_evaluations.calculation_date,

        ---------- standing
        capped.is_listed,
        case
            when capped.is_listed then null
            when not newest_evaluations.is_qualified then 'does not qualify'
            when wallet_caps.hard_flags = 'dormant' then 'dormant'
            when wallet_caps.hard_flags is not null then 'flagged: ' || wallet_caps.hard_flags
            else 'grade fell'
        end as unlisted_reason,
        if(capped.is_listed, trader_tiers.tier, null) as tier,
        if(capped.is_listed, capped.tier_rank, null) as tier_order,
        newest_evaluations.fitting_tier as uncapped_tier,
        newest_evaluations.is_qualified,
        newest_evaluations.failed_rules,
        coalesce(wallet_caps.grade, 'D') as grade,
        wallet_caps.flags,
        wallet_caps.hard_flags is not null as is_flagged,
        coalesce(wallet_caps.is_followed, false) as is_followed,
        newest_evaluations.smart_trader_score,

        ---------- skill
        coalesce(wallet_caps.position_count, 0) as position_count,
        wallet_caps.skill,
        wallet_caps.skill_low,
        wallet_caps.money_return,
        wallet_caps.money_return_low,

        ---------- figures
        newest_evaluations.total_pnl,
        newest_evaluations.realized_pnl,
        newest_evaluations.unrealized_pnl,
        newest_evaluations.roi,
        newest_evaluations.win_rate,
        newest_evaluations.trade_count,
        newest_evaluations.total_bought,
        newest_evaluations.total_sold,
        newest_evaluations.avg_holding_time_hours,
        newest_evaluations.trade_frequency_daily,
        newest_evaluations.first_transaction,
        newest_evaluations.last_transaction,
        newest_evaluations.basis_coverage,
        newest_evaluations.data_source,

        ---------- record
        newest_evaluations.evaluated_at
    from newest_evaluations
    inner join capped on newest_evaluations.wallet_address = capped.wallet_address
    left join trader_tiers on capped.tier_rank = trader_tiers.tier_rank
    left join wallet_caps on newest_evaluations.wallet_address = wallet_caps.wallet_address

)

select * from standings
