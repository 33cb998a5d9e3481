{{ config(materialized='view') }}

with

calculation_checks as (

    select * from {{ ref('calculation_checks') }}

),

newest_checks as (

    -- a calculation is checked once
    select * from calculation_checks
    qualify row_number() over (partition by wallet_address order by calculation_date desc) = 1

),

quarantined as (

    select
        ---------- ids
        wallet_address,

        ---------- what was found
        failed_checks,
        failed_row,

        ---------- timestamps
        calculation_date,
        checked_at
    from newest_checks
    where failed_checks is not null

)

select * from quarantined
