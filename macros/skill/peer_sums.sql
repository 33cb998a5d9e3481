{% macro peer_sums() -%}
    count(*) as peer_count,
    sum(position_count) as position_count,
    sum(position_count * position_count) as squared_count_sum,
    cast(sum(return_sum) as decimal(38, 12)) as return_sum,
    cast(sum(square_sum) as decimal(38, 12)) as square_sum,
    cast(sum(
        cast(
            bround(cast(return_sum as double) * cast(return_sum as double) / position_count, 12)
            as decimal(38, 12)
        )
    ) as decimal(38, 12)) as mean_square_sum
{%- endmacro %}
