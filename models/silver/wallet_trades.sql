{{ config(unique_key=['tx_hash', 'wallet_address', 'token_address']) }}

with

wallet_swaps as (

    select * from {{ ref('wallet_swaps') }}

),

quote_assets as (

    select * from {{ ref('quote_assets') }}

),

{% if is_incremental() -%}

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

{%- else -%}

    touched_swaps as (

        select * from wallet_swaps

    ),

{%- endif %}

classified as (

    select
        touched_swaps.*,
        sold_quotes.mint is not null as is_sold_quote,
        bought_quotes.mint is not null as is_bought_quote,
        -- base units are whole; openbook sends them as floats
        coalesce(cast(bround(try_cast(touched_swaps.sold_amount_raw as decimal(38, 12))) as double), 0)
            as sold_quantity,
        coalesce(cast(bround(try_cast(touched_swaps.bought_amount_raw as decimal(38, 12))) as double), 0)
            as bought_quantity
    from touched_swaps
    left join quote_assets as sold_quotes on touched_swaps.sold_token_address = sold_quotes.mint
    left join quote_assets as bought_quotes on touched_swaps.bought_token_address = bought_quotes.mint

),

quote_swaps as (

    -- one leg is money: its own value is the swap's
    select
        tx_hash,
        wallet_address,
        if(is_sold_quote, bought_token_address, sold_token_address) as token_address,
        not is_sold_quote as is_sell,
        if(is_sold_quote, bought_quantity, sold_quantity) as quantity,
        if(is_sold_quote, bought_decimals, sold_decimals) as decimals,
        {{ usable_usd(
            'if(is_sold_quote, sold_amount * coalesce(sold_price, sold_nearest_price), '
            ~ 'bought_amount * coalesce(bought_price, bought_nearest_price))'
        ) }} as value_usd,
        false as is_basis_unknown,
        block_unix_time,
        block_number,
        load_batch
    from classified
    where is_sold_quote <> is_bought_quote

),

token_swaps as (

    select
        swap_id,
        tx_hash,
        wallet_address,
        sold_token_address,
        sold_quantity,
        sold_decimals,
        {{ usable_usd('sold_amount * sold_nearest_price') }} as sold_leg_usd,
        bought_token_address,
        bought_quantity,
        bought_decimals,
        {{ usable_usd('bought_amount * bought_nearest_price') }} as bought_leg_usd,
        block_unix_time,
        block_number,
        load_batch
    from classified
    where not is_sold_quote and not is_bought_quote

),

token_swap_transactions as (

    select distinct
        tx_hash,
        wallet_address
    from token_swaps

),

transaction_prices as (

    -- what the same transaction paid for a token, and got for it, in swaps against money
    select
        quote_swaps.tx_hash,
        quote_swaps.wallet_address,
        quote_swaps.token_address,
        sum(if(quote_swaps.is_sell, 0, quote_swaps.quantity)) as bought_quantity,
        sum(if(quote_swaps.is_sell, 0, quote_swaps.value_usd)) as bought_usd,
        sum(if(quote_swaps.is_sell, quote_swaps.quantity, 0)) as sold_quantity,
        sum(if(quote_swaps.is_sell, quote_swaps.value_usd, 0)) as sold_usd
    from quote_swaps
    left semi join token_swap_transactions
        on
            quote_swaps.tx_hash = token_swap_transactions.tx_hash
            and quote_swaps.wallet_address = token_swap_transactions.wallet_address
    where quote_swaps.value_usd is not null
    group by quote_swaps.tx_hash, quote_swaps.wallet_address, quote_swaps.token_address

),

hops as (

    -- a hop inside a route is worth what the route paid before it, or got after it; longer chains fall through
    select
        token_swaps.*,
        coalesce(
            if(
                token_swaps.sold_quantity > 0 and before_hop.bought_quantity >= token_swaps.sold_quantity,
                before_hop.bought_usd * token_swaps.sold_quantity / before_hop.bought_quantity,
                null
            ),
            if(
                token_swaps.bought_quantity > 0 and after_hop.sold_quantity >= token_swaps.bought_quantity,
                after_hop.sold_usd * token_swaps.bought_quantity / after_hop.sold_quantity,
                null
            )
        ) as hop_usd
    from token_swaps
    left join transaction_prices as before_hop
        on
            token_swaps.tx_hash = before_hop.tx_hash
            and token_swaps.wallet_address = before_hop.wallet_address
            and token_swaps.sold_token_address = before_hop.token_address
    left join transaction_prices as after_hop
        on
            token_swaps.tx_hash = after_hop.tx_hash
            and token_swaps.wallet_address = after_hop.wallet_address
            and token_swaps.bought_token_address = after_hop.token_address

),

valued_token_swaps as (

    -- a token's own price can be off by 10^9, so the lower one counts, and only two that agree make a cost
    select
        *,
        coalesce(hop_usd, least(sold_leg_usd, bought_leg_usd)) as value_usd,
        hop_usd is null
        and coalesce(
            greatest(sold_leg_usd, bought_leg_usd)
            > {{ var('max_leg_disagreement') }} * least(sold_leg_usd, bought_leg_usd)
            or sold_leg_usd is null or bought_leg_usd is null,
            true
        ) as is_basis_unknown
    from hops

),

legs as (

    select * from quote_swaps
    union all
    select
        tx_hash,
        wallet_address,
        sold_token_address as token_address,
        true as is_sell,
        sold_quantity as quantity,
        sold_decimals as decimals,
        value_usd,
        false as is_basis_unknown,
        block_unix_time,
        block_number,
        load_batch
    from valued_token_swaps
    union all
    select
        tx_hash,
        wallet_address,
        bought_token_address as token_address,
        false as is_sell,
        bought_quantity as quantity,
        bought_decimals as decimals,
        value_usd,
        is_basis_unknown,
        block_unix_time,
        block_number,
        load_batch
    from valued_token_swaps

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
        bool_or(is_basis_unknown and quantity > 0) as is_basis_unknown,
        max(decimals) as decimals,
        min(block_unix_time) as block_unix_time,
        min(block_number) as block_number,
        count(*) as swap_count,
        max(load_batch) as load_batch
    from legs
    group by tx_hash, wallet_address, token_address

),

sided as (

    select
        *,
        case
            when abs(bought_quantity - sold_quantity) <= 1e-9d * (bought_quantity + sold_quantity) then null
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
        case side
            when 'buy' then bought_usd * (bought_quantity - sold_quantity) / bought_quantity
            when 'sell' then sold_usd * (sold_quantity - bought_quantity) / sold_quantity
        end as value_usd,
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
        decimals,

        ---------- timestamps
        block_unix_time,
        block_number,

        ---------- lineage
        load_batch
    from sided

)

select * from net
