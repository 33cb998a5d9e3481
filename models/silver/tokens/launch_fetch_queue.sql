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
        {{ round_decimal('fifo_positions.cost_of_sold_usd') }} as cost_of_sold_usd,
        cast(fifo_positions.realized_pnl_usd as double) / greatest(
            cast(fifo_positions.cost_of_sold_usd as double), {{ var('min_position_usd') }}d
        ) as realized_return
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

winning_positions as (

    select
        newest_positions.*,
        row_number() over (
            partition by newest_positions.wallet_address
            order by newest_positions.realized_pnl_usd desc, newest_positions.token_address asc
        ) as profit_rank
    from newest_positions
    left semi join promising_wallets
        on newest_positions.wallet_address = promising_wallets.wallet_address
    where newest_positions.realized_pnl_usd > 0

),

telling_positions as (

    -- What made the profit first, then what made the skill: a launch is bought with little money
    -- and multiplies it.
    select
        *,
        row_number() over (
            partition by wallet_address
            order by
                profit_rank <= {{ var('launch_best_tokens') }} desc,
                realized_return desc,
                token_address asc
        ) as telling_rank
    from winning_positions
    qualify telling_rank <= {{ var('launch_telling_tokens') }}

),

waiting_positions as (

    -- a wallet's next tokens wait for the next day
    select
        token_address,
        calculation_date,
        realized_pnl_usd,
        (telling_rank - 1) div {{ var('launch_lookups_per_wallet') }} as days_waiting
    from telling_positions

),

telling_tokens as (

    select
        token_address,
        min(timestamp_seconds(unix_seconds(calculation_date) + 86400 * days_waiting))
            as first_due_at,
        min(days_waiting) as days_waiting,
        sum(realized_pnl_usd) as realized_pnl_usd
    from waiting_positions
    group by token_address

),

queued as (

    select
        telling_tokens.token_address as item,
        case
            when launch_fetches.attempts > 0 then launch_fetches.due_at
            -- the API knew nothing of it then
            when launch_fetches.answered_at is not null
                then launch_fetches.answered_at + interval '{{ var("launch_retry_days") }}' day
            else telling_tokens.first_due_at
        end as due_at,
        telling_tokens.days_waiting,
        telling_tokens.realized_pnl_usd,
        coalesce(launch_fetches.attempts, 0) as attempts,
        coalesce(launch_fetches.is_exhausted, false) as is_exhausted
    from telling_tokens
    left anti join token_launches
        on telling_tokens.token_address = token_launches.token_address
    left join launch_fetches on telling_tokens.token_address = launch_fetches.item

),

numbered as (

    select
        item,
        due_at,
        row_number() over (
            order by days_waiting asc, realized_pnl_usd desc, item asc
        ) as queue_rank,
        attempts,
        is_exhausted
    from queued

)

select * from numbered
