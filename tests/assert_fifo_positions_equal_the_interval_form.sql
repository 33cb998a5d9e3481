-- Fails for each position of a wallet that is not quarantined whose matched quantity, shortage,
-- cost or profit differs from FIFO written as intervals in SQL. Not tested: more than 200 wallets,
-- the newest calculated ones, and wallets with trades that their calculation does not know yet.

{{ config(meta={'kind': 'wallet'}) }}

with

fifo_disagreements as (

    select * from {{ ref('fifo_disagreements') }}

),

quarantined_wallets as (

    select * from {{ ref('quarantined_wallets') }}

)

select
    fifo_disagreements.wallet_address,
    fifo_disagreements.token_address,
    fifo_disagreements.calculation_date,
    fifo_disagreements.matched_quantity,
    fifo_disagreements.expected_matched_quantity,
    fifo_disagreements.short_quantity,
    fifo_disagreements.expected_short_quantity,
    fifo_disagreements.cost_of_sold_usd,
    fifo_disagreements.expected_cost_usd,
    fifo_disagreements.realized_pnl_usd,
    fifo_disagreements.expected_pnl_usd,
    fifo_disagreements.slack_usd,
    fifo_disagreements.slack
from fifo_disagreements
left anti join quarantined_wallets
    on fifo_disagreements.wallet_address = quarantined_wallets.wallet_address
