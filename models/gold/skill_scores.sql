with

pnl_due_wallets as (

    select * from {{ ref('pnl_due_wallets') }}

),

skill_positions as (

    select * from {{ ref('skill_positions') }}

),

wallet_flags as (

    select * from {{ ref('wallet_flags') }}

),

flagged as (

    select
        wallet_address,
        count_if(severity = 'hard') > 0 as is_flagged,
        count_if(flag = 'followed') > 0 as is_followed
    from wallet_flags
    group by wallet_address

),

totals as (

    select
        wallet_address,
        count(*) as position_count,
        cast(sum(bounded_return) as decimal(38, 12)) as return_sum,
        cast(sum(squared_return) as decimal(38, 12)) as square_sum,
        cast(sum(pnl_usd) as decimal(38, 6)) as pnl_usd,
        cast(sum(cost_usd) as decimal(38, 6)) as cost_usd
    from skill_positions
    group by wallet_address

),

wallets as (

    select
        pnl_due_wallets.wallet_address,
        pnl_due_wallets.calculation_date,
        coalesce(totals.position_count, 0) as position_count,
        totals.return_sum,
        totals.square_sum,
        coalesce(totals.pnl_usd, 0) as pnl_usd,
        coalesce(totals.cost_usd, 0) as cost_usd,
        cast(totals.return_sum as double) / totals.position_count as mean_return,
        coalesce(flagged.is_flagged, false) as is_flagged,
        coalesce(flagged.is_followed, false) as is_followed
    from pnl_due_wallets
    left join totals on pnl_due_wallets.wallet_address = totals.wallet_address
    left join flagged on pnl_due_wallets.wallet_address = flagged.wallet_address

),

peer_sums as (

    -- the wallets that set the scale
    select
        {{ peer_sums() }}
    from wallets
    where not is_flagged and position_count >= {{ var('skill_peer_positions') }}

),

pooled as (

    select
        *,
        cast(return_sum as double) / position_count as peer_mean,
        {{ within_variance() }} as within_variance
    from peer_sums
    -- without a peer there is no scale
    where peer_count > 0

),

scale as (

    select
        peer_count,
        peer_mean,
        within_variance,
        {{ between_variance('within_variance') }} as between_variance
    from pooled

),

spread as (

    select
        wallets.*,
        coalesce(scale.peer_count, 0) as peer_count,
        scale.peer_mean,
        scale.within_variance,
        scale.between_variance,
        {{ own_variance('wallets', 'scale.within_variance') }} as own_variance
    from wallets
    left join scale on true

),

shrunk as (

    select
        *,
        between_variance / (between_variance + own_variance / nullif(position_count, 0))
            as own_weight
    from spread

),

bounds as (

    select
        *,
        own_weight * (mean_return - peer_mean) as edge,
        sqrt(between_variance * (1 - own_weight)) as skill_deviation
    from shrunk

),

periods as (

    select
        wallet_address,
        period_number,
        cast(sum(pnl_usd) as decimal(38, 6)) as pnl_usd
    from skill_positions
    group by wallet_address, period_number

),

steadiness as (

    select
        wallet_address,
        count(*) as period_count,
        count_if(pnl_usd > 0) / count(*) as good_period_share
    from periods
    group by wallet_address

),

deviations as (

    -- how far each position lies from the wallet's return on money, as a share of all its money
    select
        skill_positions.wallet_address,
        (
            cast(skill_positions.pnl_usd as double)
            - cast(skill_positions.cost_usd as double)
            * (cast(totals.pnl_usd as double) / cast(totals.cost_usd as double))
        ) / cast(totals.cost_usd as double) as deviation
    from skill_positions
    inner join totals on skill_positions.wallet_address = totals.wallet_address

),

money_errors as (

    select
        wallet_address,
        sqrt(
            cast(
                sum(cast(bround(deviation * deviation, 12) as decimal(38, 12))) as double
            )
        ) as money_return_error
    from deviations
    group by wallet_address

),

measured as (

    select
        ---------- ids
        bounds.wallet_address,
        bounds.calculation_date,

        ---------- skill
        bounds.position_count,
        bround(bounds.mean_return, 12) as mean_return,
        bround(bounds.peer_mean + bounds.edge, 12) as skill,
        {% for name, deviations in [('', var('skill_bound_95')), ('_90', var('skill_bound_90'))] -%}
        bround(
            bounds.peer_mean + bounds.edge - {{ deviations }}d * bounds.skill_deviation, 12
        ) as skill_low{{ name }},
        bround(bounds.edge - {{ deviations }}d * bounds.skill_deviation, 12) as edge_low{{ name }},
        {% endfor %}
        if(bounds.position_count > 0, bround(bounds.own_variance, 12), null) as own_variance,

        ---------- money
        bround(
            try_divide(cast(bounds.pnl_usd as double), cast(bounds.cost_usd as double)), 12
        ) as money_return,
        -- one position says nothing of how much positions differ
        if(
            bounds.position_count > 1,
            bround(
                try_divide(cast(bounds.pnl_usd as double), cast(bounds.cost_usd as double))
                - {{ var('skill_bound_95') }}d * money_errors.money_return_error,
                12
            ),
            null
        ) as money_return_low,
        cast(bounds.pnl_usd as decimal(38, 6)) as pnl_usd,
        cast(bounds.cost_usd as decimal(38, 6)) as cost_usd,

        ---------- periods
        coalesce(steadiness.period_count, 0) as period_count,
        steadiness.good_period_share,

        ---------- the scale
        bounds.peer_count,
        bround(bounds.peer_mean, 12) as peer_mean,
        bround(bounds.within_variance, 12) as within_variance,
        bround(bounds.between_variance, 12) as between_variance,

        bounds.is_flagged,
        bounds.is_followed
    from bounds
    left join steadiness on bounds.wallet_address = steadiness.wallet_address
    left join money_errors on bounds.wallet_address = money_errors.wallet_address

),

graded as (

    -- What is not known is not above 0. Of a wallet that a crowd follows nobody can say what its
    -- returns would be without the crowd.
    select
        * except (is_flagged, is_followed),
        case
            when is_flagged then 'X'
            when is_followed then 'D'
            when
                position_count >= {{ var('grade_a_positions') }}
                and skill_low > 0
                and edge_low > 0
                and period_count >= {{ var('grade_a_periods') }}
                and good_period_share >= {{ var('grade_a_good_share') }}
                then 'A'
            when
                position_count >= {{ var('grade_b_positions') }}
                and skill_low_90 > 0
                and edge_low_90 > 0
                then 'B'
            when position_count >= {{ var('grade_c_positions') }} and skill > 0 then 'C'
            else 'D'
        end as grade
    from measured

)

select * from graded
