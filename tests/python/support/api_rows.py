"""Rows in the API's shape for tests, written as JSON text so that a test decides about every digit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from smart_trader.sandbox.replay import Recordings, load_recordings

SOL = "So11111111111111111111111111111111111111112"


def address(name: str) -> str:
    """Return an address that names who it is: the name, with what an address may not hold replaced, filled up."""
    return name.replace("l", "L").replace("0", "o").ljust(32, "z")


def leg(side: str, mint: str = SOL, amount: str = "1000000000", price: str = "150.25", **more: str) -> str:
    """Return one leg; numbers are given as they shall stand on the wire."""
    sign = "-" if side == "from" else ""
    fields = {
        "symbol": '"SOL"',
        "decimals": "9",
        "address": json.dumps(mint),
        "amount": amount,
        "type": '"transfer"',
        "type_swap": json.dumps(side),
        "ui_amount": "1",
        "price": price,
        "nearest_price": price,
        "change_amount": f"{sign}1000000000",
        "ui_change_amount": f"{sign}1",
        **more,
    }
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def swap(
    wallet: str,
    time: int,
    tx: str,
    ins_index: str | None = "2",
    *,
    quote: str | None = None,
    base: str | None = None,
    **more: str,
) -> str:
    """Return one swap row; `ins_index=None` leaves the key out, as openbook rows do."""
    fields = {
        "quote": quote or leg("from"),
        "base": base or leg("to", address("meme"), "5000", "0.0001"),
        "base_price": "0.0001",
        "quote_price": "150.25",
        "tx_hash": json.dumps(tx),
        "source": '"raydium"',
        "block_unix_time": str(time),
        "tx_type": '"swap"',
        "address": json.dumps(address("pool")),
        "owner": json.dumps(wallet),
        "block_number": str(time * 2),
        "volume_usd": "150.25",
        "volume": "1.0e-05",
        "ins_index": ins_index,
        "inner_ins_index": "null",
        "signers": json.dumps([wallet]),
        "interacted_program_id": json.dumps(address("program")),
        **more,
    }
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items() if value is not None) + "}"


def token(mint: str, liquidity: str = "2000000.5", **more: str) -> str:
    """Return one token of the list, which passes the default filters."""
    fields = {
        "address": json.dumps(mint),
        "logo_uri": "null",
        "name": '"A token"',
        "symbol": '"TOK "',
        "decimals": "6",
        "extensions": '{"website":"https://example.org","rank":1.50}',
        "liquidity": liquidity,
        "market_cap": "123456789.123456789123456789",
        "last_trade_unix_time": "1750000000",
        "volume_1h_usd": "150000",
        "price": "9.7e-05",
        "price_change_2h_percent": "0",
        "price_change_24h_percent": "26301.000000000001",
        "trade_24h_count": "12",
        "holder": "100",
        "recent_listing_time": "null",
        **more,
    }
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def holder(mint: str, owner: str, account: str, amount: str = '"139366170110914"', **more: str) -> str:
    """Return one token account."""
    fields = {
        "amount": amount,
        "decimals": "6",
        "mint": json.dumps(mint),
        "owner": json.dumps(owner),
        "token_account": json.dumps(account),
        "ui_amount": "139366170.110914",
        **more,
    }
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def recordings(folder: Path, *rows: str) -> Recordings:
    """Return rows as recordings that the sandbox serves."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.json").write_text("[" + ",\n".join(rows) + "]")
    return load_recordings(folder)


def page(rows: Sequence[str], has_next: bool | None = None) -> bytes:
    """Return the `data` of a response."""
    more = "" if has_next is None else f',"has_next":{json.dumps(has_next)}'
    return f'{{"items":[{",".join(rows)}]{more}}}'.encode()
