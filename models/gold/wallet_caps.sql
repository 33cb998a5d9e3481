{{ config(materialized='view') }}

with

skill_scores as (

    select * from {{ ref('skill_scores') }}

),

wallet_flags as (

    select * from {{ ref('wallet_flags') }}

),

trader_tiers as (

    select * from {{ ref('trader_tiers') }}

),

grade_tiers as (

    select * from {{ ref('grade_tiers') }}

),

lowest as (

    select max(tier_rank) as tier_rank from trader_tiers

),

grade_ranks as (

    -- a tier that is no longer there caps to the lowest: a cap never lifts
    select
        grade_tiers.grade,
        coalesce(trader_tiers.tier_rank, lowest.tier_rank) as tier_rank
    from grade_tiers
    cross join lowest
    left join trader_tiers on grade_tiers.best_tier = trader_tiers.tier

),

flag_ranks as (

    select
        wallet_flags.wallet_address,
        wallet_flags.flag,
        wallet_flags.severity = 'hard' as is_hard,
        if(
            wallet_flags.tier_cap is null,
            null,
            coalesce(trader_tiers.tier_rank, lowest.tier_rank)
        ) as tier_rank
    from wallet_flags
    cross join lowest
    left join trader_tiers on wallet_flags.tier_cap = trader_tiers.tier

),

flags as (

    select
        wallet_address,
        array_join(array_sort(collect_set(flag)), ', ') as flags,
        nullif(array_join(array_sort(collect_set(if(is_hard, flag, null))), ', '), '')
            as hard_flags,
        count_if(flag = 'followed') > 0 as is_followed,
        max(tier_rank) as tier_rank
    from flag_ranks
    group by wallet_address

),

caps as (

    select
        skill_scores.wallet_address,
        skill_scores.calculation_date,
        skill_scores.position_count,
        skill_scores.mean_return,
        skill_scores.skill,
        skill_scores.skill_low,
        skill_scores.edge_low,
        skill_scores.skill_low_90,
        skill_scores.edge_low_90,
        skill_scores.money_return,
        skill_scores.money_return_low,
        skill_scores.pnl_usd,
        skill_scores.cost_usd,
        skill_scores.period_count,
        skill_scores.good_period_share,
        skill_scores.peer_count,
        skill_scores.peer_mean,
        skill_scores.within_variance,
        skill_scores.between_variance,
        skill_scores.grade,
        flags.flags,
        flags.hard_flags,
        coalesce(flags.is_followed, false) as is_followed,
        -- X has no tier
        grade_ranks.grade is not null and flags.hard_flags is null as may_be_listed,
        greatest(grade_ranks.tier_rank, flags.tier_rank) as best_tier_rank
    from skill_scores
    left join flags on skill_scores.wallet_address = flags.wallet_address
    left join grade_ranks on skill_scores.grade = grade_ranks.grade

)

select * from caps
