{{ config(materialized='incremental') }}

{#- what an observation must meet, by the rule's var; one that is null switches its rule off -#}
{%- set rules = [
    ('min_liquidity', 'liquidity_usd >= ', var('min_liquidity')),
    ('max_liquidity', 'liquidity_usd <= ', var('max_liquidity')),
    ('min_volume_1h_usd', 'volume_1h_usd >= ', var('min_volume_1h_usd')),
    ('min_price_change_2h_percent', 'price_change_2h_percent >= ', var('min_price_change_2h_percent')),
    ('min_price_change_24h_percent', 'price_change_24h_percent >= ', var('min_price_change_24h_percent')),
    ('tracked_min_liquidity', 'liquidity_usd >= ', var('tracked_min_liquidity')),
] -%}

with

token_metrics as (

    select * from {{ source('bronze', 'token_metrics') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

liquidity_tiers as (

    select * from {{ ref('liquidity_tiers') }}

),

landed as (

    select token_metrics.*
    from token_metrics
    left semi join complete_loads on token_metrics._dlt_load_id = complete_loads.load_id
    {% if is_incremental() -%}
        -- By load, never by time: a killed load may finish after a newer one.
        left anti join {{ this }} as built_loads
            on token_metrics._dlt_load_id = built_loads._dlt_load_id
        left anti join {{ this }} as built_rows
            on
                token_metrics.address = built_rows.token_address
                and token_metrics.observed_at = built_rows.observed_at
    {%- endif %}
    -- A list that moved between two pages names a token twice, and so does a killed step that was
    -- run again at the same time: the first answer counts.
    qualify row_number() over (
        partition by token_metrics.address, token_metrics.observed_at
        order by
            token_metrics._dlt_load_id asc,
            token_metrics.list_position asc nulls last,
            token_metrics._dlt_id asc
    ) = 1

),

typed as (

    select
        ---------- ids
        address as token_address,
        fetch_id,

        ---------- strings
        symbol,
        name as token_name,
        data_source,

        ---------- numerics
        cast(list_position as int) as list_position,
        {{ parse_decimals('decimals') }} as decimals,
        {{ parse_number('price') }} as price_usd,
        {{ parse_number('multiplier') }} as multiplier,
        {{ parse_number('liquidity') }} as liquidity_usd,
        {{ parse_number('market_cap') }} as market_cap_usd,
        holder as holder_count,
        {{ parse_number('volume_1h_usd') }} as volume_1h_usd,
        {{ parse_number('volume_24h_usd') }} as volume_24h_usd,
        {{ parse_number('price_change_2h_percent') }} as price_change_2h_percent,
        {{ parse_number('price_change_24h_percent') }} as price_change_24h_percent,

        ---------- timestamps
        observed_at,

        ---------- lineage
        _dlt_load_id,
        _dlt_id
    from landed

),

judged as (

    select
        *,
        case
            {%- for rule, condition, bound in rules if bound is not none %}
            when not coalesce({{ condition }}{{ bound }}, false) then '{{ rule }}'
            {%- endfor %}
        end as failed_rule
    from typed

),

tiered as (

    select
        judged.token_address,
        judged.observed_at,
        max_by(liquidity_tiers.liquidity_tier, liquidity_tiers.min_liquidity_usd) as liquidity_tier
    from judged
    inner join liquidity_tiers
        on greatest(judged.liquidity_usd, 0) >= liquidity_tiers.min_liquidity_usd
    group by judged.token_address, judged.observed_at

),

evaluated as (

    select
        judged.*,
        tiered.liquidity_tier,
        judged.failed_rule is null as passes_filter,
        true as processed,
        current_timestamp() as processed_at
    from judged
    left join tiered
        on judged.token_address = tiered.token_address and judged.observed_at = tiered.observed_at

)

select * from evaluated
