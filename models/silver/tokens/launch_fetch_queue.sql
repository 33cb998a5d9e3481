with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

fifo_positions as (

    select * from {{ ref('fifo_positions') }}

),

trader_tiers as (

    select * from {{ ref('trader_tiers') }}

),

token_launches as (

    select * from {{ ref('token_launches') }}

),

fetch_status as (

    select * from {{ ref('fetch_status') }}

),

launch_fetches as (

    select * from fetch_status
    where kind = 'launches'

),

newest_positions as (

    select
        fifo_positions.wallet_address,
        fifo_positions.token_address,
        fifo_positions.calculation_date,
        fifo_positions.win_count,
        fifo_positions.loss_count,
        {{ round_decimal('fifo_positions.realized_pnl_usd') }} as realized_pnl_usd,
        {{ round_decimal('fifo_positions.cost_of_sold_usd') }} as cost_of_sold_usd
    from fifo_positions
    left semi join pnl_due_wallets
        on
            fifo_positions.wallet_address = pnl_due_wallets.wallet_address
            and fifo_positions.calculation_date = pnl_due_wallets.calculation_date

),

wallets as (

    select
        wallet_address,
        cast(sum(realized_pnl_usd) as double) as realized_pnl_usd,
        try_divide(
            100d * cast(sum(realized_pnl_usd) as double), cast(sum(cost_of_sold_usd) as double)
        ) as roi,
        try_divide(100d * sum(win_count), sum(win_count) + sum(loss_count)) as win_rate
    from newest_positions
    group by wallet_address

),

promising_wallets as (

    -- By what is realized: marks come later. The tier without minimums requires no look-up.
    select distinct wallets.wallet_address
    from wallets
    inner join trader_tiers
        on
            wallets.realized_pnl_usd >= trader_tiers.min_total_pnl
            and wallets.roi >= trader_tiers.min_roi
            and wallets.win_rate >= trader_tiers.min_win_rate

),

best_positions as (

    select newest_positions.*
    from newest_positions
    left semi join promising_wallets
        on newest_positions.wallet_address = promising_wallets.wallet_address
    where newest_positions.realized_pnl_usd > 0
    qualify row_number() over (
        partition by newest_positions.wallet_address
        order by newest_positions.realized_pnl_usd desc, newest_positions.token_address asc
    ) <= {{ var('launch_lookups_per_wallet') }}

),

profitable_tokens as (

    select
        token_address,
        min(calculation_date) as calculated_at,
        sum(realized_pnl_usd) as realized_pnl_usd
    from best_positions
    group by token_address

),

queued as (

    select
        profitable_tokens.token_address as item,
        case
            when launch_fetches.attempts > 0 then launch_fetches.due_at
            -- the API knew nothing of it then
            when launch_fetches.answered_at is not null
                then launch_fetches.answered_at + interval '{{ var("launch_retry_days") }}' day
            else profitable_tokens.calculated_at
        end as due_at,
        profitable_tokens.realized_pnl_usd,
        coalesce(launch_fetches.attempts, 0) as attempts,
        coalesce(launch_fetches.is_exhausted, false) as is_exhausted
    from profitable_tokens
    left anti join token_launches
        on profitable_tokens.token_address = token_launches.token_address
    left join launch_fetches on profitable_tokens.token_address = launch_fetches.item

),

numbered as (

    select
        item,
        due_at,
        row_number() over (order by realized_pnl_usd desc, item asc) as queue_rank,
        attempts,
        is_exhausted
    from queued

)

select * from numbered
