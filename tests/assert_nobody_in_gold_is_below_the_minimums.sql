-- Fails for each trader who was judged by this code and misses a minimum or is not wholly known.
-- Not tested: rows of another code, which were judged by the minimums of their day.

{{ config(meta={'kind': 'code'}) }}

with

smart_traders as (

    select * from {{ ref('smart_traders') }}

),

trader_evaluations as (

    select * from {{ ref('trader_evaluations') }}

),

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

qualification_minimums as (

    select * from {{ ref('qualification_minimums') }}

),

traders as (

    select
        smart_traders.wallet_address,
        smart_traders.calculation_date,
        smart_traders.tier
    from smart_traders
    inner join trader_evaluations
        on
            smart_traders.wallet_address = trader_evaluations.wallet_address
            and smart_traders.calculation_date = trader_evaluations.calculation_date
    where trader_evaluations.code_version = {{ code_version() }}

),

figures as (

    select
        traders.*,
        pnl_history.basis_coverage,
        pnl_history.is_history_complete,
        pnl_history.is_too_active,
        stack(
            4,
            'total_pnl', pnl_history.total_pnl,
            'roi', pnl_history.roi,
            'win_rate', pnl_history.win_rate,
            'trade_count', cast(pnl_history.trade_count as decimal(38, 6))
        ) as (metric, figure)
    from traders
    left join pnl_history
        on
            traders.wallet_address = pnl_history.wallet_address
            and traders.calculation_date = pnl_history.calculation_date
            and pnl_history.token_address = 'ALL_TOKENS'

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
