{{ config(materialized='incremental') }}

with

whale_holders as (

    select * from {{ source('bronze', 'whale_holders') }}

),

complete_loads as (

    select * from {{ ref('complete_loads') }}

),

fetch_attempts as (

    select * from {{ ref('fetch_attempts') }}

),

new_fetches as (

    -- Whole fetches only: an owner's accounts may be spread over pages, and pages over loads. A
    -- token fetched twice at one time is observed once, by the first answer.
    select fetch_attempts.fetch_id
    from fetch_attempts
    {% if is_incremental() -%}
        left anti join {{ this }} as built
            on
                fetch_attempts.item = built.token_address
                and fetch_attempts.fetched_at = built.observed_at
    {%- endif %}
    where
        fetch_attempts.kind = 'holders'
        and fetch_attempts.outcome != 'failed'
        and fetch_attempts.landed_rows > 0
    qualify row_number() over (
        partition by fetch_attempts.item, fetch_attempts.fetched_at
        order by fetch_attempts.landed_at asc, fetch_attempts.fetch_id asc
    ) = 1

),

accounts as (

    -- a list that moved between two pages names an account twice
    select whale_holders.*
    from whale_holders
    left semi join complete_loads on whale_holders._dlt_load_id = complete_loads.load_id
    left semi join new_fetches on whale_holders.fetch_id = new_fetches.fetch_id
    -- text that is no amount is no holding
    where try_cast(whale_holders.amount as decimal(38, 12)) >= 0
    qualify row_number() over (
        partition by whale_holders.fetch_id, whale_holders.token_account
        order by whale_holders.list_position asc nulls last, whale_holders._dlt_id asc
    ) = 1

),

owners as (

    select
        ---------- ids
        token_address,
        owner as wallet_address,
        fetch_id,

        ---------- numerics
        count(*) as account_count,
        sum(cast(amount as decimal(38, 0))) as amount_raw,
        max({{ parse_decimals('decimals') }}) as decimals,
        sum(
            coalesce(
                if({{ parse_number('ui_amount') }} >= 0, {{ parse_number('ui_amount') }}, null),
                cast(amount as double) / power(10, {{ parse_decimals('decimals') }})
            )
        ) as amount,

        ---------- timestamps
        observed_at,

        ---------- lineage
        any_value(data_source) as data_source,
        max(_dlt_load_id) as _dlt_load_id
    from accounts
    group by token_address, owner, observed_at, fetch_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by token_address, observed_at
            order by amount_raw desc, wallet_address asc
        ) as holder_rank
    from owners

)

select * from ranked
