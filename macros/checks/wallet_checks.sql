{% macro wallet_checks(table) -%}
    {#- What holds of every row of a table that belongs to a wallet, by name. `calculation_checks` looks at it before
        gold does and sets a wallet apart that breaks one; the table's test looks at it again. Money in double is
        compared at a billionth, and so is what dust, a share of the largest open quantity, moves at each sell. -#}
    {%- set share = [var('dust_share') | float, 1e-9] | max -%}
    {%- set dust = share ~ ' * (1 + trade_count) * (1 + bought_quantity + sold_quantity)' -%}
    {%- set checks = {
        'wallet_trades': [
            ('side', "side is null or side in ('buy', 'sell')"),
            ('quantity', '(side is null) = (quantity = 0) and abs(quantity - abs(bought_quantity - sold_quantity)) '
                ~ '<= 1e-9 * (bought_quantity + sold_quantity)'),
            ('value', 'value_usd is null or value_usd > 0'),
            ('basis', "not is_basis_unknown or side = 'buy'"),
        ],
        'fifo_positions': [
            ('bought_quantity', 'abs(bought_quantity - matched_quantity - unknown_basis_quantity - open_quantity '
                ~ '- open_unknown_quantity) <= ' ~ dust),
            ('sold_quantity', 'abs(sold_quantity - matched_quantity - unknown_basis_quantity - short_quantity) <= '
                ~ dust),
            ('sold_usd', 'abs(sold_usd - matched_proceeds_usd - unmatched_proceeds_usd) <= 1e-9 * (1 + sold_usd)'),
            ('bought_usd', 'unknown_basis_lot_count > 0 or abs(bought_usd - cost_of_sold_usd '
                ~ '- unpriced_disposal_cost_usd - open_cost_usd) <= 1e-9 * (1 + bought_usd)'),
            ('trade_count', 'buy_count + sell_count = trade_count'),
        ],
        'position_pnl': [
            ('unrealized_pnl', 'unrealized_pnl_usd = open_value_usd - open_cost_usd'),
            ('sold_usd', 'sold_usd = matched_proceeds_usd + unmatched_proceeds_usd'),
            ('realized_pnl', 'abs(realized_pnl_usd - matched_proceeds_usd + cost_of_sold_usd) '
                ~ '<= 0.000003 + 1e-9 * (sold_usd + cost_of_sold_usd)'),
            ('sell_counts', 'win_count + loss_count + neutral_count = matched_sell_count'),
            ('open_value', "open_value_usd >= 0 and open_cost_usd >= 0 "
                ~ "and (mark_source != 'trade' or open_value_usd <= open_cost_usd)"),
        ],
        'pnl_history': [
            ('total_pnl', 'total_pnl = realized_pnl + unrealized_pnl'),
            ('unrealized_pnl', 'unrealized_pnl = current_position_value - current_position_cost_basis'),
            ('trade_count', "trade_count >= 1 or token_address = 'ALL_TOKENS'"),
            ('win_rate', 'win_rate between 0 and 100'),
            ('position_tokens', "current_position_tokens is null or token_address != 'ALL_TOKENS'"),
        ],
    } -%}
    {{ return(checks[table]) }}
{%- endmacro %}
