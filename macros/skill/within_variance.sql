{% macro within_variance() -%}
    greatest(
        0d,
        (cast(square_sum as double) - cast(mean_square_sum as double))
        / (position_count - peer_count)
    )
{%- endmacro %}
