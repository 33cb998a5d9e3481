"""What a swap in a constant-product pool gives: the same arithmetic in every market.

Nothing but additions, products, divisions and comparisons of whole numbers below 2**53 and floats: plain Python and
compiled code give the same bits.
"""

from __future__ import annotations

KEPT_OF_INPUT = 0.9975
LEAST_USD = 4.0
# below so many base units, rounding each lot could give away more than the fee brings in
LEAST_IN_LOTS = 100_000
# base units that equal lots of an order book can leave behind; a wallet with so little holds nothing
DUST = 64


def received(reserve_in: int, reserve_out: int, amount: int) -> int:
    """Return what a pool gives for an amount; rounded so that the product of the reserves never shrinks."""
    kept = amount * KEPT_OF_INPUT
    # plain Python compares faster than it calls `max`
    given = int(reserve_out * (kept / (reserve_in + kept))) - 1
    return given if given > 0 else 0
