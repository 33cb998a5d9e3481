-- Fails for each calculation whose ALL_TOKENS row is not the exact sum of the wallet's tokens.
-- Not tested: percentages and averages, which are pooled and do not add.

with

pnl_calculations as (

    select * from {{ ref('pnl_calculations') }}

),

sums as (

    select
        wallet_address,
        calculation_date,
        count_if(token_address = 'ALL_TOKENS') as total_rows,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * realized_pnl) as realized_pnl_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * unrealized_pnl) as unrealized_pnl_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * total_pnl) as total_pnl_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * trade_count) as trade_count_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * total_bought) as total_bought_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * total_sold) as total_sold_off,
        sum(if(token_address = 'ALL_TOKENS', 1, -1) * current_position_value) as value_off,
        count(distinct batch_id, data_source, covered_fetch_id) as lineages
    from pnl_calculations
    group by wallet_address, calculation_date

)

select * from sums
where
    total_rows != 1
    or realized_pnl_off != 0
    or unrealized_pnl_off != 0
    or total_pnl_off != 0
    or trade_count_off != 0
    or total_bought_off != 0
    or total_sold_off != 0
    or value_off != 0
    or lineages != 1
