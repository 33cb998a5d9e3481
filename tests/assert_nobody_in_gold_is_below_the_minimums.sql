-- Fails for each trader that this run evaluated who misses a minimum or is not wholly known. Not
-- tested: what earlier runs evaluated, by the minimums and vars of their day.

{{ config(meta={'kind': 'code'}) }}

with

smart_traders as (

    select * from {{ ref('smart_traders') }}

),

pnl_calculations as (

    select * from {{ ref('pnl_calculations') }}

),

qualification_minimums as (

    select * from {{ ref('qualification_minimums') }}

),

newest_traders as (

    select
        smart_traders.wallet_address,
        smart_traders.calculation_date,
        smart_traders.tier
    from smart_traders
    where smart_traders.batch_id = {{ run_id() }}

),

figures as (

    select
        newest_traders.*,
        pnl_calculations.basis_coverage,
        pnl_calculations.is_history_complete,
        pnl_calculations.is_too_active,
        stack(
            4,
            'total_pnl', pnl_calculations.total_pnl,
            'roi', pnl_calculations.roi,
            'win_rate', pnl_calculations.win_rate,
            'trade_count', cast(pnl_calculations.trade_count as decimal(38, 6))
        ) as (metric, figure)
    from newest_traders
    left join pnl_calculations
        on
            newest_traders.wallet_address = pnl_calculations.wallet_address
            and newest_traders.calculation_date = pnl_calculations.calculation_date
            and pnl_calculations.token_address = 'ALL_TOKENS'

),

compared as (

    select
        figures.*,
        qualification_minimums.minimum
    from figures
    left join qualification_minimums on figures.metric = qualification_minimums.metric

)

select * from compared
where
    figure is null
    or figure < minimum
    or is_too_active
    or ({{ var('require_history_complete') }} and not is_history_complete)
    or coalesce(basis_coverage, 0) < {{ var('min_basis_coverage') }}
