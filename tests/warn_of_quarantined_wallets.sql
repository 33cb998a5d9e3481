-- Warns of each wallet that is set apart: its newest calculation broke a check, or the API served
-- amounts of it that are none. It is evaluated as not qualified; everybody else goes on.

{{ config(severity='warn', meta={'kind': 'data'}) }}

with

quarantined_wallets as (

    select * from {{ ref('quarantined_wallets') }}

)

select
    wallet_address,
    failed_checks,
    failed_row,
    calculation_date
from quarantined_wallets
