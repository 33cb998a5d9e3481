-- Warns of each load of the newest batch with swap rows of another owner than the requested wallet,
-- or without a direction. They stay in bronze and take part in nothing.

{{ config(severity='warn', meta={'kind': 'data'}) }}

with

transaction_history as (

    select * from {{ source('bronze', 'transaction_history') }}

),

swap_load_batches as (

    select * from {{ ref('swap_load_batches') }}

),

newest_loads as (

    select * from swap_load_batches
    where load_batch = (select max(newest.load_batch) from swap_load_batches as newest)

),

counted as (

    select
        newest_loads.load_id,
        newest_loads.load_batch,
        count(*) as bronze_row_count,
        count_if(transaction_history.owner <> transaction_history.wallet_address)
            as foreign_owner_count,
        count_if({{ is_base_sold() }} is null) as undirected_count
    from newest_loads
    inner join transaction_history on newest_loads.load_id = transaction_history._dlt_load_id
    group by newest_loads.load_id, newest_loads.load_batch

)

select * from counted
where foreign_owner_count > 0 or undirected_count > 0
