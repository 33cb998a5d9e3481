with

fifo_positions as (

    select * from {{ ref('fifo_positions') }}

),

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

token_prices as (

    select * from {{ ref('token_prices') }}

),

holder_observations as (

    select * from {{ ref('holder_observations') }}

),

new_calculations as (

    -- All positions of a wallet share one calculation, so compare wallets; comparing positions
    -- would shuffle far more rows.
    select
        pnl_due_wallets.wallet_address,
        pnl_due_wallets.calculation_date
    from pnl_due_wallets
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                pnl_due_wallets.wallet_address = built.wallet_address
                and pnl_due_wallets.calculation_date = built.calculation_date
    {%- endif %}

),

new_positions as (

    select fifo_positions.*
    from fifo_positions
    left semi join new_calculations
        on
            fifo_positions.wallet_address = new_calculations.wallet_address
            and fifo_positions.calculation_date = new_calculations.calculation_date

),

open_positions as (

    select * from new_positions
    where open_quantity > 0

),

price_candidates as (

    select distinct
        open_positions.token_address,
        open_positions.calculation_date
    from open_positions

),

observed_prices as (

    select
        price_candidates.token_address,
        price_candidates.calculation_date,
        token_prices.price_usd,
        token_prices.liquidity_usd,
        token_prices.observed_at
    from price_candidates
    inner join token_prices
        on
            price_candidates.token_address = token_prices.token_address
            and price_candidates.calculation_date >= token_prices.observed_at
            and price_candidates.calculation_date
            <= token_prices.observed_at + interval '{{ var("max_price_age_hours") }}' hour
    -- a token is observed once at a time
    qualify row_number() over (
        partition by price_candidates.token_address, price_candidates.calculation_date
        order by token_prices.observed_at desc
    ) = 1

),

balances as (

    select
        open_positions.wallet_address,
        open_positions.token_address,
        open_positions.calculation_date,
        cast(holder_observations.amount_raw as double) as balance_quantity
    from open_positions
    inner join holder_observations
        on
            open_positions.wallet_address = holder_observations.wallet_address
            and open_positions.token_address = holder_observations.token_address
            and open_positions.calculation_date >= holder_observations.observed_at
            and open_positions.calculation_date
            <= holder_observations.observed_at + interval '{{ var("max_trade_age_hours") }}' hour
    -- a wallet is observed once per token and time
    qualify row_number() over (
        partition by
            open_positions.wallet_address,
            open_positions.token_address,
            open_positions.calculation_date
        order by holder_observations.observed_at desc
    ) = 1

),

marked as (

    select
        new_positions.*,
        balances.balance_quantity,
        least(new_positions.open_quantity, balances.balance_quantity) as marked_quantity,
        observed_prices.price_usd as observed_price_usd,
        observed_prices.liquidity_usd,
        case
            when new_positions.open_quantity <= 0 then 'none'
            when
                -- a negative price or liquidity is no figure
                observed_prices.price_usd >= 0
                and observed_prices.liquidity_usd >= 0
                and new_positions.decimals is not null
                then 'observation'
            when
                new_positions.last_priced_time
                >= unix_seconds(new_positions.calculation_date)
                - 3600 * {{ var('max_trade_age_hours') }}
                then 'trade'
            else 'none'
        end as mark_source
    from new_positions
    left join observed_prices
        on
            new_positions.token_address = observed_prices.token_address
            and new_positions.calculation_date = observed_prices.calculation_date
    left join balances
        on
            new_positions.wallet_address = balances.wallet_address
            and new_positions.token_address = balances.token_address
            and new_positions.calculation_date = balances.calculation_date

),

valued as (

    select
        *,
        -- half of the pools' liquidity is what a sale of everything could bring at most; a wallet's
        -- own trade may have moved a thin pool, so it never marks above cost
        case mark_source
            when 'observation'
                then least(
                    marked_quantity / power(10d, decimals) * observed_price_usd, liquidity_usd / 2
                )
            when 'trade' then least(open_cost_usd, marked_quantity * last_price_usd)
            else 0
        end as open_value_usd
    from marked

),

positions as (

    select
        ---------- ids
        wallet_address,
        token_address,
        calculation_date,

        ---------- counts
        trade_count,
        buy_count,
        sell_count,
        trade_count - unpriced_buy_count - unpriced_sell_count as priced_trade_count,
        matched_sell_count,
        win_count,
        loss_count,
        neutral_count,
        unknown_basis_lot_count,
        round_trip_count,

        ---------- quantities, base units
        bought_quantity,
        sold_quantity,
        matched_quantity,
        unknown_basis_quantity,
        short_quantity,
        open_quantity,
        open_unknown_quantity,

        ---------- quantities, units
        cast(decimals as int) as decimals,
        open_quantity / power(10d, decimals) as open_tokens,
        open_unknown_quantity / power(10d, decimals) as open_unknown_tokens,

        ---------- money
        {{ round_decimal('realized_pnl_usd') }} as realized_pnl_usd,
        {{ round_decimal('open_value_usd') }}
        - {{ round_decimal('open_cost_usd') }} as unrealized_pnl_usd,
        {{ round_decimal('open_value_usd') }} as open_value_usd,
        {{ round_decimal('open_cost_usd') }} as open_cost_usd,
        {{ round_decimal('bought_usd') }} as bought_usd,
        {{ round_decimal('sold_usd') }} as sold_usd,
        {{ round_decimal('sold_usd') }}
        - {{ round_decimal('unmatched_proceeds_usd') }} as matched_proceeds_usd,
        {{ round_decimal('unmatched_proceeds_usd') }} as unmatched_proceeds_usd,
        {{ round_decimal('cost_of_sold_usd') }} as cost_of_sold_usd,
        {{ round_decimal('gross_profit_usd') }} as gross_profit_usd,
        {{ round_decimal('gross_loss_usd') }} as gross_loss_usd,
        {{ round_decimal('unpriced_disposal_cost_usd') }} as unpriced_disposal_cost_usd,
        {{ round_decimal('round_trip_usd') }} as round_trip_usd,

        ---------- holding
        -- with twelve places, as averages are made of them: sums stay exact, and the sixth place of
        -- a ratio holds
        cast(bround(held_cost_hours, 12) as decimal(38, 12)) as held_cost_hours,
        cast(bround(cost_of_sold_usd, 12) as decimal(38, 12)) as held_cost_usd,
        avg_holding_hours,
        avg_quantity_holding_hours,
        median_holding_hours,

        ---------- the mark
        mark_source,
        balance_quantity,

        ---------- timestamps
        timestamp_seconds(first_trade_time) as first_trade_at,
        timestamp_seconds(last_trade_time) as last_trade_at,
        timestamp_seconds(oldest_open_lot_time) as oldest_open_lot_at
    from valued

)

select * from positions
