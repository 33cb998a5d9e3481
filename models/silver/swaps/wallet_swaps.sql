{%- set batches = ref('swap_load_batches') -%}
{%- set newest = '(select coalesce(max(load_batch), 0) from ' ~ this ~ ')' -%}
{%- set is_new = 'load_batch > ' ~ newest %}

with

transaction_history as (

    -- List columns: bronze evolves, and a new API field could collide with a column computed below.
    select
        _dlt_load_id,
        _dlt_id,
        data_source,
        wallet_address,
        fetched_at,
        occurrence,
        block_unix_time,
        block_number,
        ins_index,
        inner_ins_index,
        tx_hash,
        owner,
        address,
        source,
        base__address,
        base__type_swap,
        base__decimals,
        base__amount,
        base__ui_amount,
        base__ui_change_amount,
        base__price,
        base__nearest_price,
        quote__address,
        quote__type_swap,
        quote__decimals,
        quote__amount,
        quote__ui_amount,
        quote__ui_change_amount,
        quote__price,
        quote__nearest_price
    from {{ source('bronze', 'transaction_history') }}

),

swap_load_batches as (

    select * from {{ batches }}

),

new_batches as (

    select * from swap_load_batches
    {% if is_incremental() -%}
        where {{ is_new }}
    {%- endif %}

),

landed as (

    select
        transaction_history.*,
        new_batches.load_batch,
        new_batches.landed_at as load_landed_at
    from transaction_history
    inner join new_batches on transaction_history._dlt_load_id = new_batches.load_id
    {% if is_incremental() -%}
        where
            {{ in_loads(
                'transaction_history._dlt_load_id',
                'select load_id from ' ~ batches ~ ' where ' ~ is_new
            ) }}
    {%- endif %}

),

directed as (

    select
        *,
        {{ is_base_sold() }} as is_base_sold
    from landed
    where owner = wallet_address

),

legs as (

    select
        *,
        if(is_base_sold, base__address, quote__address) as sold_token_address,
        if(is_base_sold, base__decimals, quote__decimals) as sold_decimals,
        if(is_base_sold, base__amount, quote__amount) as sold_amount,
        if(is_base_sold, base__ui_amount, quote__ui_amount) as sold_ui_amount,
        if(is_base_sold, base__price, quote__price) as sold_price,
        if(is_base_sold, base__nearest_price, quote__nearest_price) as sold_nearest_price,
        if(is_base_sold, quote__address, base__address) as bought_token_address,
        if(is_base_sold, quote__decimals, base__decimals) as bought_decimals,
        if(is_base_sold, quote__amount, base__amount) as bought_amount,
        if(is_base_sold, quote__ui_amount, base__ui_amount) as bought_ui_amount,
        if(is_base_sold, quote__price, base__price) as bought_price,
        if(is_base_sold, quote__nearest_price, base__nearest_price) as bought_nearest_price
    from directed
    where is_base_sold is not null

),

typed as (

    select
        ---------- ids
        owner as wallet_address,
        tx_hash,
        address as pool_address,
        ins_index,
        inner_ins_index,
        -- only a swap without an instruction index needs its place among equal rows
        if(ins_index is null, coalesce(occurrence, 0), null) as occurrence,

        ---------- strings
        source as dex,
        data_source,

        ---------- numerics
        sold_token_address,
        {{ plain_amount('sold_amount') }} as sold_amount_raw,
        {{ parse_decimals('sold_decimals') }} as sold_decimals,
        {{ parse_number('sold_ui_amount') }} as sold_amount,
        {{ parse_number('sold_price') }} as sold_price,
        {{ parse_number('sold_nearest_price') }} as sold_nearest_price,
        bought_token_address,
        {{ plain_amount('bought_amount') }} as bought_amount_raw,
        {{ parse_decimals('bought_decimals') }} as bought_decimals,
        {{ parse_number('bought_ui_amount') }} as bought_amount,
        {{ parse_number('bought_price') }} as bought_price,
        {{ parse_number('bought_nearest_price') }} as bought_nearest_price,

        ---------- timestamps
        block_unix_time,
        block_number,
        fetched_at as first_seen_at,

        ---------- lineage
        load_batch,
        _dlt_load_id,
        _dlt_id,
        load_landed_at
    from legs

),

identified as (

    select
        md5(concat_ws(
            '|',
            tx_hash,
            wallet_address,
            coalesce(pool_address, '-'),
            block_unix_time,
            coalesce(cast(ins_index as string), '-'),
            coalesce(cast(inner_ins_index as string), '-'),
            sold_token_address,
            coalesce(sold_amount_raw, '-'),
            bought_token_address,
            coalesce(bought_amount_raw, '-'),
            coalesce(cast(occurrence as string), '-')
        )) as swap_id,
        *
    from typed

),

ranked as (

    -- the first load that brought the swap wins, so that a later one changes nothing
    select
        *,
        row_number() over (
            partition by swap_id
            order by load_landed_at asc, _dlt_load_id asc, _dlt_id asc
        ) as sighting
    from identified

),

first_sightings as (

    select * except (sighting, load_landed_at, _dlt_id)
    from ranked
    where sighting = 1

),

{% if is_incremental() -%}
known_swaps as (

    -- Semi-join on the few new ids so that Spark broadcasts them and scans this table once.
    select built.swap_id
    from {{ this }} as built
    left semi join first_sightings on built.swap_id = first_sightings.swap_id

),

{% endif -%}
new_swaps as (

    select first_sightings.*
    from first_sightings
    {% if is_incremental() -%}
        left anti join known_swaps on first_sightings.swap_id = known_swaps.swap_id
    {%- endif %}

)

select * from new_swaps
