{{ config(materialized='view') }}

{%- set dust_share = [var('dust_share') | float, 1e-9] | max %}

-- Lay a position's buys end to end. With U = max(0, running max(cumulative sold - bought)) and
-- M = cumulative sold - U, a sell consumes the part (M before, M after] of that line.

with

wallet_trades as (

    select * from {{ ref('wallet_trades') }}

),

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

fifo_positions as (

    select * from {{ ref('fifo_positions') }}

),

drawn_wallets as (

    -- those just calculated come first, so that they are checked before gold looks at them
    select
        wallet_address,
        calculation_date,
        covered_batch
    from pnl_due_wallets
    where covered_batch > 0
    order by calculation_date desc, md5(wallet_address) asc, wallet_address asc
    limit 200

),

positions as (

    -- the newest calculation's
    select fifo_positions.*
    from fifo_positions
    left semi join drawn_wallets
        on
            fifo_positions.wallet_address = drawn_wallets.wallet_address
            and fifo_positions.calculation_date = drawn_wallets.calculation_date

),

trades as (

    select
        wallet_trades.*,
        max(wallet_trades.load_batch) over (
            partition by wallet_trades.wallet_address
        ) as newest_batch
    from wallet_trades
    left semi join drawn_wallets on wallet_trades.wallet_address = drawn_wallets.wallet_address

),

known_trades as (

    select trades.*
    from trades
    inner join drawn_wallets on trades.wallet_address = drawn_wallets.wallet_address
    where trades.newest_batch = drawn_wallets.covered_batch and trades.quantity > 0

),

cumulative as (

    select
        *,
        sum(if(side = 'buy', quantity, 0)) over position_order as bought_until,
        sum(if(side = 'sell', quantity, 0)) over position_order as sold_until
    from known_trades
    window position_order as (
        partition by wallet_address, token_address
        order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
        rows between unbounded preceding and current row
    )

),

short as (

    select
        *,
        greatest(0, max(sold_until - bought_until) over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
            rows between unbounded preceding and current row
        )) as short_until
    from cumulative

),

matched as (

    select
        *,
        bought_until - sold_until + short_until as open_until,
        sold_until - short_until as matched_until,
        lag(sold_until - short_until, 1, 0) over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
        ) as matched_before,
        lag(short_until, 1, 0) over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
        ) as short_before
    from short

),

sized as (

    -- what dust can come to at one sell, and within which a lot may end by it; the last one is
    -- what sums of doubles lose
    select
        *,
        {{ dust_share }} * max(open_until) over (partition by wallet_address, token_address)
            as dust_quantity,
        {{ dust_share }} * max(open_until) over (partition by wallet_address, token_address)
        * (1 + count(*) over (partition by wallet_address, token_address)) as nearness,
        1e-15 * max(bought_until + sold_until) over (partition by wallet_address, token_address)
            as rounding_quantity
    from matched

),

buys as (

    select * from sized
    where side = 'buy'

),

sells as (

    select * from sized
    where side = 'sell'

),

consumed as (

    select
        sells.wallet_address,
        sells.token_address,
        sells.value_usd as proceeds_usd,
        sells.quantity as sold_quantity,
        buys.value_usd is not null and not buys.is_basis_unknown as is_basis_known,
        buys.value_usd / buys.quantity as unit_cost_usd,
        buys.bought_until - sells.matched_until as left_of_lot,
        sells.nearness,
        least(buys.bought_until, sells.matched_until)
        - greatest(buys.bought_until - buys.quantity, sells.matched_before) as quantity
    from sells
    inner join buys
        on
            sells.wallet_address = buys.wallet_address
            and sells.token_address = buys.token_address
            and sells.matched_before < buys.bought_until
            and sells.matched_until > buys.bought_until - buys.quantity

),

expected as (

    select
        wallet_address,
        token_address,
        sum(if(is_basis_known, quantity, 0)) as matched_quantity,
        sum(
            if(is_basis_known and proceeds_usd is not null, quantity * unit_cost_usd, 0)
        ) as cost_usd,
        sum(
            if(
                is_basis_known,
                proceeds_usd * quantity / sold_quantity - quantity * unit_cost_usd,
                0
            )
        ) as pnl_usd,
        count_if(left_of_lot > 0 and left_of_lot <= nearness) as dust_count
    from consumed
    group by wallet_address, token_address

),

positions_traded as (

    -- Dust closes a lot early, and the quantity is matched by a later sell instead, at that one's
    -- price: `dust_usd` is what that can come to each time it happens.
    select
        wallet_address,
        token_address,
        max(short_until) as short_quantity,
        count_if(short_until > short_before and short_until - short_before <= nearness)
            as dust_count,
        sum(least(1, dust_quantity / quantity) * coalesce(value_usd, 0)) as dust_usd,
        sum(least(1, rounding_quantity / quantity) * coalesce(value_usd, 0)) as rounding_usd
    from sized
    group by wallet_address, token_address

),

compared as (

    select
        positions_traded.wallet_address,
        positions_traded.token_address,
        positions.calculation_date,
        positions.matched_quantity,
        coalesce(expected.matched_quantity, 0) as expected_matched_quantity,
        positions.short_quantity,
        positions_traded.short_quantity as expected_short_quantity,
        positions.cost_of_sold_usd,
        coalesce(expected.cost_usd, 0) as expected_cost_usd,
        positions.realized_pnl_usd,
        coalesce(expected.pnl_usd, 0) as expected_pnl_usd,
        1e-9 * (1 + positions.trade_count) * (positions.bought_usd + positions.sold_usd + 1)
        + (positions_traded.dust_count + coalesce(expected.dust_count, 0))
        * positions_traded.dust_usd
        + positions_traded.rounding_usd as slack_usd,
        {{ dust_share }} * (1 + positions.trade_count)
        * (positions.bought_quantity + positions.sold_quantity + 1) as slack
    from positions_traded
    left join expected
        on
            positions_traded.wallet_address = expected.wallet_address
            and positions_traded.token_address = expected.token_address
    left join positions
        on
            positions_traded.wallet_address = positions.wallet_address
            and positions_traded.token_address = positions.token_address

),

disagreements as (

    select * from compared
    where
        slack_usd is null
        or abs(matched_quantity - expected_matched_quantity) > slack
        or abs(short_quantity - expected_short_quantity) > slack
        or abs(cost_of_sold_usd - expected_cost_usd) > slack_usd
        or abs(realized_pnl_usd - expected_pnl_usd) > slack_usd

)

select * from disagreements
