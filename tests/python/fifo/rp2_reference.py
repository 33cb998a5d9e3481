"""Realized profit by rp2, a tax calculator: an engine nobody here wrote."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path

from .reference import Trade

# rp2 changes the thread's decimal context when it is imported; other tests keep theirs
with localcontext() as RP2_CONTEXT:
    from prezzemolo.avl_tree import AVLTree
    from rp2.accounting_engine import AccountingEngine
    from rp2.configuration import MAX_DATE, MIN_DATE, Configuration
    from rp2.in_transaction import InTransaction
    from rp2.input_data import InputData
    from rp2.out_transaction import OutTransaction
    from rp2.plugin.accounting_method.fifo import AccountingMethod
    from rp2.plugin.country.us import US
    from rp2.rp2_decimal import RP2Decimal
    from rp2.tax_engine import compute_tax
    from rp2.transaction_set import TransactionSet

SETTINGS = """
[general]
assets = TOKEN
exchanges = DEX
holders = Wallet
[in_header]
timestamp = 0
asset = 1
exchange = 2
holder = 3
transaction_type = 4
spot_price = 6
crypto_in = 7
fiat_in_no_fee = 9
fiat_in_with_fee = 10
fiat_fee = 11
[out_header]
timestamp = 0
asset = 1
exchange = 2
holder = 3
transaction_type = 4
spot_price = 6
crypto_out_no_fee = 7
crypto_fee = 8
[intra_header]
timestamp = 0
asset = 1
from_exchange = 2
from_holder = 3
to_exchange = 4
to_holder = 5
spot_price = 6
crypto_sent = 7
crypto_received = 8
[accounting_methods]
1970 = fifo
"""


@cache
def configuration() -> Configuration:
    """Return rp2's settings for one asset."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rp2.ini"
        path.write_text(SETTINGS)
        return Configuration(str(path), US())


def realized_by_rp2(trades: list[Trade]) -> Decimal:
    """Return the total gain of trades whose sells are all covered by buys, in USD."""
    with localcontext(RP2_CONTEXT):
        return _realized(trades)


def _realized(trades: list[Trade]) -> Decimal:
    settings = configuration()
    buys = TransactionSet(settings, "IN", "TOKEN", MIN_DATE, MAX_DATE)
    sells = TransactionSet(settings, "OUT", "TOKEN", MIN_DATE, MAX_DATE)
    for row, trade in enumerate(trades, start=1):
        at = datetime.fromtimestamp(trade.time + 1_600_000_000, UTC).isoformat()
        quantity = RP2Decimal(trade.quantity)
        value = RP2Decimal(str(trade.value))
        common = (settings, at, "TOKEN", "DEX", "Wallet")
        if trade.side == "buy":
            buy = InTransaction(
                *common,
                "BUY",
                value / quantity,
                quantity,
                fiat_in_no_fee=value,
                fiat_in_with_fee=value,
                fiat_fee=RP2Decimal(0),
                row=row,
            )
            buys.add_entry(buy)
        else:
            sells.add_entry(
                OutTransaction(
                    *common, "SELL", value / quantity, quantity, RP2Decimal(0), fiat_out_no_fee=value, row=row
                )
            )
    moves = TransactionSet(settings, "INTRA", "TOKEN", MIN_DATE, MAX_DATE)
    methods: AVLTree[int, AccountingMethod] = AVLTree()
    methods.insert_node(1970, AccountingMethod())
    computed = compute_tax(settings, AccountingEngine(methods), InputData("TOKEN", buys, sells, moves))
    return sum((Decimal(str(entry.fiat_gain)) for entry in computed.gain_loss_set), Decimal(0))
