with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

fifo_positions as (

    select * from {{ ref('fifo_positions') }}

),

token_prices as (

    select * from {{ ref('token_prices') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

price_fetches as (

    select * from fetch_status
    where kind = 'prices'

),

held_tokens as (

    -- of each wallet's newest calculation
    select
        fifo_positions.token_address,
        max(fifo_positions.calculation_date) as calculated_at,
        sum({{ round_decimal('fifo_positions.open_cost_usd') }}) as open_cost_usd
    from fifo_positions
    left semi join pnl_due_wallets
        on
            fifo_positions.wallet_address = pnl_due_wallets.wallet_address
            and fifo_positions.calculation_date = pnl_due_wallets.calculation_date
    where fifo_positions.open_quantity > 0
    group by fifo_positions.token_address

),

newest_prices as (

    select
        token_address,
        max(observed_at) as observed_at
    from token_prices
    group by token_address

),

queued as (

    select
        held_tokens.token_address as item,
        -- A price marks no calculation of before its time: what this run calculates needs one.
        -- Where it is there, or was asked for, the next is needed with the next swaps.
        case
            when
                held_tokens.calculated_at < {{ as_of() }}
                or newest_prices.observed_at >= held_tokens.calculated_at
                or price_fetches.fetched_at >= held_tokens.calculated_at
                then
                    greatest(held_tokens.calculated_at, price_fetches.fetched_at)
                    + interval '{{ var("transactions_refresh_hours") }}' hour
            when price_fetches.attempts > 0
                then greatest(held_tokens.calculated_at, price_fetches.due_at)
            else held_tokens.calculated_at
        end as due_at,
        held_tokens.open_cost_usd,
        coalesce(price_fetches.attempts, 0) as attempts,
        coalesce(price_fetches.is_exhausted, false) as is_exhausted
    from held_tokens
    left join newest_prices on held_tokens.token_address = newest_prices.token_address
    left join price_fetches on held_tokens.token_address = price_fetches.item

),

numbered as (

    select
        item,
        due_at,
        row_number() over (order by open_cost_usd desc, item asc) as queue_rank,
        attempts,
        is_exhausted
    from queued

)

select * from numbered
