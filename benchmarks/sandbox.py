"""Figures of the sandbox: how long markets take to make and to carry on, their memory, rows served a second.

    python benchmarks/sandbox.py [--market hard] [--wallets 20 200 1000 20000] [--replay DIR]

Each market is made in a process of its own, so that its memory is its own. Rows are counted by one client in a thread
of the same process, over HTTP, so the figure is below what a server alone would give. Asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from smart_trader.sandbox.market.market_source import MarketSource, market
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS, WorldSpec
from smart_trader.sandbox.replay import load_recordings
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app

GENESIS, DAYS, DAY = 1_779_926_400, 30, 86_400
SWAPS = "/trader/txs/seek_by_time"
ENOUGH_ROWS = 100_000


def row(name: str, value: str) -> None:
    """Print one figure."""
    print(f"| {name} | {value} |")


def served_rows(app: Any, owners: list[str]) -> tuple[int, float]:
    """Fetch wallets' swaps as fast as one client can; returns rows and seconds."""
    count, passes = 0, 0
    with serving(app) as url, requests.Session() as session:
        session.headers["X-API-KEY"] = "benchmark"
        # the first request orders all rows by wallet
        session.get(f"{url}{SWAPS}", params={"address": owners[0]}, timeout=60)
        begun = time.perf_counter()
        while count < ENOUGH_ROWS and passes < 200:
            passes += 1
            for owner in owners:
                offset = 0
                while count < ENOUGH_ROWS:
                    query: dict[str, str | int] = {"address": owner, "offset": offset}
                    text = session.get(f"{url}{SWAPS}", params=query, timeout=60).text
                    count += text.count('"tx_hash"')
                    if '"has_next":true' not in text[-60:]:
                        break
                    offset += 100
        return count, time.perf_counter() - begun


def measure(name: str, wallets: int) -> dict[str, float]:
    """Make a market, carry it on by half a day, serve it."""
    clock = GENESIS + DAYS * DAY
    begun = time.perf_counter()
    source: MarketSource = market(WorldSpec(name, 7, wallets, GENESIS), clock)
    made = time.perf_counter() - begun
    swaps = len(source.world.rows.time)
    begun = time.perf_counter()
    source.tokens_at(clock + DAY // 2)
    source._index()
    carried = time.perf_counter() - begun
    count, seconds = served_rows(sandbox_app(source, clock=clock + DAY // 2), source.wallets[:1000])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"made": made, "swaps": swaps, "carried": carried, "rate": count / seconds, "memory": memory}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", choices=MARKETS, default=DEFAULT_MARKET, help="which world (default hard)")
    parser.add_argument(
        "--wallets", type=int, nargs="+", default=[20, 200, 1000, 20_000], help="sizes, one market each"
    )
    parser.add_argument("--replay", type=Path, help="measure recordings of this folder too")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.market, chosen.one)))
        return
    row("machine", f"{platform.machine()}, Python {platform.python_version()}")
    for wallets in chosen.wallets:
        done = subprocess.run(
            [sys.executable, __file__, "--market", chosen.market, "--one", str(wallets)],
            capture_output=True,
            text=True,
            check=True,
        )
        got = json.loads(done.stdout)
        row(
            f"{wallets:,} wallets, {DAYS} days",
            f"{got['swaps']:,} swaps in {got['made']:.1f} s; half a day more in {got['carried']:.2f} s; "
            f"{got['rate']:,.0f} rows/s over HTTP; peak {got['memory']:,.0f} MB",
        )
    if chosen.replay:
        recordings = load_recordings(chosen.replay)
        count, seconds = served_rows(sandbox_app(recordings), list(recordings.swaps))
        row("replay", f"{count / seconds:,.0f} rows/s over HTTP")


if __name__ == "__main__":
    main()
