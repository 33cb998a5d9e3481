"""Which flags catch which kinds of wallets on made-up markets whose truth is known, by the real pipeline, seed by seed.

    python benchmarks/flags.py --market hard --seeds 101,102,103 [--wallets 1000] [--lakes FOLDER] [--format json]

Each seed is a lake of its own, filled by five runs over 14 days as `benchmarks/quality.py` fills it; `--lakes` keeps
the lakes, and takes those that are there already. Printed is, over all seeds together, how many evaluated wallets of
each kind exist and how many of them have each flag. For kinds of adversaries that is a flag's recall; for honest and
skilled wallets it is whom it hits by mistake. `listed` is of those that qualify: whom a flag can still move. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from quality import World, fill

from smart_trader.config.paths import LakePaths
from smart_trader.evaluation.standings import read_standings
from smart_trader.lake.reader import Lake
from smart_trader.sandbox.market.roles import ROLES
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS
from smart_trader.sandbox.market.truth import truths

FLAGS = (
    "arbitrage", "machine_pace", "launch", "wash_pair", "unmatched", "martingale", "followed", "one_hit", "churn",
    "launch_unknown", "dormant",
)  # fmt: skip


@dataclass(slots=True)
class Hits:
    """Wallets of some kind, and how many have each flag."""

    wallets: int = 0
    flags: Counter[str] = field(default_factory=Counter)

    def add(self, flags: Iterable[str]) -> None:
        """Add one wallet."""
        self.wallets += 1
        self.flags.update(flags)


def flagged(lake: Lake, hits: dict[tuple[str, str], Hits]) -> None:
    """Add a lake's evaluated wallets: to their kind, and to those of their role that qualify."""
    # `loaders` is the package here, not the script beside this one
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    from smart_trader.pipeline.sources import remembered_market

    standings = read_standings(lake)
    source = remembered_market(lake.paths, standings.as_of)
    kinds = {truth.address: truth.kind for truth in truths(source, standings.as_of)}
    by_wallet: dict[str, list[str]] = {}
    for row in lake.read("gold", "wallet_flags").to_pylist():
        by_wallet.setdefault(row["wallet_address"], []).append(row["flag"])
    listed = {entry.wallet for entry in standings.listed}
    for wallet in standings.evaluated:
        kind = kinds.get(wallet, "unknown")
        role = ROLES.get(kind, "unknown")
        hits.setdefault((role, kind), Hits()).add(by_wallet.get(wallet, []))
        if wallet in listed:
            hits.setdefault((role, "listed"), Hits()).add(by_wallet.get(wallet, []))


def table(hits: dict[tuple[str, str], Hits]) -> str:
    """Write the counts as a table, a kind a line; a dash is none."""
    lines = ["| role | kind | wallets | " + " | ".join(FLAGS) + " |", "|---" * (len(FLAGS) + 3) + "|"]
    for (role, kind), found in sorted(hits.items(), key=lambda item: (item[0][0], item[0][1] == "listed", item[0][1])):
        cells = " | ".join(str(found.flags[flag] or "-") for flag in FLAGS)
        lines.append(f"| {role} | {kind} | {found.wallets} | {cells} |")
    return "\n".join(lines)


def as_json(hits: dict[tuple[str, str], Hits]) -> str:
    """Write the counts as JSON."""
    rows = [
        {"role": role, "kind": kind, "wallets": found.wallets, **{flag: found.flags[flag] for flag in FLAGS}}
        for (role, kind), found in hits.items()
    ]
    return json.dumps(rows, indent=1)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", choices=MARKETS, default=DEFAULT_MARKET)
    parser.add_argument("--seeds", default="101,102,103", help="by comma")
    parser.add_argument("--wallets", type=int, default=1000)
    parser.add_argument("--lakes", type=Path, help="where lakes are kept; default: a temporary folder")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    options = parser.parse_args()
    hits: dict[tuple[str, str], Hits] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in map(int, options.seeds.split(",")):
            world = World(options.market, seed, options.wallets)
            home = (options.lakes or Path(scratch)) / world.name
            fill(home, world)
            flagged(Lake(LakePaths(home, str(home))), hits)
    print(as_json(hits) if options.format == "json" else table(hits))


if __name__ == "__main__":
    main()
