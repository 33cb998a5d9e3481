"""Which wallet is meant: whole addresses and beginnings; mistyped ones, pools, tokens and strangers are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.lake.reader import Lake
from smart_trader.reports.wallet_names import resolve_wallet
from smart_trader.sandbox.market.names import address

WALLET = "63Hb4XJBipXr83NSGNnKz4MDVaZWdTFCuXV1r4vCeEYg"  # pragma: allowlist secret
TWIN = "63Hb9QzXp7tVnTDgZ1fEuXo5s8yWkLmRcJvN2hGaB4rT"  # pragma: allowlist secret
OTHER, TRACKED, HOLDER_POOL, POOL, PROGRAM, TOKEN = (address(1, "any", number) for number in range(6))


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    made = Lake(LakePaths(tmp_path, str(tmp_path)))
    write(made, "wallet_pnl", *({"wallet_address": one, "token_address": "t"} for one in (WALLET, WALLET, TWIN, OTHER)))
    tracked = [(WALLET, False), (TRACKED, False), (HOLDER_POOL, True)]
    write(made, "tracked_whales", *({"wallet_address": one, "is_pool": is_pool} for one, is_pool in tracked))
    write(made, "program_accounts", {"account_address": PROGRAM, "owner_name": "Some AMM"})
    write(made, "wallet_swaps", {"wallet_address": WALLET, "pool_address": POOL})
    write(made, "tracked_tokens", {"token_address": TOKEN})
    return made


def write(lake: Lake, table: str, *rows: dict[str, Any]) -> None:
    write_deltalake(lake.location("silver", table), pa.Table.from_pylist(list(rows)))


@pytest.mark.parametrize("text", [WALLET, f" {WALLET}\n", "63Hb4", WALLET[:-1]])
def test_a_wallet_is_found_by_its_address_and_by_its_beginning(lake: Lake, text: str) -> None:
    assert resolve_wallet(lake, text) == WALLET


WRONG_LETTER = WALLET[:20] + "X" + WALLET[21:]
SWAPPED = WALLET[:20] + WALLET[21] + WALLET[20] + WALLET[22:]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("63Hb", [f"    {WALLET}", f"    {TWIN}", "2 wallets"], id="beginning-of-two"),
        pytest.param(WALLET.lower(), [f"; {WALLET} is, with other capitals", f"explain {WALLET}"], id="capitals"),
        pytest.param(WRONG_LETTER, [f"; {WALLET} is, with a letter or two that differ"], id="one-letter-wrong"),
        pytest.param(SWAPPED, [f"; {WALLET} is, with a letter or two that differ"], id="two-letters-swapped"),
        pytest.param(WALLET[:30] + WALLET[31:], [f"; {WALLET} is"], id="one-letter-missing"),
        pytest.param(WALLET + "0", [f"; {WALLET} is"], id="one-letter-too-many"),
        pytest.param(WALLET[1:], [f"; {WALLET} is"], id="the-first-letter-missing"),
        pytest.param("zzzz", ["no wallet of this lake begins with 'zzzz'", "leaderboard"], id="beginning-of-none"),
        pytest.param("", ["'' is no Solana address"], id="nothing"),
        pytest.param("'; drop", ["is no Solana address", "base58"], id="no-base58"),
        pytest.param("0x" + "a" * 40, ["is no Solana address"], id="of-another-chain"),
        pytest.param(PROGRAM, ["an account of a program (Some AMM), not a trader"], id="program"),
        pytest.param(POOL, ["a liquidity pool", "not a trader"], id="pool"),
        pytest.param(HOLDER_POOL, ["a pool, or an account of a program", "not a trader"], id="pool-that-holds"),
        pytest.param(TOKEN, ["is a token, not a wallet"], id="token"),
        pytest.param(TRACKED, ["was never calculated", "its swaps are not fetched yet"], id="not-fetched"),
        pytest.param(address(2, "any", 9), ["no address in it is like it", "requests to the API"], id="stranger"),
    ],
)
def test_what_is_no_wallet_here_is_called_what_it_is(lake: Lake, text: str, said: list[str]) -> None:
    with pytest.raises(SmartTraderError) as raised:
        resolve_wallet(lake, text)
    assert all(words in str(raised.value) for words in said), str(raised.value)
    # only a stranger may be worth requests
    assert ("run --wallets" in str(raised.value)) == (text == address(2, "any", 9))


def test_many_candidates_are_counted(lake: Lake) -> None:
    many = [f"9{number:02}" + WALLET[3:].replace("0", "1") for number in range(15)]
    write_deltalake(
        lake.location("silver", "wallet_pnl"),
        pa.Table.from_pylist([{"wallet_address": one, "token_address": "t"} for one in many]),
        mode="append",
    )
    with pytest.raises(SmartTraderError, match="and 5 more"):
        resolve_wallet(lake, "9")


def test_a_lake_without_those_tables_still_tells_a_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBT_TARGET", raising=False)
    bare = Lake(LakePaths(tmp_path, str(tmp_path)))
    write(bare, "wallet_pnl", {"wallet_address": WALLET, "token_address": "t"})
    with pytest.raises(SmartTraderError, match="was never calculated"):
        resolve_wallet(bare, OTHER)
