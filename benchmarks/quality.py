"""Who leads the list: ranking rules on made-up markets whose truth is known, by the real pipeline, seed by seed.

    python benchmarks/quality.py --market easy --seeds 1,2,3,4 [--wallets 4000] [--rule NAME=SQL] [--format json]

Each seed is a lake of its own, filled by three runs over 14 days on the embedded engine (data tests left out), then
judged as `smart-trader evaluate --demo` judges it. A rule orders the wallets that qualify; `score` is the leaderboard.
`random` is the mean of 200 orders drawn by lot from the same wallets. Printed is the mean over the seeds and, in
brackets, the lowest and the highest of them:

    P@k          share of skilled wallets among the first k ranks; a rank that no wallet takes is a miss
    AP           average precision over the skilled wallets that are evaluated
    adversaries  share of adversaries among the first 25
    copied       return of copying the first 25 over the 14 days after, 10 s late, at 2 % a side

A rule of your own is an ORDER BY over `wallets` (the newest evaluation of each, with its overall_rank), or a whole
SELECT of wallet addresses, best first; the lake's gold tables are there as gold.NAME:

    --rule "pnl_per_trade=total_pnl / trade_count desc"

`--lakes FOLDER` keeps the lakes, and takes those that are there already. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil
from lakes import COMMAND, FIRST, PROJECT, environment

from smart_trader.config.paths import LakePaths
from smart_trader.evaluation.copying import DELAYS_S, Returns, copied_returns, mean_returns
from smart_trader.evaluation.quality import CUTS, adversary_share, average_precision, judge, precision_at
from smart_trader.evaluation.standings import read_standings
from smart_trader.lake.delta import table_names
from smart_trader.lake.reader import Lake
from smart_trader.sandbox.market.roles import ROLES, SKILLED
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS
from smart_trader.sandbox.market.truth import truths

DAY = 86_400
RUNS = (FIRST, FIRST + 7 * DAY, FIRST + 14 * DAY)
TOP = 25
DRAWS = 200
LISTED = "select wallet_address from wallets where is_qualified order by "
RULES = {
    "score": "select wallet_address from wallets where overall_rank is not null order by overall_rank",
    "realized_pnl": f"{LISTED}realized_pnl desc, wallet_address",
    "win_rate": f"{LISTED}win_rate desc, trade_count desc, wallet_address",
}
RANDOM = "random"
DONE = "quality.json"
Metrics = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class World:
    """A market to be judged on."""

    market: str
    seed: int
    wallets: int

    @property
    def name(self) -> str:
        """Return the name of its lake's folder."""
        return f"{self.market}-{self.wallets}-{self.seed}"

    def command(self, as_of: int) -> list[str]:
        """Return the command of a run."""
        options = [
            "--market",
            self.market,
            "--seed",
            str(self.seed),
            "--market-wallets",
            str(self.wallets),
            "--as-of",
            str(as_of),
        ]
        return [*COMMAND, "run", "--demo", "--engine", "embedded", *options, "--skip-tests", "--top", "0"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One seed: the metrics of each rule and tier, and the share that a list drawn by lot would show."""

    rules: Mapping[str, Metrics]
    tiers: Mapping[str, Metrics]
    base_rate: float


def progress(line: str) -> None:
    """Show how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def fill(lake: Path, world: World) -> None:
    """Fill a lake by the real pipeline, run by run; one that is filled already stays as it is."""
    done = lake / DONE
    known = json.loads(done.read_text()) if done.is_file() else {"runs": []}
    lake.mkdir(parents=True, exist_ok=True)
    for number, as_of in enumerate(RUNS, 1):
        if as_of in known["runs"]:
            continue
        begun = time.monotonic()
        ran = subprocess.run(
            world.command(as_of), cwd=PROJECT, env=environment(lake), capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise SystemExit(f"error: run {number} of {world.name} failed:\n{(ran.stdout + ran.stderr)[-3000:]}")
        known["runs"].append(as_of)
        done.write_text(json.dumps(known))
        progress(f"{world.name}: run {number} of {len(RUNS)} in {time.monotonic() - begun:.0f} s")


def ranked_by(lake: Lake, rules: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the wallets of a lake in each rule's order."""
    database = duckdb.connect()
    database.execute("create schema gold")
    for name in table_names(lake.location("gold", "").rstrip("/")):
        database.register("arrived", lake.read("gold", name))
        database.execute(f'create table gold."{name}" as select * from arrived')
        database.unregister("arrived")
    database.execute(
        "create view wallets as select evaluations.*, leaderboard.overall_rank "
        "from gold.trader_evaluations as evaluations left join gold.leaderboard using (wallet_address) "
        "qualify row_number() over (partition by wallet_address order by evaluations.calculation_date desc) = 1"
    )
    found = {}
    for name, rule in rules.items():
        query = rule if rule.lstrip().lower().startswith(("select", "with")) else f"{LISTED}{rule}, wallet_address"
        try:
            found[name] = [row[0] for row in database.execute(query).fetchall()]
        except duckdb.Error as error:
            raise SystemExit(f"error: the rule {name!r} cannot be used: {error}") from None
    return found


def judge_lake(lake: Lake, rules: Mapping[str, str], seed: int) -> Judged:
    """Judge every rule on a lake, with the market carried on for what copying returns."""
    # `loaders` is the package here, not the script beside this one
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != Path(__file__).resolve().parent]
    from smart_trader.pipeline.sources import remembered_market

    standings = read_standings(lake)
    source = remembered_market(lake.paths, standings.as_of)
    kinds = {truth.address: truth.kind for truth in truths(source, standings.as_of)}
    base_rate = judge(standings, kinds).base_rate
    orders = ranked_by(lake, rules)
    listed = [entry.wallet for entry in standings.listed]
    skilled = {wallet for wallet in standings.evaluated if ROLES.get(kinds.get(wallet, "")) == SKILLED}
    tops = {wallet for order in orders.values() for wallet in order[:TOP]}
    returns = copied_returns(source, {*listed, *tops}, standings.as_of)
    measured = {name: measure(order, skilled, kinds, returns) for name, order in orders.items()}
    lot = random.Random(seed)
    draws = [measure(lot.sample(listed, len(listed)), skilled, kinds, returns) for _ in range(DRAWS)]
    measured[RANDOM] = {name: mean(draw[name] for draw in draws) for name in draws[0]}
    tiers: dict[str, list[str]] = {}
    for entry in standings.listed:
        tiers.setdefault(entry.tier, []).append(entry.wallet)
    return Judged(measured, {tier: measure_tier(mine, kinds, returns) for tier, mine in tiers.items()}, base_rate)


def measure(
    order: Sequence[str], skilled: Iterable[str], kinds: Mapping[str, str], returns: Mapping[str, Returns]
) -> Metrics:
    """Return the metrics of one order."""
    found: Metrics = {f"p{cut}": precision_at(order, skilled, cut) for cut in CUTS}
    found["average_precision"] = average_precision(order, skilled)
    found["adversaries_top"] = adversary_share(order[:TOP], kinds)
    found |= {f"copied_{delay}": value for delay, value in mean_returns(returns, order[:TOP]).items()}
    found["ranked"] = float(len(order))
    return found


def measure_tier(wallets: Sequence[str], kinds: Mapping[str, str], returns: Mapping[str, Returns]) -> Metrics:
    """Return the metrics of one tier."""
    skilled = sum(ROLES.get(kinds.get(wallet, "")) == SKILLED for wallet in wallets) / len(wallets)
    found: Metrics = {
        "wallets": float(len(wallets)),
        "skilled": skilled,
        "adversaries": adversary_share(wallets, kinds),
    }
    return found | {f"copied_{delay}": value for delay, value in mean_returns(returns, wallets).items()}


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def over_seeds(found: Sequence[Mapping[str, Metrics]]) -> dict[str, dict[str, object]]:
    """Return the mean of each metric over the seeds, and its lowest and highest value."""
    merged: dict[str, dict[str, object]] = {}
    for name in dict.fromkeys(name for one in found for name in one):
        present = [one[name] for one in found if name in one]
        merged[name] = {}
        for metric in present[0]:
            known = [value for one in present if (value := one[metric]) is not None]
            average = mean(known)
            merged[name][metric] = None if average is None else round(average, 4)
            merged[name][f"{metric}_range"] = [round(min(known), 4), round(max(known), 4)] if known else None
    return merged


def table(rows: Mapping[str, Mapping[str, object]], columns: Mapping[str, str], head: str) -> str:
    """Write means with their ranges as a Markdown table."""
    lines = [f"| {head} | {' | '.join(columns.values())} |", f"|---{'|---' * len(columns)}|"]
    for name, metrics in rows.items():
        cells = [_cell(metrics.get(column), metrics.get(f"{column}_range"), column) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: object, span: object, column: str) -> str:
    if not isinstance(value, float) or not isinstance(span, list):
        return "-"
    percent = column.startswith("copied")
    shown = [f"{100 * one:+.0f} %" if percent else f"{one:.2f}" for one in (value, *span)]
    if column in ("wallets", "ranked"):
        shown = [f"{one:.0f}" for one in (value, *span)]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def machine() -> str:
    """Return what it was measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    memory = psutil.virtual_memory().total / 2**30
    shape = f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"
    return f"{shape}, commit {commit.stdout.strip() or 'unknown'}"


def rule_of(text: str) -> tuple[str, str]:
    """Read NAME=SQL."""
    name, sign, sql = text.partition("=")
    if not (name.isidentifier() and sign and sql.strip()) or name in (*RULES, RANDOM):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=SQL with a name of its own")
    return name, sql.strip()


def seeds_of(text: str) -> list[int]:
    """Read seeds with commas between."""
    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers, such as 1,2,3,4") from None


def main() -> None:
    """Fill, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--market", choices=MARKETS, default=DEFAULT_MARKET, help=f"which world (default {DEFAULT_MARKET})"
    )
    parser.add_argument("--seeds", type=seeds_of, nargs="+", required=True, help="such as 1 2 3 4, or 1,2,3,4")
    parser.add_argument("--wallets", type=int, default=4000, help="wallets of each market (default 4000)")
    parser.add_argument("--rule", type=rule_of, action="append", default=[], metavar="NAME=SQL", help="a rule more")
    parser.add_argument("--lakes", type=Path, help="keep the lakes in this folder")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    asked = parser.parse_args()
    rules = {**RULES, **dict(asked.rule)}
    seeds = list(dict.fromkeys(seed for some in asked.seeds for seed in some))
    # the lakes' schemas have no prefix, whatever dbt's target is here
    os.environ.pop("DBT_TARGET", None)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in seeds:
            world = World(asked.market, seed, asked.wallets)
            home = (asked.lakes.resolve() if asked.lakes else Path(scratch)) / world.name
            fill(home, world)
            found.append(judge_lake(Lake(LakePaths(home, str(home))), rules, seed))
            progress(f"{world.name}: judged")
    by_rule, by_tier = over_seeds([one.rules for one in found]), over_seeds([one.tiers for one in found])
    base_rates = [one.base_rate for one in found]
    if asked.format == "json":
        content = {
            "market": asked.market,
            "wallets": asked.wallets,
            "seeds": seeds,
            "machine": machine(),
            "base_rate": round(sum(base_rates) / len(base_rates), 4),
            "base_rate_range": [round(min(base_rates), 4), round(max(base_rates), 4)],
            "rules": by_rule,
            "tiers": by_tier,
        }
        print(json.dumps(content, indent=1))
        return
    spread = f"{min(base_rates):.3f} to {max(base_rates):.3f}"
    print(f"Market {asked.market}, {asked.wallets:,} wallets, seeds {', '.join(map(str, seeds))}. {machine()}.")
    print(f"Base rate among evaluated wallets: {sum(base_rates) / len(base_rates):.3f} ({spread}).\n")
    columns = {f"p{cut}": f"P@{cut}" for cut in CUTS}
    columns |= {"average_precision": "AP", "adversaries_top": "adversaries", "copied_10": "copied"}
    print(table(by_rule, columns, "rule"))
    columns = {"wallets": "wallets", "skilled": "skilled", "adversaries": "adversaries"}
    columns |= {f"copied_{delay}": f"copied, {delay} s" for delay in DELAYS_S}
    print(f"\n{table(by_tier, columns, 'tier')}")


if __name__ == "__main__":
    main()
