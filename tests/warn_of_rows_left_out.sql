-- Warns of each load of the newest batch with swap rows of another owner than the requested wallet,
-- or without a direction. They stay in bronze, are counted in swap_load_batches and take part in
-- nothing.

{{ config(severity='warn', meta={'kind': 'data'}) }}

with

swap_load_batches as (

    select * from {{ ref('swap_load_batches') }}

)

select
    load_id,
    load_batch,
    bronze_row_count,
    foreign_owner_count,
    undirected_count
from swap_load_batches
where
    load_batch = (select max(newest.load_batch) from swap_load_batches as newest)
    and (foreign_owner_count > 0 or undirected_count > 0)
