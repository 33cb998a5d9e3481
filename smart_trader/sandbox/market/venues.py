"""The exchanges of the market and how the API writes their rows."""

from __future__ import annotations

from typing import NamedTuple

ROUTER = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
CRANK_SIGNER = "7rhxnLV8C77o6d8oz26AgK8x8m5ePsdeRawjqvojbjnQ"


class Venue(NamedTuple):
    """One exchange.

    Attributes:
        source: Its name in a row.
        program: The program a swap without a router calls.
        leg_type: How the API learnt the amounts.
        text_amounts: Whether raw amounts are strings.
        quote_first: Whether SOL is always the quote leg.
    """

    source: str
    program: str
    leg_type: str
    text_amounts: bool = False
    quote_first: bool = False


VENUES = (
    Venue("raydium", "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8", "transfer"),
    Venue("pump_amm", "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA", "transferChecked", quote_first=True),
    Venue("whirlpool", "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", "transferChecked"),
    Venue("raydium_clamm", "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK", "transfer"),
    Venue("raydium_cp", "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", "transferChecked"),
    Venue("meteora_dlmm", "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo", "log", text_amounts=True),
    Venue("meteora_damm_v2", "cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG", "log", text_amounts=True),
    Venue("openbook_v2", "opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb", "log"),
    Venue("lifinity", "2wT8Yq49kHgDzXuPxZSaeLaH1qbmGXtEyPy64bL7aD3c", "transfer"),
    Venue("pump_dot_fun", "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P", "transfer", quote_first=True),
)
PUMP_AMM, DLMM, OPENBOOK, CURVE = 1, 5, 7, 9
# a bonding curve is no exchange a token can choose
POOL_VENUES = 9
