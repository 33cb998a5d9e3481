{{ config(materialized='incremental', full_refresh=false) }}

{%- set scores = ['skill_low', 'smart_trader_score', 'realized_pnl'] -%}
{%- set least_wallets, least_graded = 50, 10 %}

with

standing_history as (

    select * from {{ ref('standing_history') }}

),

forward_returns as (

    select * from {{ ref('forward_returns') }}

),

new_returns as (

    select forward_returns.*
    from forward_returns
    {% if is_incremental() -%}
        left anti join {{ this }} as built on forward_returns.scored_at = built.scored_at
    {%- endif %}

),

windows as (

    select distinct
        scored_at,
        window_end
    from new_returns

),

score_names as (

    select explode(array(
        {%- for score in scores %}
        '{{ score }}'{{ ',' if not loop.last }}
        {%- endfor %}
    )) as score_name

),

scored as (

    select
        new_returns.scored_at,
        new_returns.wallet_address,
        new_returns.forward_return,
        standing_history.grade in ('A', 'B') as is_graded,
        stack(
            {{ scores | length }}
            {%- for score in scores %},
            '{{ score }}', cast(standing_history.{{ score }} as double)
            {%- endfor %}
        ) as (score_name, score)
    from new_returns
    inner join standing_history
        on
            new_returns.scored_at = standing_history.scored_at
            and new_returns.wallet_address = standing_history.wallet_address
    where new_returns.forward_return is not null

),

ranked as (

    -- Twice the rank, so that the middle rank of equals is a whole number, and sums are exact.
    select
        scored_at,
        score_name,
        is_graded,
        forward_return,
        cast(bround(forward_return, 12) as decimal(38, 12)) as exact_return,
        cast(bround(forward_return * forward_return, 12) as decimal(38, 12)) as squared_return,
        cast(2 * rank() over (partition by scored_at, score_name order by score asc) as bigint)
        + count(*) over (partition by scored_at, score_name, score) - 1 as score_rank,
        cast(
            2 * rank() over (partition by scored_at, score_name order by forward_return asc)
            as bigint
        )
        + count(*) over (partition by scored_at, score_name, forward_return) - 1 as return_rank,
        ntile(5) over (
            partition by scored_at, score_name
            order by score desc, wallet_address asc
        ) as fifth
    from scored
    where score is not null

),

sums as (

    select
        scored_at,
        score_name,
        count(*) as wallet_count,
        sum(score_rank) as score_sum,
        sum(return_rank) as return_sum,
        sum(score_rank * score_rank) as score_square_sum,
        sum(return_rank * return_rank) as return_square_sum,
        sum(score_rank * return_rank) as product_sum,
        {% for fifth in range(1, 6) -%}
        cast(
            cast(sum(exact_return) filter (where fifth = {{ fifth }}) as decimal(38, 12)) as double
        ) / nullif(count_if(fifth = {{ fifth }}), 0) as fifth_{{ fifth }}_return,
        {% endfor -%}
        cast(cast(sum(exact_return) as decimal(38, 12)) as double) / count(*) as mean_return,
        count_if(is_graded) as graded_count,
        cast(cast(sum(exact_return) filter (where is_graded) as decimal(38, 12)) as double)
            as graded_sum,
        cast(cast(sum(squared_return) filter (where is_graded) as decimal(38, 12)) as double)
            as graded_square_sum
    from ranked
    group by scored_at, score_name

),

moments as (

    select
        *,
        product_sum - cast(score_sum as double) * return_sum / wallet_count as covariation,
        (score_square_sum - cast(score_sum as double) * score_sum / wallet_count)
        * (return_square_sum - cast(return_sum as double) * return_sum / wallet_count)
            as variation,
        graded_sum / nullif(graded_count, 0) as graded_return,
        -- of one value alone nothing is known
        greatest(0d, graded_square_sum - graded_sum * graded_sum / nullif(graded_count, 0))
        / nullif(graded_count - 1, 0) as graded_variance,
        -- e to the width of Fisher's interval; up to three wallets have none
        if(
            wallet_count > 3,
            power(2.718281828459045d, 2 * 1.96d / sqrt(wallet_count - 3d)),
            null
        ) as fisher_power
    from sums

),

correlated as (

    -- equal scores, or equal returns, are ranks of which nothing follows
    select
        *,
        if(
            variation > 0,
            greatest(-1d, least(1d, covariation / sqrt(variation))),
            null
        ) as correlation,
        (fisher_power - 1) / (fisher_power + 1) as fisher_width
    from moments

),

measured as (

    select
        *,
        bround(correlation, 12) as rank_correlation,
        bround((correlation - fisher_width) / (1 - correlation * fisher_width), 12)
            as rank_correlation_low,
        bround((correlation + fisher_width) / (1 + correlation * fisher_width), 12)
            as rank_correlation_high,
        bround(
            graded_return
            - {{ var('skill_bound_95') }}d * sqrt(graded_variance) / sqrt(graded_count),
            12
        ) as graded_return_low
    from correlated

),

calibrations as (

    select
        ---------- ids
        windows.scored_at,
        score_names.score_name,
        windows.window_end,

        ---------- did the score order what came after?
        coalesce(measured.wallet_count, 0) as wallet_count,
        measured.rank_correlation,
        measured.rank_correlation_low,
        measured.rank_correlation_high,
        {% for fifth in range(1, 6) -%}
        bround(measured.fifth_{{ fifth }}_return, 12) as fifth_{{ fifth }}_return,
        {% endfor %}
        ---------- did the good grades earn anything?
        coalesce(measured.graded_count, 0) as graded_count,
        bround(measured.graded_return, 12) as graded_return,
        measured.graded_return_low,
        bround(measured.mean_return, 12) as mean_return,

        ---------- in words
        case
            when coalesce(measured.wallet_count, 0) < {{ least_wallets }} then 'too_few'
            when measured.rank_correlation_low > 0.3 then 'suspicious'
            when measured.rank_correlation_low > 0 then 'predictive'
            when measured.rank_correlation_high < 0 then 'inverted'
            else 'no_evidence'
        end as verdict,
        case
            when coalesce(measured.graded_count, 0) < {{ least_graded }} then 'too_few'
            when measured.graded_return_low > 0 then 'profitable'
            when measured.graded_return > measured.mean_return then 'better_than_peers'
            else 'not_better'
        end as list_verdict,

        ---------- record
        {{ as_of() }} as measured_at,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id
    from windows
    cross join score_names
    left join measured
        on
            windows.scored_at = measured.scored_at
            and score_names.score_name = measured.score_name

)

select * from calibrations
