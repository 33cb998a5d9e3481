{{ config(unique_key=['tx_hash', 'wallet_address', 'token_address']) }}

with

wallet_swaps as (

    select * from {{ ref('wallet_swaps') }}

),

quote_assets as (

    select * from {{ ref('quote_assets') }}

),

{% if is_incremental() %}

touched_transactions as (

    select distinct
        tx_hash,
        wallet_address
    from wallet_swaps
    where load_batch > (select coalesce(max(load_batch), 0) from {{ this }})

),

touched_swaps as (

    -- all rows of a transaction, old ones too: netting and the value of a hop need them together
    select wallet_swaps.*
    from wallet_swaps
    left semi join touched_transactions
        on
            wallet_swaps.tx_hash = touched_transactions.tx_hash
            and wallet_swaps.wallet_address = touched_transactions.wallet_address

),

{% else %}

touched_swaps as (

    select * from wallet_swaps

),

{% endif %}

classified as (

    select
        touched_swaps.*,
        sold_quotes.mint is not null as is_sold_quote,
        bought_quotes.mint is not null as is_bought_quote,
        {{ base_units('touched_swaps.sold_amount_raw') }} as sold_units,
        {{ base_units('touched_swaps.bought_amount_raw') }} as bought_units
    from touched_swaps
    left join quote_assets as sold_quotes
        on touched_swaps.sold_token_address = sold_quotes.mint
    left join quote_assets as bought_quotes
        on touched_swaps.bought_token_address = bought_quotes.mint

),

swaps as (

    -- One leg is money: its own value is the swap's. Two legs of money are no trade. A token's own
    -- price can be off by 10^9, so between two tokens it is the last resort.
    select
        tx_hash,
        wallet_address,
        block_unix_time,
        block_number,
        load_batch,
        swap_id,
        -- an amount that is none moves nothing, and its wallet is not ranked for it
        if(is_sold_quote, null, sold_token_address) as sold_token,
        greatest(sold_units, 0) as sold_quantity,
        sold_decimals,
        coalesce(sold_units < 0, true) as is_sold_unreadable,
        if(is_bought_quote, null, bought_token_address) as bought_token,
        greatest(bought_units, 0) as bought_quantity,
        bought_decimals,
        coalesce(bought_units < 0, true) as is_bought_unreadable,
        not is_sold_quote and not is_bought_quote as is_hop,
        sold_amount * sold_nearest_price as sold_leg_usd,
        bought_amount * bought_nearest_price as bought_leg_usd,
        case
            when is_sold_quote
                then {{ usable_usd(
                    'sold_amount * coalesce(sold_price, sold_nearest_price)'
                ) }}
            when is_bought_quote
                then {{ usable_usd(
                    'bought_amount * coalesce(bought_price, bought_nearest_price)'
                ) }}
        end as usd
    from classified
    where not (is_sold_quote and is_bought_quote)

),

long_transactions as (

    -- the only ones in which the order of sums shows, or whose swaps value each other
    select
        tx_hash,
        wallet_address
    from swaps
    group by tx_hash, wallet_address
    having bool_or(is_hop) or count(*) > 2

),

long_swaps as (

    select swaps.*
    from swaps
    left semi join long_transactions
        on
            swaps.tx_hash = long_transactions.tx_hash
            and swaps.wallet_address = long_transactions.wallet_address

),

short_swaps as (

    select swaps.*
    from swaps
    left anti join long_transactions
        on
            swaps.tx_hash = long_transactions.tx_hash
            and swaps.wallet_address = long_transactions.wallet_address

),

transactions as (

    -- in one order, so that sums of doubles are the same in every build
    select
        tx_hash,
        wallet_address,
        array_sort(collect_list(struct(
            swap_id,
            sold_token,
            sold_quantity,
            sold_decimals,
            is_sold_unreadable,
            bought_token,
            bought_quantity,
            bought_decimals,
            is_bought_unreadable,
            is_hop,
            sold_leg_usd,
            bought_leg_usd,
            block_unix_time,
            block_number,
            load_batch,
            usd
        ))) as swaps_0
    from long_swaps
    group by tx_hash, wallet_address

),

{% for swaps in ['swaps_0', 'swaps_1'] %}
-- a hop inside a route is worth what the route paid before it, or got after it; the second pass
-- reaches the hops between hops, and longer chains fall through
{{ 'first_pass' if loop.first else 'second_pass' }} as (

    select
        * except ({{ swaps }}),
        transform(
            {{ swaps }},
            hop -> if(
                hop.is_hop and hop.usd is null,
                struct(
                    hop.swap_id,
                    hop.sold_token,
                    hop.sold_quantity,
                    hop.sold_decimals,
                    hop.is_sold_unreadable,
                    hop.bought_token,
                    hop.bought_quantity,
                    hop.bought_decimals,
                    hop.is_bought_unreadable,
                    hop.is_hop,
                    hop.sold_leg_usd,
                    hop.bought_leg_usd,
                    hop.block_unix_time,
                    hop.block_number,
                    hop.load_batch,
                    coalesce(
                        {{ moved_usd(swaps, 'sold', 'bought') | indent(24) }},
                        {{ moved_usd(swaps, 'bought', 'sold') | indent(24) }}
                    ) as usd
                ),
                hop
            )
        ) as {{ 'swaps_1' if loop.first else 'swaps_2' }}
    from {{ 'transactions' if loop.first else 'first_pass' }}

),

