"""Addresses and signatures that look real and follow from the seed alone."""

from __future__ import annotations

from hashlib import blake2b

from smart_trader.addresses import BASE58

PAIRS = [first + second for first in BASE58 for second in BASE58]
CHUNK = 58**10

SOL = "So11111111111111111111111111111111111111112"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
USDT = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"


def base58(content: bytes) -> str:
    """Write bytes in base58, as Solana does."""
    number = int.from_bytes(content, "big")
    pieces: list[str] = []
    while number:
        # ten digits at a time keep the long division rare
        number, low = divmod(number, CHUNK)
        for _ in range(5):
            low, pair = divmod(low, 3364)
            pieces.append(PAIRS[pair])
    text = "".join(reversed(pieces)).lstrip("1")
    return "1" * (len(content) - len(content.lstrip(b"\0"))) + text


def address(seed: int, kind: str, index: int) -> str:
    """Return the address of a thing of this world: base58 of 32 bytes."""
    return base58(blake2b(f"{seed} {kind} {index}".encode(), digest_size=32).digest())


def signature(seed: int, number: int) -> str:
    """Return the hash of a transaction: base58 of 64 bytes."""
    return base58(blake2b(f"{seed} tx {number}".encode(), digest_size=64).digest())
