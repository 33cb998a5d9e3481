{{ config(
    incremental_strategy='merge', unique_key=['tx_hash', 'wallet_address', 'token_address']
) }}

with

wallet_swaps as (

    select * from {{ ref('wallet_swaps') }}

),

quote_assets as (

    select * from {{ ref('quote_assets') }}

),

{% if is_incremental() -%}
new_transactions as (

    select distinct
        tx_hash,
        wallet_address
    from wallet_swaps
    where load_batch > (select coalesce(max(load_batch), 0) from {{ this }})

),

{% endif -%}
transaction_swaps as (

    -- all swaps of a transaction, known ones too: netting and token-to-token values need them
    -- together
    select wallet_swaps.*
    from wallet_swaps
    {% if is_incremental() -%}
        left semi join new_transactions
            on
                wallet_swaps.tx_hash = new_transactions.tx_hash
                and wallet_swaps.wallet_address = new_transactions.wallet_address
    {%- endif %}

),

classified as (

    select
        transaction_swaps.*,
        sold_quotes.mint is not null as is_sold_quote,
        bought_quotes.mint is not null as is_bought_quote,
        {{ base_units('transaction_swaps.sold_amount_raw') }} as sold_units,
        {{ base_units('transaction_swaps.bought_amount_raw') }} as bought_units
    from transaction_swaps
    left join quote_assets as sold_quotes
        on transaction_swaps.sold_token_address = sold_quotes.mint
    left join quote_assets as bought_quotes
        on transaction_swaps.bought_token_address = bought_quotes.mint

),

swaps as (

    -- With one quote-asset leg, that leg's USD value is the swap's. Two quote-asset legs are a
    -- conversion and are dropped. A token's own price can be off by 10^9, so between two tokens it
    -- is the last resort.
    select
        tx_hash,
        wallet_address,
        swap_id,
        -- amounts that are null or negative count as 0, and their wallet is not ranked
        if(is_sold_quote, null, sold_token_address) as sold_token,
        greatest(sold_units, 0) as sold_quantity,
        sold_decimals,
        coalesce(sold_units < 0, true) as is_sold_unreadable,
        if(is_bought_quote, null, bought_token_address) as bought_token,
        greatest(bought_units, 0) as bought_quantity,
        bought_decimals,
        coalesce(bought_units < 0, true) as is_bought_unreadable,
        not is_sold_quote and not is_bought_quote as is_token_to_token,
        sold_amount * sold_nearest_price as sold_leg_usd,
        bought_amount * bought_nearest_price as bought_leg_usd,
        block_unix_time,
        block_number,
        load_batch,
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

    -- only here can the order of a sum show, or one swap value another
    select
        tx_hash,
        wallet_address
    from swaps
    group by tx_hash, wallet_address
    having bool_or(is_token_to_token) or count(*) > 2

),

short_swaps as (

    select swaps.*
    from swaps
    left anti join long_transactions
        on
            swaps.tx_hash = long_transactions.tx_hash
            and swaps.wallet_address = long_transactions.wallet_address

),

long_swaps as (

    select
        swaps.tx_hash,
        swaps.wallet_address,
        struct(
            swaps.swap_id,
            swaps.sold_token,
            swaps.sold_quantity,
            swaps.sold_decimals,
            swaps.is_sold_unreadable,
            swaps.bought_token,
            swaps.bought_quantity,
            swaps.bought_decimals,
            swaps.is_bought_unreadable,
            swaps.is_token_to_token,
            swaps.sold_leg_usd,
            swaps.bought_leg_usd,
            swaps.block_unix_time,
            swaps.block_number,
            swaps.load_batch
        ) as leg,
        swaps.usd
    from swaps
    left semi join long_transactions
        on
            swaps.tx_hash = long_transactions.tx_hash
            and swaps.wallet_address = long_transactions.wallet_address

),

routes as (

    -- in order of swap_id, so that sums of doubles are the same in every build
    select
        tx_hash,
        wallet_address,
        array_sort(collect_list(struct(leg, usd))) as swaps
    from long_swaps
    group by tx_hash, wallet_address

),

-- Value a token-to-token swap by what the same transaction paid for its sold token, else received
-- for its bought token. The second pass reaches the swaps between such swaps; a longer chain keeps
-- no value here.
first_pass as (

    select
        tx_hash,
        wallet_address,
        transform(
            swaps,
            swap -> struct(
                swap.leg as leg,
                coalesce(swap.usd, {{ route_usd('swaps', 'swap') | indent(16) }}) as usd
            )
        ) as swaps
    from routes

),

second_pass as (

    select
        tx_hash,
        wallet_address,
        transform(
            swaps,
            swap -> struct(
                swap.leg as leg,
                coalesce(swap.usd, {{ route_usd('swaps', 'swap') | indent(16) }}) as usd
            )
        ) as swaps
    from first_pass

),

routed_swaps as (

    select
        tx_hash,
        wallet_address,
        inline(swaps)  -- noqa: AL03
    from second_pass

),

single_swaps as (

    select
        routed_swaps.tx_hash,
        routed_swaps.wallet_address,
        leg.*,
        routed_swaps.usd
    from routed_swaps
    union all
    select * from short_swaps

),

valued_swaps as (

    -- where the transaction values neither token, the lower of their own values counts; they are a
    -- cost basis only if they agree
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
            is_token_to_token and usd is null,
            {{ usable_usd('least(sold_leg_usd, bought_leg_usd)') }},
            usd
        ) as value_usd,
        is_token_to_token
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
        -- a missing price of one part leaves the sum without a value
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