{% endfor %}

routed_swaps as (

    select
        tx_hash,
        wallet_address,
        inline(swaps_2)  -- noqa: AL03
    from second_pass

),

single_swaps as (

    select
        tx_hash,
        wallet_address,
        swap_id,
        sold_token,
        sold_quantity,
        sold_decimals,
        is_sold_unreadable,
        bought_token,
        bought_quantity,
        bought_decimals,
        is_bought_unreadable,
        is_hop,
        sold_leg_usd,
        bought_leg_usd,
        block_unix_time,
        block_number,
        load_batch,
        usd
    from routed_swaps
    union all
    select
        tx_hash,
        wallet_address,
        swap_id,
        sold_token,
        sold_quantity,
        sold_decimals,
        is_sold_unreadable,
        bought_token,
        bought_quantity,
        bought_decimals,
        is_bought_unreadable,
        is_hop,
        sold_leg_usd,
        bought_leg_usd,
        block_unix_time,
        block_number,
        load_batch,
        usd
    from short_swaps

),

valued_swaps as (

    -- of two tokens that no route values the lower one counts, and only two that agree make a cost
    select
        tx_hash,
        wallet_address,
        block_unix_time,
        block_number,
        load_batch,
        sold_token,
        sold_quantity,
        sold_decimals,
        is_sold_unreadable,
        bought_token,
        bought_quantity,
        bought_decimals,
        is_bought_unreadable,
        if(
            is_hop and usd is null,
            {{ usable_usd('least(sold_leg_usd, bought_leg_usd)') }},
            usd
        ) as value_usd,
        is_hop
        and usd is null
        and not coalesce(
            sold_leg_usd <= {{ var('max_leg_disagreement') }} * bought_leg_usd
            and bought_leg_usd <= {{ var('max_leg_disagreement') }} * sold_leg_usd,
            false
        ) as is_basis_unknown
    from single_swaps

),

legs as (

    select
        tx_hash,
        wallet_address,
        block_unix_time,
        block_number,
        load_batch,
        value_usd,
        is_basis_unknown,
        stack(
            2,
            sold_token, true, sold_quantity, sold_decimals, is_sold_unreadable,
            bought_token, false, bought_quantity, bought_decimals, is_bought_unreadable
        ) as (token_address, is_sell, quantity, decimals, is_unreadable)
    from valued_swaps

),

gross as (

    select
        tx_hash,
        wallet_address,
        token_address,
        sum(if(is_sell, 0, quantity)) as bought_quantity,
        sum(if(is_sell, quantity, 0)) as sold_quantity,
        -- one part without a price leaves the whole without one
        if(
            bool_or(not is_sell and quantity > 0 and value_usd is null),
            null,
            sum(if(is_sell or quantity = 0, 0, value_usd))
        ) as bought_usd,
        if(
            bool_or(is_sell and quantity > 0 and value_usd is null),
            null,
            sum(if(is_sell and quantity > 0, value_usd, 0))
        ) as sold_usd,
        bool_or(not is_sell and is_basis_unknown and quantity > 0) as is_basis_unknown,
        bool_or(is_unreadable) as has_unreadable_amount,
        max(decimals) as decimals,
        min(block_unix_time) as block_unix_time,
        min(block_number) as block_number,
        count(*) as swap_count,
        max(load_batch) as load_batch
    from legs
    where token_address is not null
    group by tx_hash, wallet_address, token_address

),

sided as (

    select
        *,
        case
            when abs(bought_quantity - sold_quantity) <= 1e-9d * (bought_quantity + sold_quantity)
                then null
            when bought_quantity > sold_quantity then 'buy'
            else 'sell'
        end as side
    from gross

),

net as (

    select
        ---------- ids
        tx_hash,
        wallet_address,
        token_address,

        ---------- what is left of the transaction
        side,
        if(side is null, 0, abs(bought_quantity - sold_quantity)) as quantity,
        nullif(
            case side
                when 'buy' then bought_usd * (bought_quantity - sold_quantity) / bought_quantity
                when 'sell' then sold_usd * (sold_quantity - bought_quantity) / sold_quantity
            end,
            0
        ) as value_usd,
        coalesce(side = 'buy' and is_basis_unknown, false) as is_basis_unknown,

        ---------- what went through it
        bought_quantity,
        sold_quantity,
        coalesce(
            if(
                bought_quantity > 0 and sold_quantity > 0,
                least(bought_quantity, sold_quantity)
                * (sold_usd / sold_quantity - bought_usd / bought_quantity),
                0
            ),
            0
        ) as round_trip_usd,
        swap_count,
        has_unreadable_amount,
        decimals,

        ---------- timestamps
        block_unix_time,
        block_number,

        ---------- lineage
        load_batch
    from sided

)

{% if is_incremental() %}

select * from net

{% else %}

-- a wallet's trades lie together, so that a late row of a known one rewrites one small file
select * from net
order by wallet_address

{% endif %}
