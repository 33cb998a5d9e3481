{{ config(materialized='incremental', full_refresh=false) }}

with

wallet_standings as (

    select * from {{ ref('wallet_standings') }}

),

standings as (

    select
        {{ as_of() }} as scored_at,
        wallet_address,
        smart_trader_score,
        skill_low,
        realized_pnl,
        grade,
        tier,
        is_listed,
        is_flagged,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id
    from wallet_standings

)

{% if is_incremental() -%}
,

built as (

    -- a time is noted once
    select distinct scored_at from {{ this }}
    where scored_at = {{ as_of() }}

)

select standings.*
from standings
left anti join built on standings.scored_at = built.scored_at
{%- else -%}

select * from standings
{%- endif %}
