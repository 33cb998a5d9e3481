-- Fails for each position whose matched quantity, shortage, cost or profit differs from FIFO
-- written as intervals in SQL. Not tested: dust, which the drawn trades do not have.
--
-- Lay a position's buys end to end. With U = max(0, running max(cumulative sold - bought)) and
-- M = cumulative sold - U, a sell consumes the stretch (M before, M after] of that line.

with

trades as (

    select * from {{ ref('fifo_proof_trades') }}
    where quantity > 0

),

cumulative as (

    select
        *,
        sum(if(side = 'buy', quantity, 0)) over position_order as bought_until,
        sum(if(side = 'sell', quantity, 0)) over position_order as sold_until
    from trades
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
        sold_until - short_until as matched_until,
        lag(sold_until - short_until, 1, 0) over (
            partition by wallet_address, token_address
            order by block_unix_time asc, block_number asc nulls last, side asc, tx_hash asc
        ) as matched_before
    from short

),

buys as (

    select * from matched
    where side = 'buy'

),

sells as (

    select * from matched
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
        ) as pnl_usd
    from consumed
    group by wallet_address, token_address

),

shortages as (

    select
        wallet_address,
        token_address,
        max(short_until) as short_quantity
    from short
    group by wallet_address, token_address

),

positions as (

    select * from {{ ref('fifo_proof_positions') }}

),

compared as (

    select
        shortages.wallet_address,
        shortages.token_address,
        positions.matched_quantity,
        coalesce(expected.matched_quantity, 0) as expected_matched_quantity,
        positions.short_quantity,
        shortages.short_quantity as expected_short_quantity,
        positions.cost_of_sold_usd,
        coalesce(expected.cost_usd, 0) as expected_cost_usd,
        positions.realized_pnl_usd,
        coalesce(expected.pnl_usd, 0) as expected_pnl_usd,
        1e-9 * (positions.bought_usd + positions.sold_usd + 1) as slack_usd
    from shortages
    left join expected
        on
            shortages.wallet_address = expected.wallet_address
            and shortages.token_address = expected.token_address
    left join positions
        on
            shortages.wallet_address = positions.wallet_address
            and shortages.token_address = positions.token_address

)

select * from compared
where
    slack_usd is null
    or abs(matched_quantity - expected_matched_quantity) > 0.001
    or abs(short_quantity - expected_short_quantity) > 0.001
    or abs(cost_of_sold_usd - expected_cost_usd) > slack_usd
    or abs(realized_pnl_usd - expected_pnl_usd) > slack_usd
