{{ config(materialized='incremental', full_refresh=false) }}

{%- set permutations = var('luck_permutations') -%}
{%- set tails = (0.025, 0.975) if permutations >= 40 else (0, 1) -%}

{#- One row per time; without a new time nothing is shuffled. -#}
{%- set is_new = true -%}
{%- if execute and is_incremental() -%}
    {%- set is_new = run_query(
        "select 1 from " ~ this ~ " where scored_at = " ~ as_of() ~ " limit 1"
    ).rows | length == 0 -%}
{%- endif %}

with

wallet_standings as (

    select * from {{ ref('wallet_standings') }}

),

skill_scores as (

    select * from {{ ref('skill_scores') }}

),

skill_positions as (

    select * from {{ ref('skill_positions') }}

),

unflagged as (

    select wallet_address from skill_scores
    where grade != 'X' and {{ is_new }}

),

drawn as (

    -- two orders of no meaning, drawn alike by both engines
    select
        skill_positions.wallet_address,
        skill_positions.token_address,
        skill_positions.bounded_return,
        skill_positions.squared_return,
        md5(concat_ws(
            '|', 'luck', 'first', skill_positions.wallet_address, skill_positions.token_address
        )) as first_lot,
        md5(concat_ws(
            '|', 'luck', 'second', skill_positions.wallet_address, skill_positions.token_address
        )) as second_lot
    from skill_positions
    left semi join unflagged on skill_positions.wallet_address = unflagged.wallet_address

),

numbered as (

    select
        wallet_address,
        bounded_return,
        squared_return,
        row_number() over (order by first_lot asc, token_address asc) as first_number,
        row_number() over (order by second_lot asc, token_address asc) as second_number,
        count(*) over () as position_count
    from drawn

),

receivers as (

    -- positions of wallets with enough of them to count; a wallet is known by its first
    select
        first_number,
        position_count,
        min(first_number) over (partition by wallet_address) as wallet_number
    from numbered
    qualify
        count(*) over (partition by wallet_address)
        >= {{ [var('skill_peer_positions'), var('grade_b_positions')] | min }}

),

shuffles as (

    select explode(sequence(1, {{ permutations }})) as permutation

),

dealt as (

    -- A position receives the return of another: of the one whose number in the second order is its
    -- own in the first, moved on by one in each shuffle. Nothing is sorted for a shuffle.
    select
        shuffles.permutation,
        receivers.wallet_number,
        1 + pmod(
            receivers.first_number + shuffles.permutation, receivers.position_count
        ) as giver_number
    from receivers
    cross join shuffles

),

wallets as (

    select
        dealt.permutation,
        dealt.wallet_number,
        count(*) as position_count,
        cast(sum(numbered.bounded_return) as decimal(38, 12)) as return_sum,
        cast(sum(numbered.squared_return) as decimal(38, 12)) as square_sum
    from dealt
    inner join numbered on dealt.giver_number = numbered.second_number
    group by dealt.permutation, dealt.wallet_number

),

peer_sums as (

    -- once per permutation
    select
        permutation,
        {{ peer_sums() }}
    from wallets
    where position_count >= {{ var('skill_peer_positions') }}
    group by permutation

),

pooled as (

    select
        *,
        cast(return_sum as double) / position_count as peer_mean,
        {{ within_variance() }} as within_variance
    from peer_sums

),

scales as (

    select
        permutation,
        peer_mean,
        within_variance,
        {{ between_variance('within_variance') }} as between_variance
    from pooled

),

spread as (

    select
        wallets.permutation,
        scales.peer_mean,
        scales.between_variance,
        wallets.position_count,
        cast(wallets.return_sum as double) / wallets.position_count as mean_return,
        {{ own_variance('wallets', 'scales.within_variance') }} as own_variance
    from wallets
    inner join scales on wallets.permutation = scales.permutation
    where wallets.position_count >= {{ var('grade_b_positions') }}

),

shrunk as (

    select
        *,
        between_variance / (between_variance + own_variance / position_count) as own_weight
    from spread

),

bounds as (

    select
        permutation,
        peer_mean,
        own_weight * (mean_return - peer_mean)
        - {{ var('skill_bound_90') }}d * sqrt(between_variance * (1 - own_weight)) as edge_low
    from shrunk

),

lucky as (

    -- those that B's bounds would grade; A's are narrower
    select
        permutation,
        count_if(
            bround(edge_low, 12) > 0 and bround(peer_mean + edge_low, 12) > 0
        ) as lucky_count
    from bounds
    group by permutation

),

counted as (

    -- a shuffle in which no wallet has enough positions makes nobody lucky
    select
        shuffles.permutation,
        cast(coalesce(lucky.lucky_count, 0) as double) as lucky_count
    from shuffles
    left join lucky on shuffles.permutation = lucky.permutation

),

luck as (

    select
        avg(lucky_count) as expected_by_luck,
        percentile(lucky_count, {{ tails[0] }}) as luck_low,
        percentile(lucky_count, {{ tails[1] }}) as luck_high
    from counted

),

scale as (

    select
        max(peer_mean) as peer_mean,
        max(within_variance) as within_variance,
        max(between_variance) as between_variance
    from skill_scores

),

graded as (

    select
        count(*) as wallet_count,
        count_if(not is_flagged) as unflagged_count,
        {% for grade in ['A', 'B', 'C', 'D', 'X'] -%}
        count_if(grade = '{{ grade }}') as grade_{{ grade | lower }}_count,
        {% endfor -%}
        count_if(coalesce(tier = 'ELITE', false)) as elite_count,
        count_if(coalesce(tier = 'STRONG', false)) as strong_count,
        count_if(coalesce(tier = 'PROMISING', false)) as promising_count,
        count_if(coalesce(tier = 'QUALIFIED', false)) as qualified_count
    from wallet_standings

),

quality as (

    select
        {{ as_of() }} as scored_at,
        graded.*,
        luck.expected_by_luck,
        luck.luck_low,
        luck.luck_high,
        scale.peer_mean,
        scale.within_variance,
        scale.between_variance,
        current_timestamp() as processed_at,
        {{ run_id() }} as batch_id
    from graded
    cross join luck
    cross join scale
    where {{ is_new }} and graded.wallet_count > 0

)

select * from quality
