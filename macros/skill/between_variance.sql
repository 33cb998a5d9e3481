{#- DerSimonian and Laird's estimate. One peer alone differs from nobody: there is no divisor. -#}
{% macro between_variance(within_variance) -%}
    greatest(
        1e-4d,
        coalesce(
            try_divide(
                cast(mean_square_sum as double)
                - cast(return_sum as double) * cast(return_sum as double) / position_count
                - (peer_count - 1) * {{ within_variance }},
                position_count - cast(squared_count_sum as double) / position_count
            ),
            0d
        )
    )
{%- endmacro %}
