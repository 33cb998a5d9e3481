{% macro route_usd(swaps, swap) -%}
    if(
        {{ swap }}.leg.is_token_to_token,
        coalesce(
            {{ moved_usd(swaps, swap, 'sold', 'bought') }},
            {{ moved_usd(swaps, swap, 'bought', 'sold') }}
        ),
        null
    )
{%- endmacro %}


{% macro moved_usd(swaps, swap, own_leg, other_leg) -%}
    aggregate(
        {{ swaps }},
        struct(0d as quantity, 0d as usd),
        (sums, other) -> if(
            other.usd is not null
            and other.leg.{{ other_leg }}_quantity > 0
            and other.leg.{{ other_leg }}_token = {{ swap }}.leg.{{ own_leg }}_token,
            struct(sums.quantity + other.leg.{{ other_leg }}_quantity as quantity, sums.usd + other.usd as usd),
            sums
        ),
        sums -> if(
            {{ swap }}.leg.{{ own_leg }}_quantity > 0 and sums.quantity >= {{ swap }}.leg.{{ own_leg }}_quantity,
            sums.usd * {{ swap }}.leg.{{ own_leg }}_quantity / sums.quantity,
            null
        )
    )
{%- endmacro %}
