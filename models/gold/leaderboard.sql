with

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

smart_traders as (

    select * from {{ ref('smart_traders') }}

),

newest_evaluations as (

    -- a wallet is evaluated once per calculation
    select * from trader_evaluations
    qualify row_number() over (partition by wallet_address order by calculation_date desc) = 1

),

qualified_times as (

    select
        wallet_address,
        max_by(tier, calculation_date) as last_tier,
        min(calculation_date) as first_qualified_at,
        max(calculation_date) as last_qualified_at,
        count(*) as qualified_count
    from smart_traders
    group by wallet_address

),

standings as (

    select
        newest_evaluations.*,
        not newest_evaluations.is_qualified as former,
        coalesce(newest_evaluations.tier, qualified_times.last_tier) as shown_tier,
        qualified_times.first_qualified_at,
        qualified_times.last_qualified_at,
        qualified_times.qualified_count
    from newest_evaluations
    inner join qualified_times on newest_evaluations.wallet_address = qualified_times.wallet_address

),

ranked as (

    -- former traders have no rank
    select
        ---------- standing
        if(former, null, row_number() over (
            partition by former
            order by smart_trader_score desc, total_pnl desc, wallet_address asc
        )) as overall_rank,
        if(former, null, row_number() over (
            partition by former, shown_tier
            order by smart_trader_score desc, total_pnl desc, wallet_address asc
        )) as tier_rank,
        wallet_address,
        shown_tier as tier,
        former,
        smart_trader_score,

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
    from standings

)

select * from ranked
