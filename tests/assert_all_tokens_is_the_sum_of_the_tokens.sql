-- Fails for each calculation of a wallet that is not quarantined whose ALL_TOKENS row is not the
-- exact sum of the wallet's tokens. Not tested: percentages and averages, which are pooled and do
-- not add.

{{ config(meta={'kind': 'wallet'}) }}

with

pnl_history as (

    select * from {{ ref('pnl_history') }}

),

failed_checks as (

    select * from {{ ref('calculation_checks') }}
    where failed_checks is not null

),

sums as (

    select
        wallet_address,
        calculation_date,
        {{ all_tokens_differences() }}
    from pnl_history
    group by wallet_address, calculation_date

)

select sums.*
from sums
left anti join failed_checks
    on
        sums.wallet_address = failed_checks.wallet_address
        and sums.calculation_date = failed_checks.calculation_date
where not coalesce({{ is_sum_of_tokens() }}, false)
