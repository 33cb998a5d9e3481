{# Moderated as in Smyth (2004): few returns of one wallet show little of how much they differ. #}
{% macro own_variance(wallets, within_variance) -%}
    (
        {{ var('skill_variance_positions') }} * {{ within_variance }}
        + greatest(
            0d,
            cast({{ wallets }}.square_sum as double)
            - cast({{ wallets }}.return_sum as double) * cast({{ wallets }}.return_sum as double)
            / nullif({{ wallets }}.position_count, 0)
        )
    ) / ({{ var('skill_variance_positions') }} + {{ wallets }}.position_count - 1)
{%- endmacro %}
