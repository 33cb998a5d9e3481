{{ config(materialized='table') }}

-- drawn from hashes of the row number, so that every build makes the same trades

with

numbers as (

    select id from range(20000)

),

drawn as (

    select
        id,
        pmod(xxhash64(id, 'wallet'), 300) as wallet_number,
        pmod(xxhash64(id, 'token'), 4) as token_number,
        -- few seconds, so that many trades share one
        pmod(xxhash64(id, 'time'), 5000) as seconds,
        pmod(xxhash64(id, 'side'), 100) as side_draw,
        pmod(xxhash64(id, 'quantity'), 1000000) as units,
        pmod(xxhash64(id, 'value'), 100000) as cents,
        pmod(xxhash64(id, 'price'), 50) as price_draw,
        pmod(xxhash64(id, 'basis'), 40) as basis_draw
    from numbers

),

trades as (

    select
        concat('wallet', lpad(wallet_number, 4, '0')) as wallet_address,
        concat('token', token_number) as token_address,
        1760000000 + seconds as block_unix_time,
        nullif(300000000 + seconds * 2, 300000000) as block_number,
        concat('tx', lpad(id, 6, '0')) as tx_hash,
        if(side_draw < 48, 'sell', 'buy') as side,
        cast(units as double) as quantity,
        if(price_draw = 0, null, cast(cents as double) / 100) as value_usd,
        basis_draw = 0 as is_basis_unknown,
        cast(0 as double) as round_trip_usd
    from drawn

)

select * from trades
