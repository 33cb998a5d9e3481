with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

position_pnl as (

    select * from {{ ref('position_pnl') }}

),

token_launches as (

    select * from {{ ref('token_launches') }}

),

wallet_behaviour as (

    select * from {{ ref('wallet_behaviour') }}

),

wallet_counterparties as (

    select * from {{ ref('wallet_counterparties') }}

),

wallet_followers as (

    select * from {{ ref('wallet_followers') }}

),

newest_positions as (

    -- All of a wallet's positions, also those that say nothing of its skill.
    select
        position_pnl.*,
        position_pnl.realized_pnl_usd + position_pnl.unrealized_pnl_usd as pnl_usd,
        position_pnl.cost_of_sold_usd + position_pnl.open_cost_usd as cost_usd,
        cast(position_pnl.realized_pnl_usd + position_pnl.unrealized_pnl_usd as double)
        / greatest(
            cast(position_pnl.cost_of_sold_usd + position_pnl.open_cost_usd as double),
            {{ var('min_position_usd') }}d
        ) as position_return
    from position_pnl
    left semi join pnl_due_wallets
        on
            position_pnl.wallet_address = pnl_due_wallets.wallet_address
            and position_pnl.calculation_date = pnl_due_wallets.calculation_date
    where position_pnl.trade_count > 0

),

positions as (

    select
        newest_positions.wallet_address,
        newest_positions.token_address,
        newest_positions.bought_usd,
        newest_positions.sold_usd,
        newest_positions.unmatched_proceeds_usd,
        newest_positions.realized_pnl_usd,
        newest_positions.pnl_usd,
        greatest(newest_positions.pnl_usd, 0) as profit_usd,
        newest_positions.cost_usd >= {{ var('min_position_usd') }} as is_counted,
        newest_positions.held_cost_hours,
        newest_positions.held_cost_usd,
        newest_positions.last_trade_at,
        -- what was traded before its launch was launched before
        coalesce(token_launches.launched_at <= newest_positions.first_trade_at, false)
            as is_launch_known,
        coalesce(
            unix_seconds(newest_positions.first_trade_at) - unix_seconds(token_launches.launched_at)
            between 0 and {{ var('launch_max_seconds') }},
            false
        ) as is_from_launch,
        row_number() over (
            partition by newest_positions.wallet_address
            order by newest_positions.pnl_usd desc, newest_positions.token_address asc
        ) as profit_rank,
        row_number() over (
            partition by newest_positions.wallet_address
            order by newest_positions.position_return desc, newest_positions.token_address asc
        ) as return_rank
    from newest_positions
    left join token_launches on newest_positions.token_address = token_launches.token_address

),

position_sums as (

    select
        wallet_address,
        count_if(is_counted) as position_count,
        cast(sum(profit_usd) as double) as profit_usd,
        cast(sum(if(is_launch_known, profit_usd, 0)) as double) as known_profit_usd,
        cast(sum(if(is_from_launch, profit_usd, 0)) as double) as launch_profit_usd,
        count_if(is_from_launch and profit_usd > 0) as launch_win_count,
        count_if(is_launch_known and profit_usd > 0) as known_win_count,
        cast(sum(if(profit_rank <= {{ var('launch_best_tokens') }}, profit_usd, 0)) as double)
            as best_profit_usd,
        cast(sum(
            if(is_launch_known and profit_rank <= {{ var('launch_best_tokens') }}, profit_usd, 0)
        ) as double) as known_best_profit_usd,
        count_if(return_rank <= {{ var('launch_telling_tokens') }} and profit_usd > 0)
            as telling_count,
        count_if(
            is_launch_known
            and return_rank <= {{ var('launch_telling_tokens') }}
            and profit_usd > 0
        ) as known_telling_count,
        cast(max(profit_usd) as double) as top_profit_usd,
        cast(sum(pnl_usd) - max(pnl_usd) as double) as other_pnl_usd,
        cast(sum(unmatched_proceeds_usd) as double) as unmatched_usd,
        cast(sum(sold_usd) as double) as sold_usd,
        cast(sum(bought_usd) as double) as bought_usd,
        cast(sum(realized_pnl_usd) as double) as realized_pnl_usd,
        try_divide(
            cast(sum(held_cost_hours) as double), cast(sum(held_cost_usd) as double)
        ) as holding_hours,
        max(last_trade_at) as last_trade_at
    from positions
    group by wallet_address

),

closest_counterparties as (

    select
        wallet_address,
        counterparty_address,
        sold_to_count + bought_from_count as trade_count
    from wallet_counterparties
    where
        sold_to_count >= {{ var('wash_pair_min_trades') }}
        and bought_from_count >= {{ var('wash_pair_min_trades') }}
    qualify row_number() over (
        partition by wallet_address
        order by sold_to_count + bought_from_count desc, counterparty_address asc
    ) = 1

),

