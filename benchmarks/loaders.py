"""How fast the loaders fetch and land, and how much memory that takes.

    python benchmarks/loaders.py [--rates] [--rows] [--seconds 40]

Serves synthetic swaps from a process of its own and runs `python -m loaders transactions` against it, as a person does.
Prints figures and ratios of one run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from smart_trader.sandbox.limits import Rate
from smart_trader.sandbox.running import serve_until_stopped
from smart_trader.sandbox.server import sandbox_app
from smart_trader.sandbox.source import Row, SwapQuery

PROJECT = Path(__file__).resolve().parent.parent
NOW = 1_790_000_000
ROWS_A_WALLET = 2_000
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # pragma: allowlist secret

LEG = (
    '{{"symbol":"{symbol}","decimals":{decimals},"address":"{mint}","amount":{amount},"type":"transferChecked",'
    '"type_swap":"{side}","ui_amount":{ui},"price":{price},"nearest_price":{price},"change_amount":{sign}{amount},'
    '"ui_change_amount":{sign}{ui}}}'
)


def wallet(number: int) -> str:
    """Return the address of a synthetic wallet."""
    text = ""
    while number:
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return ("Wa" + text.rjust(8, "1")).ljust(44, "z")


class SyntheticSwaps:
    """Swaps made up on the spot: each wallet has as many as it is requested, a minute apart."""

    name = "sandbox"

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def facts(self) -> Row:
        """Return what identifies the source."""
        return {"seed": 0, "wallets": None, "genesis": None}

    def tokens_at(self, now: int) -> Sequence[Row]:
        """Return no token."""
        return []

    def holder_texts(self, mint: str, offset: int, limit: int, now: int) -> list[str]:
        """Return no holder."""
        return []

    def swap_texts(self, query: SwapQuery, now: int) -> tuple[list[str], bool]:
        """Return a page of a wallet's swaps."""
        first = 0 if query.before is None else max(0, -(-(NOW - query.before) // 60))
        first += query.offset
        last = min(first + query.limit, self.rows)
        return [swap(query.owner, index) for index in range(first, last)], last < self.rows


def swap(owner: str, index: int) -> str:
    """Return the swap with this number of a wallet, as BirdEye writes it."""
    raw = 1_000_000_007 + index * 7919
    base = LEG.format(
        symbol="MEME", decimals=6, mint="Meme" * 11, amount=raw, side="to", sign="", ui=raw / 1e6, price=0.00087123
    )
    quote = LEG.format(
        symbol="SOL",
        decimals=9,
        mint="So11111111111111111111111111111111111111112",
        amount=raw // 3,
        side="from",
        sign="-",
        ui=raw / 3e9,
        price=177.703998321656,
    )
    return (
        f'{{"quote":{quote},"base":{base},"base_price":0.00087123,"quote_price":177.703998321656,'
        f'"tx_hash":"{owner[:10]}{index:010}{"5cVFxY2kbgTgDVn2ACda8W8be7DbAbbbgqZN3q5gS7v3QT3mmmmmmmmmm"}",'
        f'"source":"pump_amm","block_unix_time":{NOW - 60 * index},"tx_type":"swap","address":"{"Pool" * 11}",'
        f'"owner":"{owner}","block_number":{355665227 - index},"volume_usd":36.36876168739143,"volume":41744.117911,'
        f'"ins_index":4,"inner_ins_index":null,"signers":["{owner}","J1h33RkefSXvpPJm7bA9SyzHMAgzGDUysggEwcDPf8F"],'
        f'"interacted_program_id":"pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA"}}'
    )


@contextlib.contextmanager
def server(rows: int, per_second: int | None = None, per_minute: int | None = None) -> Iterator[str]:
    """Run a server in a process of its own."""
    command = [sys.executable, __file__, "--serve", json.dumps([rows, per_second, per_minute])]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert running.stdout is not None
    try:
        url = running.stdout.readline().strip()
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{url}/sandbox/info", timeout=10)
                break
        yield url
    finally:
        running.terminate()
        running.wait()


def serve(rows: int, per_second: int | None, per_minute: int | None) -> None:
    """Be the server."""
    app = sandbox_app(SyntheticSwaps(rows), clock=NOW, rate=Rate(per_second, per_minute))
    serve_until_stopped(app, 0, lambda url: print(url, flush=True))


@dataclass(frozen=True, slots=True)
class Run:
    """What one load took."""

    seconds: float
    peak_mb: float
    requests: list[dict[str, Any]]
    refused: int


def load(url: str, wallets: int, **variables: Any) -> Run:
    """Load some wallets into a lake that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "wallets.txt"
        listed.write_text("\n".join(wallet(number) for number in range(wallets)))
        command = [sys.executable, "-m", "loaders", "transactions", "--wallets", str(listed), "--sandbox", url]
        command += ["--as-of", str(NOW)]
        for name, value in variables.items():
            command += ["--var", f"{name}={value}"]
        started = time.monotonic()
        running = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, "LAKEHOUSE_HOME": f"{folder}/lake"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        output = running.stderr.read()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            raise SystemExit(output)
        seconds = time.monotonic() - started
    info = requests.get(f"{url}/sandbox/info", timeout=60).json()
    log = requests.get(f"{url}/sandbox/requests", timeout=60).json()
    return Run(seconds, usage.ru_maxrss / 1024, log, info["refused_for_rate"])


def rates(seconds: int) -> None:
    """Print how near the loader comes to what a plan allows in a span of time, and what it was refused."""
    print("pace                         span s  allowed   sent   share   429s")
    for name, per_second, per_minute, span in (
        ("15 a second", 15, None, seconds),
        ("100 a second", 100, None, seconds),
        ("50 a second, 1,000 a minute", 50, 1000, 180),
    ):
        allowed = per_second * span if per_minute is None else per_minute * span // 60
        # one page a wallet, of ordinary size, and more wallets than there is time for
        with server(40, per_second, per_minute) as url:
            run = load(
                url, allowed * 21 // 20, requests_per_second=per_second, requests_per_minute=per_minute or "null"
            )
        first = run.requests[0]["time"]
        sent = sum(entry["time"] < first + span for entry in run.requests)
        print(f"{name:27}{span:8}{allowed:9,}{sent:7,}{sent / allowed:8.3f}{run.refused:7}", flush=True)


def rows(counts: Sequence[int]) -> None:
    """Print how fast swaps land when the API is not the limit, and what memory that takes."""
    print("swaps        seconds   rows/s   peak MB   against the first")
    first = None
    for count in counts:
        with server(ROWS_A_WALLET) as url:
            run = load(url, count // ROWS_A_WALLET, requests_per_second=100_000, max_parallel_requests=4)
        first = first or run.peak_mb
        print(
            f"{count:9,}{run.seconds:11.1f}{count / run.seconds:9,.0f}{run.peak_mb:10.0f}{run.peak_mb / first:12.2f} x",
            flush=True,
        )


def main() -> None:
    """Run what is requested; everything by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--rates", action="store_true", help="only the paces")
    parser.add_argument("--rows", action="store_true", help="only throughput and memory")
    parser.add_argument("--seconds", type=int, default=40, help="seconds of each pace without a minute's limit")
    options = parser.parse_args()
    if options.serve:
        serve(*json.loads(options.serve))
        return
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    if not options.rates:
        rows((100_000, 1_000_000))
    if not options.rows:
        rates(options.seconds)


if __name__ == "__main__":
    main()
