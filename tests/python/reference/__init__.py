"""An independent reference of wallet PnL and trust: plain Python and Decimal, from served JSON to silver and gold.

It shares no code with the models and the FIFO engine, so that an agreement of the two proves something. Where the rules
leave a choice, it takes the most literal reading:

Rows
- Rows are equal, for the occurrence number, when their identity fields are equal; a null `ins_index` is an absent one.
- A second paged by offset is handed in as one page; occurrence n takes its attributes from the first page that had n.
- A leg whose `type_swap` is neither `from` nor `to` takes the sign of `ui_change_amount`; legs with no or with one
  common direction are refused.
- Raw amounts are rounded half-even to base units; "quantities are all 0" looks at the rounded ones.

Values
- `price` gives way to `nearest_price` only when it is null; a price of 0 gives a value of 0, which is price_missing.
- A null `ui_amount` is a null value.
- The zero rule is applied to the value of a row, after the lower of two legs was taken.
- Token-to-token swaps: each of the two passes sees what was valued before it began; rows that are no trade value
  nothing; a leg of quantity 0 cannot value its row; a swap already valued is not valued again.
- Two legs disagree when the higher value is more than `max_leg_disagreement` times the lower one.

Netting
- One price_missing row makes the side of its transaction price_missing; one unknown basis makes the net buy unknown.
- `round_trip_usd` is 0 where one of the two sides has no USD value; `round_trip_count` counts that transaction too.
- A transaction's time and block number are the smallest its rows give.

FIFO
- Open quantity, for dust, counts lots of known and of unknown basis.
- A lot remainder closed as dust adds its quantity and cost to the match but no proceeds: m stays a part of the sell.
- A sell remainder is matched as dust only when no lot is left, with the basis of the last lot it closed.
- A price_missing sell takes no part in cost of sold, holding time and proceeds.
- A buy whose legs disagree has a USD value: it is a priced trade, in total_bought and for rule (b), of unknown basis.

Marks
- The balance counts when its row is at most `max_trade_age_hours` old and not from after as_of, whatever rule marks.
- A multiplier scales the quantity, not the liquidity cap.
- Rule (a) applies when the newest observation has both a price and a liquidity, neither negative; the first item given
  wins a tie.
- Without an open quantity of known basis the mark is 0 and its source `none`.

Figures
- Money is rounded once per position, from exact sums; unrealized, total, roi, coverage and the average transaction
  are computed from rounded figures, holding time from exact ones.
- Days between first and last trade are seconds / 86400, not calendar days.

Flags and skill
- A transaction counts for the pace when it touches a token; money for money is none. Transactions with a token count as
  trades for `arbitrage`, `churn` and `wash_pair` also where they net to nothing.
- Profit, winners and best tokens are of all positions with a trade; returns and skill of those that cost at least 5 USD.
- A token's age and its trigger go by the first trade of the position, bought or sold.
- Two wallets meet by value in USD, within a minute either way; a trade that meets a wallet twice counts once.
- A crowd is counted in purchases, of all other wallets together, 61 to 3,600 s after and as long before.
- Peers are wallets without a hard flag. Periods are counted from 1970. The bound of the return on all money is that of a
  ratio of sums, with n residuals and no correction for small n.

Gold
- A null coverage fails a minimum above 0; tier, score and ranks belong to qualified wallets only.
"""

from __future__ import annotations

from .compare import differences
from .settings import Settings, Thresholds, Tier
from .trust import Trust, compute_trust
from .verdict import Verdict, compute_reference

__all__ = [
    "Settings",
    "Thresholds",
    "Tier",
    "Trust",
    "Verdict",
    "compute_reference",
    "compute_trust",
    "differences",
]
