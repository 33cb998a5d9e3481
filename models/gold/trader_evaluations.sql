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

    -- the inner join makes unchecked calculations wait
    select
        pnl_history.*,
        calculation_checks.failed_checks
    from pnl_history
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
        min_by(trader_tiers.tier, trader_tiers.tier_rank) as tier
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
        fitting_tiers.tier as fitting_tier,
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
            if(fitting_tiers.tier is null, 'no_tier', null),
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

evaluated as (

    select
        ---------- ids
        wallet_address,
        calculation_date,

        ---------- the verdict
        failed_rules = '' as is_qualified,
        nullif(failed_rules, '') as failed_rules,
        if(failed_rules = '', fitting_tier, null) as tier,
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
        {{ run_id() }} as batch_id
    from judged

)

select * from evaluated