facts as (

    select
        pnl_due_wallets.wallet_address,
        pnl_due_wallets.calculation_date,
        wallet_behaviour.transaction_count,
        wallet_behaviour.same_second_share,
        wallet_behaviour.net_trade_count,
        wallet_behaviour.round_trip_count,
        wallet_behaviour.round_trip_share,
        wallet_behaviour.rung_count,
        wallet_behaviour.rung_usd_share,
        try_divide(wallet_behaviour.net_trade_count, wallet_behaviour.token_count)
            as trades_per_token,
        position_sums.position_count,
        position_sums.other_pnl_usd,
        position_sums.launch_win_count,
        try_divide(position_sums.launch_profit_usd, position_sums.known_profit_usd)
            as launch_profit_share,
        try_divide(position_sums.launch_win_count, position_sums.known_win_count)
            as launch_win_share,
        coalesce(
            try_divide(position_sums.launch_profit_usd, position_sums.known_profit_usd)
            >= {{ var('launch_min_profit_share') }}d,
            false
        ) as is_profit_from_launches,
        try_divide(position_sums.known_best_profit_usd, position_sums.best_profit_usd)
            as known_best_share,
        try_divide(position_sums.known_telling_count, position_sums.telling_count)
            as known_telling_share,
        position_sums.telling_count,
        coalesce(
            try_divide(position_sums.known_best_profit_usd, position_sums.best_profit_usd)
            < {{ var('launch_known_min_share') }}d,
            false
        ) as is_best_unknown,
        try_divide(position_sums.top_profit_usd, position_sums.profit_usd) as top_share,
        try_divide(position_sums.unmatched_usd, position_sums.sold_usd) as unmatched_share,
        try_divide(abs(position_sums.realized_pnl_usd), position_sums.bought_usd)
            as turnover_return,
        position_sums.holding_hours,
        (unix_seconds({{ as_of() }}) - unix_seconds(position_sums.last_trade_at)) / 86400d
            as idle_days,
        closest_counterparties.counterparty_address,
        try_divide(closest_counterparties.trade_count, wallet_behaviour.net_trade_count)
            as counterparty_share,
        wallet_followers.late_buy_count,
        wallet_followers.followed_buy_count,
        wallet_followers.followed_share
    from pnl_due_wallets
    inner join wallet_behaviour
        on
            pnl_due_wallets.wallet_address = wallet_behaviour.wallet_address
            and pnl_due_wallets.calculation_date = wallet_behaviour.calculation_date
    left join position_sums on pnl_due_wallets.wallet_address = position_sums.wallet_address
    left join closest_counterparties
        on pnl_due_wallets.wallet_address = closest_counterparties.wallet_address
    left join wallet_followers
        on pnl_due_wallets.wallet_address = wallet_followers.wallet_address

),

