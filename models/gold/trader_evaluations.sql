{{ config(materialized='incremental', full_refresh=false) }}

with

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

calculation_checks as (

    select * from {{ ref('calculation_checks') }}

),

qualification_minimums as (

    select * from {{ ref('qualification_minimums') }}

),

trader_tiers as (

    select * from {{ ref('trader_tiers') }}

),

wallet_caps as (

    select * from {{ ref('wallet_caps') }}

),

minimums as (

    -- one row; a metric that the seed leaves out has no minimum
    select
        max(minimum) filter (where metric = 'total_pnl') as min_total_pnl,
        max(minimum) filter (where metric = 'roi') as min_roi,
        max(minimum) filter (where metric = 'win_rate') as min_win_rate,
        max(minimum) filter (where metric = 'trade_count') as min_trade_count
    from qualification_minimums

),

new_calculations as (

    -- The inner joins make a calculation wait that is unchecked or not graded. Where a newer one
    -- came before this was evaluated, the newer one's grade holds for both.
    select
        pnl_history.*,
        calculation_checks.failed_checks,
        wallet_caps.grade,
        wallet_caps.skill_low,
        wallet_caps.position_count,
        wallet_caps.flags,
        wallet_caps.may_be_listed,
        wallet_caps.best_tier_rank
    from pnl_history
    inner join wallet_caps
        on
            pnl_history.wallet_address = wallet_caps.wallet_address
            and pnl_history.calculation_date <= wallet_caps.calculation_date
    inner join calculation_checks
        on
            pnl_history.wallet_address = calculation_checks.wallet_address
            and pnl_history.calculation_date = calculation_checks.calculation_date
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_history.wallet_address = built.wallet_address
                and pnl_history.calculation_date = built.calculation_date
    {%- endif %}
    where pnl_history.token_address = 'ALL_TOKENS'

),

fitting_tiers as (

    select
        new_calculations.wallet_address,
        new_calculations.calculation_date,
        min(trader_tiers.tier_rank) as tier_rank
    from new_calculations
    inner join trader_tiers
        on
            new_calculations.total_pnl
            >= coalesce(trader_tiers.min_total_pnl, new_calculations.total_pnl)
            and new_calculations.roi >= coalesce(trader_tiers.min_roi, new_calculations.roi)
            and new_calculations.win_rate
            >= coalesce(trader_tiers.min_win_rate, new_calculations.win_rate)
            -- the tier without minimums requires any positive profit or win rate
            and (
                trader_tiers.min_total_pnl is not null
                or new_calculations.total_pnl > 0
                or new_calculations.win_rate > 0
            )
    group by new_calculations.wallet_address, new_calculations.calculation_date

),

judged as (

    select
        new_calculations.*,
        fitting_tiers.tier_rank as fitting_rank,
        concat_ws(
            ', ',
            if(new_calculations.total_pnl < minimums.min_total_pnl, 'total_pnl', null),
            if(new_calculations.roi < minimums.min_roi, 'roi', null),
            if(new_calculations.win_rate < minimums.min_win_rate, 'win_rate', null),
            if(new_calculations.trade_count < minimums.min_trade_count, 'trade_count', null),
            if(
                {{ var('require_history_complete') }} and not new_calculations.is_history_complete,
                'history_incomplete',
                null
            ),
            if(
                {{ var('min_basis_coverage') }} > 0
                and not coalesce(
                    new_calculations.basis_coverage >= {{ var('min_basis_coverage') }}, false
                ),
                'basis_coverage',
                null
            ),
            if(new_calculations.is_too_active, 'too_active', null),
            if(fitting_tiers.tier_rank is null, 'no_tier', null),
            -- one entry per check, so that each is counted
            'quarantined:' || replace(new_calculations.failed_checks, ', ', ', quarantined:')
        ) as failed_rules
    from new_calculations
    cross join minimums
    left join fitting_tiers
        on
            new_calculations.wallet_address = fitting_tiers.wallet_address
            and new_calculations.calculation_date = fitting_tiers.calculation_date

),

tiered as (

    -- a cap never lifts
    select
        judged.*,
        judged.failed_rules = '' and judged.may_be_listed as is_listed,
        fitting.tier as fitting_tier,
        capped.tier as capped_tier
    from judged
    left join trader_tiers as fitting on judged.fitting_rank = fitting.tier_rank
    left join trader_tiers as capped
        on greatest(judged.fitting_rank, judged.best_tier_rank) = capped.tier_rank

),

evaluated as (

    select
        ---------- ids
        wallet_address,
        calculation_date,

        ---------- the verdict
        failed_rules = '' as is_qualified,
        nullif(failed_rules, '') as failed_rules,
        if(is_listed, capped_tier, null) as tier,
        {{ round_decimal(
            '0.4d * least(cast(total_pnl as double) / 1000, 100d) + 0.3d * least(cast(roi as double), 100d) '
            ~ '+ 0.2d * cast(win_rate as double) + 0.1d * least(trade_count, 10)'
        ) }} as smart_trader_score,

        ---------- what it was made on
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
        is_history_complete,
        is_too_active,
        data_source,

        ---------- record
        {{ as_of() }} as evaluated_at,
        {{ code_version() }} as code_version,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id,

        ---------- what the list makes of it
        if(failed_rules = '', fitting_tier, null) as uncapped_tier,
        is_listed,
        grade,
        skill_low,
        position_count,
        flags
    from tiered

)

select * from evaluated
