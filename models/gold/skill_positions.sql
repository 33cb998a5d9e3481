{{ config(materialized='view') }}

with

position_returns as (

    select * from {{ ref('position_returns') }}

),

recent as (

    -- A tracked wallet was found by the holders of a token that rose; that position says nothing.
    -- Nor does one from a launch: its price moves by the second, and nobody who follows gets it.
    select * from position_returns
    where
        not is_trigger
        and not coalesce(
            seconds_after_launch between 0 and {{ var('launch_max_seconds') }}, false
        )
        and first_trade_at >= calculation_date - interval '{{ var("skill_window_days") }}' day

),

typed as (

    select
        wallet_address,
        token_address,
        calculation_date,
        first_trade_at,
        cast(floor(
            unix_seconds(first_trade_at) / {{ var('skill_period_days') * 86400 }}
        ) as bigint) as period_number,
        -- as decimals their sums do not depend on the order of rows
        cast(bround(bounded_return, 12) as decimal(38, 12)) as bounded_return,
        cast(bround(bounded_return * bounded_return, 12) as decimal(38, 12)) as squared_return,
        {{ round_decimal('pnl_usd') }} as pnl_usd,
        {{ round_decimal('cost_usd') }} as cost_usd
    from recent

)

select * from typed
