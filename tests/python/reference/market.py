"""Served rows to test with: short names, round figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from .verdict import Verdict, compute_reference
from .wallets import Row

WALLET = "Wallet"
QUOTES = {"SOL": "sol", "USD": "usd_stable"}
START = 1_750_000_000
AS_OF = datetime.fromtimestamp(START, UTC) + timedelta(hours=24)
HOUR = 3600

_instructions = count()


def leg(mint: str, amount: object, price: object = None, nearest: object = None, **more: Any) -> dict[str, Any]:
    """Make a leg of a token without decimals; SOL is worth 100 USD, USD 1, by default."""
    usual = {"SOL": "100", "USD": "1"}.get(mint) if price is None and nearest is None else None
    worth = usual if usual is not None else price
    return {
        "address": mint,
        "amount": amount,
        "ui_amount": Decimal(str(amount)),
        "decimals": 0,
        "price": None if worth is None else Decimal(str(worth)),
        "nearest_price": None if nearest is None else Decimal(str(nearest)),
        **more,
    }


def swap(tx: str, sold: dict[str, Any], bought: dict[str, Any], hours: float = 0, **more: Any) -> dict[str, Any]:
    """Make a served row; each has an instruction of its own by default."""
    return {
        "tx_hash": tx,
        "owner": WALLET,
        "address": "Pool",
        "block_unix_time": START + int(hours * HOUR),
        "block_number": 1000 + int(hours * HOUR),
        "ins_index": next(_instructions),
        "inner_ins_index": None,
        "quote": {**sold, "type_swap": "from"},
        "base": {**bought, "type_swap": "to"},
        **more,
    }


def buy(tx: str, quantity: object, usd: object, hours: float = 0, token: str = "A", **more: Any) -> dict[str, Any]:
    """Buy a token for USD; `usd` None is price_missing."""
    money = leg("USD", 0) if usd is None else leg("USD", usd)
    return swap(tx, money, leg(token, quantity), hours, **more)


def sell(tx: str, quantity: object, usd: object, hours: float = 0, token: str = "A", **more: Any) -> dict[str, Any]:
    """Sell a token for USD; `usd` None is price_missing."""
    money = leg("USD", 0) if usd is None else leg("USD", usd)
    return swap(tx, leg(token, quantity), money, hours, **more)


def run(*rows: dict[str, Any], **options: Any) -> Verdict:
    """Compute one wallet's rows, served in one page."""
    return run_pages([list(rows)], **options)


def run_pages(pages: list[list[dict[str, Any]]], **options: Any) -> Verdict:
    """Compute one wallet's pages."""
    chosen = {"as_of": AS_OF, "quote_assets": QUOTES, "history_complete": {WALLET: True}, **options}
    return compute_reference({WALLET: pages}, **chosen)


def pnl(verdict: Verdict, token: str = "A") -> Row:
    """Return the wallet's row of one token."""
    (row,) = [row for row in verdict.wallet_pnl if row["token_address"] == token]
    return row


def extra(verdict: Verdict, token: str = "A") -> Row:
    """Return the wallet's extras of one token."""
    (row,) = [row for row in verdict.extras if row["token_address"] == token]
    return row