judged as (

    -- what is not known flags nobody
    select
        wallet_address,
        calculation_date,
        stack(
            11,

            'arbitrage',
            round_trip_share >= {{ var('arbitrage_min_share') }}d
            and round_trip_count >= {{ var('arbitrage_min_trades') }},
            round_trip_share,
            {{ var('arbitrage_min_share') }}d,
            {{ percent_text('round_trip_share') }} || ' of ' || net_trade_count
            || ' trades bought and sold a token in one transaction;'
            || ' {{ whole_percent(var("arbitrage_min_share")) }} is the limit',

            'machine_pace',
            same_second_share >= {{ var('machine_pace_min_share') }}d
            and transaction_count >= {{ var('machine_pace_min_transactions') }},
            same_second_share,
            {{ var('machine_pace_min_share') }}d,
            {{ percent_text('same_second_share') }} || ' of ' || transaction_count
            || ' transactions came in the second of the one before;'
            || ' {{ whole_percent(var("machine_pace_min_share")) }} is the limit',

            'launch',
            (
                is_profit_from_launches
                or launch_win_share >= {{ var('launch_min_win_share') }}d
            )
            and launch_win_count >= {{ var('launch_min_wins') }},
            if(is_profit_from_launches, launch_profit_share, launch_win_share),
            if(
                is_profit_from_launches,
                {{ var('launch_min_profit_share') }}d,
                {{ var('launch_min_win_share') }}d
            ),
            if(
                is_profit_from_launches,
                {{ percent_text('launch_profit_share') }} || ' of the profit came from '
                || launch_win_count,
                {{ percent_text('launch_win_share') }} || ' of the winning tokens were '
                || launch_win_count
            )
            || ' tokens bought within {{ var("launch_max_seconds") // 60 }} minutes of launch; '
            || if(
                is_profit_from_launches,
                '{{ whole_percent(var("launch_min_profit_share")) }}',
                '{{ whole_percent(var("launch_min_win_share")) }}'
            )
            || ' is the limit',

            'wash_pair',
            counterparty_share >= {{ var('wash_pair_min_share') }}d,
            counterparty_share,
            {{ var('wash_pair_min_share') }}d,
            {{ percent_text('counterparty_share') }} || ' of ' || net_trade_count
            || ' trades went back and forth with ' || counterparty_address
            || '; {{ whole_percent(var("wash_pair_min_share")) }} is the limit',

            'unmatched',
            unmatched_share > {{ var('unmatched_max_share') }}d,
            unmatched_share,
            {{ var('unmatched_max_share') }}d,
            {{ percent_text('unmatched_share') }}
            || ' of proceeds came from tokens that were not seen bought;'
            || ' {{ whole_percent(var("unmatched_max_share")) }} is the limit',

            'martingale',
            rung_usd_share >= {{ var('martingale_min_share') }}d
            and rung_count >= {{ var('martingale_min_rungs') }},
            rung_usd_share,
            {{ var('martingale_min_share') }}d,
            {{ percent_text('rung_usd_share') }} || ' of the money went into ' || rung_count
            || ' purchases that doubled what had fallen;'
            || ' {{ whole_percent(var("martingale_min_share")) }} is the limit',

            'followed',
            followed_share >= {{ var('followed_min_share') }}d
            and followed_buy_count >= {{ var('followed_min_buys') }},
            followed_share,
            {{ var('followed_min_share') }}d,
            {{ percent_text('followed_share') }} || ' of ' || late_buy_count
            || ' purchases drew a crowd, which a copier pays for;'
            || ' {{ whole_percent(var("followed_min_share")) }} is the limit',

            'one_hit',
            top_share >= {{ var('one_hit_min_share') }}d
            and other_pnl_usd <= 0
            and position_count >= {{ var('one_hit_min_positions') }},
            top_share,
            {{ var('one_hit_min_share') }}d,
            {{ percent_text('top_share') }}
            || ' of the profit came from one token and none from the others together;'
            || ' {{ whole_percent(var("one_hit_min_share")) }} is the limit',

            'churn',
            trades_per_token >= {{ var('churn_min_trades_per_token') }}d
            and net_trade_count >= {{ var('churn_min_trades') }}
            and holding_hours < {{ var('churn_max_hours') }}d
            and turnover_return <= {{ var('churn_max_return') }}d,
            trades_per_token,
            {{ var('churn_min_trades_per_token') }}d,
            cast(bround(trades_per_token) as bigint) || ' trades a token, held for '
            || cast(bround(holding_hours) as bigint) || ' hours, won or lost '
            || {{ percent_text('turnover_return') }} || ' of purchases;'
            || ' {{ var("churn_min_trades_per_token") }} trades a token is the limit',

            'launch_unknown',
            is_best_unknown
            or known_telling_share < {{ var('launch_known_min_token_share') }}d,
            if(is_best_unknown, known_best_share, known_telling_share),
            if(
                is_best_unknown,
                {{ var('launch_known_min_share') }}d,
                {{ var('launch_known_min_token_share') }}d
            ),
            'the launch is known behind ' || if(
                is_best_unknown,
                {{ percent_text('known_best_share') }}
                || ' of the profit of the best {{ var("launch_best_tokens") }} tokens; '
                || '{{ whole_percent(var("launch_known_min_share")) }}',
                {{ percent_text('known_telling_share') }} || ' of the ' || telling_count
                || ' winning tokens of the highest return; '
                || '{{ whole_percent(var("launch_known_min_token_share")) }}'
            )
            || ' is the least',

            'dormant',
            idle_days >= {{ var('dormant_days') }},
            idle_days,
            {{ var('dormant_days') }}d,
            'no trade is known of the last ' || cast(floor(idle_days) as bigint)
            || ' days; {{ var("dormant_days") }} is the limit'
        ) as (flag, is_flagged, value, bound, sentence)  -- noqa: RF04
    from facts

),

flags as (

    select
        ---------- ids
        wallet_address,
        flag,
        calculation_date,

        ---------- what it does
        case
            when flag in ('followed', 'launch_unknown') then 'cap'
            when flag in ('one_hit', 'churn') then 'soft'
            else 'hard'
        end as severity,
        case flag
            when 'followed' then 'QUALIFIED'
            when 'launch_unknown' then 'PROMISING'
        end as tier_cap,

        ---------- why
        value,
        bound,
        sentence
    from judged
    where is_flagged

)

select * from flags
