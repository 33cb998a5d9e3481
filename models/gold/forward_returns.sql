{{ config(materialized='incremental', full_refresh=false) }}

{%- set window_end = "scored_at + interval '" ~ var('calibration_window_days') ~ "' day" -%}

{#- Without a window that has closed since, nothing is read. -#}
{%- set has_closed = has_closed_window(ref('standing_history'), this, window_end) %}

-- Lay a position's buys end to end. With U = max(0, running max(cumulative sold - bought)) and
-- M = cumulative sold - U, a sell consumes the part (M before, M after] of that line, and what was
-- bought by `scored_at` is the line's beginning.

with

standing_history as (

    select * from {{ ref('standing_history') }}
    where {{ has_closed }}

),

tracked_whales as (

    select * from {{ ref('tracked_whales') }}

),

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

token_prices as (

    select * from {{ ref('token_prices') }}

),

closed_windows as (

    select
        standing_history.wallet_address,
        standing_history.scored_at,
        standing_history.{{ window_end }} as window_end
    from standing_history
    {% if is_incremental() -%}
        left anti join {{ this }} as built on standing_history.scored_at = built.scored_at
    {%- endif %}
    where
        not standing_history.is_flagged
        and standing_history.{{ window_end }} <= {{ as_of() }}

),

fetched_wallets as (

    select
        wallet_address,
        max(txns_last_fetched_at) as fetched_at,
        bool_and(is_pool or is_too_active or is_exhausted) as is_left_alone
    from tracked_whales
    group by wallet_address

),

coverage as (

    select
        closed_windows.*,
        coalesce(fetched_wallets.fetched_at >= closed_windows.window_end, false) as is_covered,
        coalesce(not fetched_wallets.is_left_alone, false) as is_awaited
    from closed_windows
    left join fetched_wallets on closed_windows.wallet_address = fetched_wallets.wallet_address

),

ready_windows as (

    -- Who is covered first is not who is typical, so all are awaited, but not for ever: by then
    -- each wallet was due once.
    select scored_at from coverage
    group by scored_at, window_end
    having
        count_if(is_awaited and not is_covered) = 0
        or window_end + interval '{{ var("transactions_refresh_hours") }}' hour <= {{ as_of() }}

),

wallets as (

    select
        coverage.wallet_address,
        coverage.scored_at,
        coverage.window_end,
        unix_seconds(coverage.scored_at) as scored_time,
        unix_seconds(coverage.window_end) as end_time
    from coverage
    left semi join ready_windows on coverage.scored_at = ready_windows.scored_at
    where coverage.is_covered

),

window_trades as (

    select
        wallets.scored_at,
        wallets.window_end,
        wallets.scored_time,
        wallets.end_time,
        wallet_trades.wallet_address,
        wallet_trades.token_address,
        wallet_trades.side,
        wallet_trades.quantity,
        wallet_trades.value_usd,
        wallet_trades.is_basis_unknown,
        wallet_trades.has_unreadable_amount
    from wallet_trades
    inner join wallets
        on
            wallet_trades.wallet_address = wallets.wallet_address
            and wallet_trades.block_unix_time > wallets.scored_time
            and wallet_trades.block_unix_time <= wallets.end_time

),

positions as (

    -- the tokens bought in the window whose trades in it all have a price
    select
        scored_at,
        window_end,
        scored_time,
        end_time,
        wallet_address,
        token_address
    from window_trades
    group by scored_at, window_end, scored_time, end_time, wallet_address, token_address
    having
        count_if(side = 'buy' and quantity > 0) > 0
        and not bool_or(
            coalesce(has_unreadable_amount, false)
            or (quantity > 0 and (value_usd is null or is_basis_unknown))
        )

),

position_trades as (

    -- all trades of these tokens until the window's end: the line begins before it
    select
        positions.scored_at,
        positions.window_end,
        positions.end_time,
        positions.wallet_address,
        positions.token_address,
        wallet_trades.side,
        wallet_trades.value_usd,
        wallet_trades.quantity,
        wallet_trades.decimals,
        wallet_trades.block_unix_time,
        wallet_trades.block_unix_time > positions.scored_time as is_in_window,
        cast(wallet_trades.quantity as decimal(38, 0)) as units,
        row_number() over (
            partition by positions.scored_at, positions.wallet_address, positions.token_address
            order by
                wallet_trades.block_unix_time asc,
                wallet_trades.block_number asc nulls last,
                wallet_trades.side asc,
                wallet_trades.tx_hash asc
        ) as trade_number
    from wallet_trades
    inner join positions
        on
            wallet_trades.wallet_address = positions.wallet_address
            and wallet_trades.token_address = positions.token_address
            and wallet_trades.block_unix_time <= positions.end_time
    where wallet_trades.quantity > 0

),

cumulative as (

    select
        *,
        sum(if(side = 'buy', units, cast(0 as decimal(38, 0)))) over position_order
            as bought_until,
        sum(if(side = 'sell', units, cast(0 as decimal(38, 0)))) over position_order
            as sold_until
    from position_trades
    window position_order as (
        partition by scored_at, wallet_address, token_address
        order by trade_number asc
        rows between unbounded preceding and current row
    )

),

short as (

    select
        *,
        greatest(cast(0 as decimal(38, 0)), max(sold_until - bought_until) over (
            partition by scored_at, wallet_address, token_address
            order by trade_number asc
            rows between unbounded preceding and current row
        )) as short_until
    from cumulative

),

consumed as (

    select
        *,
        cast(sold_until - short_until as double) as consumed_until,
        cast(bought_until as double) as line_until,
        cast(bought_until - if(side = 'buy', units, cast(0 as decimal(38, 0))) as double)
            as line_before
    from short

),

placed as (

    -- where the window's lots begin, and how far sells have come by its end
    select
        *,
        lag(consumed_until, 1, 0d) over position_order as consumed_before,
        coalesce(max(if(is_in_window, null, line_until)) over whole_position, 0d) as line_start,
        max(consumed_until) over whole_position as consumed_at_end
    from consumed
    window
        position_order as (
            partition by scored_at, wallet_address, token_address
            order by trade_number asc
        ),
        whole_position as (partition by scored_at, wallet_address, token_address)

),

figures as (

    select
        *,
        if(is_in_window and side = 'buy', value_usd, 0d) as cost_usd,
        if(
            is_in_window and side = 'sell',
            value_usd * greatest(0d, consumed_until - greatest(consumed_before, line_start))
            / quantity,
            0d
        ) as proceeds_usd,
        if(
            is_in_window and side = 'buy',
            greatest(0d, line_until - greatest(line_before, consumed_at_end)),
            0d
        ) as open_quantity
    from placed

),

outcomes as (

    select
        scored_at,
        window_end,
        wallet_address,
        token_address,
        count_if(is_in_window and side = 'buy') as buy_count,
        max(decimals) as decimals,
        cast(sum(cast(bround(cost_usd, 12) as decimal(38, 12))) as decimal(38, 12)) as cost_usd,
        cast(sum(cast(bround(proceeds_usd, 12) as decimal(38, 12))) as decimal(38, 12))
            as proceeds_usd,
        cast(
            sum(cast(bround(cost_usd * open_quantity / quantity, 12) as decimal(38, 12)))
            as decimal(38, 12)
        ) as open_cost_usd,
        cast(sum(cast(bround(open_quantity, 0) as decimal(38, 0))) as double) as open_quantity,
        max_by(value_usd / quantity, trade_number) filter (where value_usd is not null)
            as last_price_usd,
        max(block_unix_time) filter (where value_usd is not null)
        >= max(end_time) - 3600 * {{ var('max_trade_age_hours') }} as is_last_price_young
    from figures
    group by scored_at, window_end, wallet_address, token_address

),

price_candidates as (

    select distinct
        token_address,
        window_end
    from outcomes
    where open_quantity > 0

),

observed_prices as (

    select
        price_candidates.token_address,
        price_candidates.window_end,
        token_prices.price_usd,
        token_prices.liquidity_usd
    from price_candidates
    inner join token_prices
        on
            price_candidates.token_address = token_prices.token_address
            and price_candidates.window_end >= token_prices.observed_at
            and price_candidates.window_end
            <= token_prices.observed_at + interval '{{ var("max_price_age_hours") }}' hour
    -- a token is observed once at a time
    qualify row_number() over (
        partition by price_candidates.token_address, price_candidates.window_end
        order by token_prices.observed_at desc
    ) = 1

),

marked as (

    -- as position_pnl marks what is open, but for balances: what left by transfer counts as held
    select
        outcomes.*,
        case
            when outcomes.open_quantity <= 0 then 0d
            when
                observed_prices.price_usd >= 0
                and observed_prices.liquidity_usd >= 0
                and outcomes.decimals is not null
                then least(
                    outcomes.open_quantity / power(10d, outcomes.decimals)
                    * observed_prices.price_usd,
                    observed_prices.liquidity_usd / 2
                )
            when outcomes.is_last_price_young
                then least(
                    cast(outcomes.open_cost_usd as double),
                    outcomes.open_quantity * outcomes.last_price_usd
                )
            else 0d
        end as open_value_usd
    from outcomes
    left join observed_prices
        on
            outcomes.token_address = observed_prices.token_address
            and outcomes.window_end = observed_prices.window_end

),

totals as (

    select
        scored_at,
        wallet_address,
        count(*) as token_count,
        sum(buy_count) as buy_count,
        {{ round_decimal('cast(sum(cost_usd) as double)') }} as cost_usd,
        {{ round_decimal('cast(sum(proceeds_usd) as double)') }} as proceeds_usd,
        {{ round_decimal(
            'cast(sum(cast(bround(open_value_usd, 12) as decimal(38, 12))) as double)'
        ) }} as open_value_usd
    from marked
    group by scored_at, wallet_address

),

returns as (

    -- a wallet that bought nothing is covered, too
    select
        ---------- ids
        wallets.scored_at,
        wallets.wallet_address,
        wallets.window_end,

        ---------- what was bought in the window, and what came of it
        coalesce(totals.token_count, 0) as token_count,
        coalesce(totals.buy_count, 0) as buy_count,
        coalesce(totals.cost_usd, 0) as cost_usd,
        coalesce(totals.proceeds_usd, 0) as proceeds_usd,
        coalesce(totals.open_value_usd, 0) as open_value_usd,
        if(
            totals.cost_usd >= {{ var('calibration_min_cost_usd') }}
            and totals.buy_count >= {{ var('calibration_min_buys') }},
            bround(
                cast(totals.proceeds_usd + totals.open_value_usd - totals.cost_usd as double)
                / cast(totals.cost_usd as double),
                12
            ),
            null
        ) as forward_return,

        ---------- record
        {{ as_of() }} as measured_at,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id
    from wallets
    left join totals
        on
            wallets.scored_at = totals.scored_at
            and wallets.wallet_address = totals.wallet_address

)

select * from returns
