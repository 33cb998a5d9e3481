{% macro all_tokens_differences() -%}
    {#- what the tokens of a calculation lack to its ALL_TOKENS row, by figure; an aggregate -#}
    {%- for figure in [
        'realized_pnl', 'unrealized_pnl', 'total_pnl', 'trade_count', 'total_bought', 'total_sold',
        'current_position_cost_basis', 'current_position_value'
    ] %}
    sum(if(token_address = 'ALL_TOKENS', 1, -1) * {{ figure }}) as {{ figure }}_off,
    {%- endfor %}
    count_if(token_address = 'ALL_TOKENS') as total_rows,
    count(distinct batch_id, data_source, covered_fetch_id) as lineages
{%- endmacro %}


{% macro is_sum_of_tokens() -%}
    total_rows = 1 and lineages = 1 and realized_pnl_off = 0 and unrealized_pnl_off = 0 and total_pnl_off = 0
    and trade_count_off = 0 and total_bought_off = 0 and total_sold_off = 0 and current_position_cost_basis_off = 0
    and current_position_value_off = 0
{%- endmacro %}
