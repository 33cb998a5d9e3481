"""Who leads the list: ranking rules on made-up markets whose truth is known, by the real pipeline, seed by seed.

    python benchmarks/quality.py --market easy --seeds 1,2,3,4 [--wallets 4000] [--rule NAME=SQL] [--format json]

Each seed is a lake of its own, filled by five runs over 14 days (`--days`) on the embedded engine, data tests left out,
then judged as `smart-trader evaluate --demo` judges it. Printed is the mean over the seeds and, in brackets, the lowest
and the highest of them.

The rules: `trust` is the leaderboard; `score` orders all that qualify by the score, as before there were grades, and
`realized_pnl`, `win_rate` and `skill_low` by one figure, whatever their flags; `flags` is `score` without wallets that
have a hard flag; `random` is the mean of 200 orders drawn by lot from those that qualify.

    P@k          share of skilled wallets among the first k ranks; a rank that no wallet takes is a miss
    AP           average precision over the skilled wallets that are evaluated
    adversaries  share of adversaries among the first 25
    copied       return of copying the first 25 over the 14 days after, 10 s late, at 2 % a side

Tiers hold listed wallets, grades all evaluated ones; of tiers and grades the wallets of all seeds together are shown as
well. Then follow what luck alone would grade (gold.list_quality), the published verdicts (gold.score_calibration), the
list as it would be if a tenth of the adversaries slipped past all hard flags, and at last the bars that a list has to
take.

A rule of your own is an ORDER BY over `wallets` (today's standing of each wallet, with its overall_rank; those that
qualify are ordered), or a whole SELECT of wallet addresses, best first; the lake's gold tables are there as gold.NAME:

    --rule "pnl_per_trade=total_pnl / trade_count desc"

`--lakes FOLDER` keeps the lakes, and takes those that are there already. A seed that fails is named, and the others go
on. `--engine spark` fills one seed through Spark's server as well, and says whether each figure is the same. A bar that
is missed ends nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from lakes import COMMAND, FIRST, PROJECT, environment
from quality_bars import bars_of, grades_over, order_of
from quality_measures import GOOD, GRADES, RANDOM, RULES, Judged, judge_lake, over_seeds, pooled
from quality_tables import as_text

from smart_trader.config.paths import LakePaths
from smart_trader.errors import SmartTraderError
from smart_trader.evaluation.copying import DELAYS_S
from smart_trader.lake.reader import Lake
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, MARKETS

DAY = 86_400
# after how many days of the first one the pipeline runs
RUN_DAYS = (0, 3, 7, 10, 14)
DONE = "quality.json"
EMBEDDED, SPARK = "embedded", "spark"


class SeedFailedError(Exception):
    """A run of a seed that ended badly."""


@dataclass(frozen=True, slots=True)
class World:
    """A market to be judged on, and what builds its lake."""

    market: str
    seed: int
    wallets: int
    engine: str = EMBEDDED
    days: tuple[int, ...] = RUN_DAYS

    @property
    def name(self) -> str:
        """Return the name of its lake's folder."""
        by = "" if self.engine == EMBEDDED else f"-{self.engine}"
        after = "" if self.days == RUN_DAYS else f"-days-{'-'.join(map(str, self.days))}"
        return f"{self.market}-{self.wallets}-{self.seed}{after}{by}"

    def command(self, as_of: int) -> list[str]:
        """Return the command of a run."""
        world = ["--market", self.market, "--seed", str(self.seed), "--market-wallets", str(self.wallets)]
        rest = ["--as-of", str(as_of), "--skip-tests", "--top", "0"]
        return [*COMMAND, "run", "--demo", "--engine", self.engine, *world, *rest]


def progress(line: str) -> None:
    """Show how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def fill(lake: Path, world: World) -> None:
    """Fill a lake by the real pipeline, run by run; one that is filled already stays as it is."""
    done = lake / DONE
    known = json.loads(done.read_text()) if done.is_file() else {"runs": []}
    if known["runs"] and known.get("commit", commit()) != commit():
        progress(f"{world.name}: kept as it is; filled at commit {known['commit']}, now is {commit()}")
    lake.mkdir(parents=True, exist_ok=True)
    for number, day in enumerate(world.days, 1):
        as_of = FIRST + day * DAY
        if as_of in known["runs"]:
            continue
        begun = time.monotonic()
        ran = subprocess.run(
            world.command(as_of), cwd=PROJECT, env=environment(lake), capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise SeedFailedError(f"run {number} of {world.name} failed:\n{(ran.stdout + ran.stderr)[-3000:]}")
        known = {"runs": [*known["runs"], as_of], "commit": commit()}
        done.write_text(json.dumps(known))
        progress(f"{world.name}: run {number} of {len(world.days)} in {time.monotonic() - begun:.0f} s")


def judge_world(folder: Path, world: World, own_rules: Mapping[str, str]) -> Judged:
    """Fill and judge one lake."""
    home = folder / world.name
    fill(home, world)
    begun = time.monotonic()
    judged = judge_lake(Lake(LakePaths(home, str(home))), own_rules, world.seed)
    progress(f"{world.name}: judged in {time.monotonic() - begun:.0f} s")
    return judged


def judge_all(folder: Path, worlds: Sequence[World], own_rules: Mapping[str, str]) -> dict[World, Judged]:
    """Judge one world after the other; one that fails is named and left out."""
    found = {}
    for world in worlds:
        try:
            found[world] = judge_world(folder, world, own_rules)
        except (SeedFailedError, SmartTraderError) as error:
            progress(f"error: {world.name} is left out: {error}")
    return found


def commit() -> str:
    """Return the checkout's commit."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def machine() -> str:
    """Return what it was measured on."""
    memory = psutil.virtual_memory().total / 2**30
    shape = f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"
    return f"{shape}, commit {commit()}"


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


def days_of(text: str) -> tuple[int, ...]:
    """Read days with commas between, each later than the one before."""
    found = tuple(seeds_of(text))
    if found != tuple(sorted(found)) or found[0] < 0:
        raise argparse.ArgumentTypeError(f"{text!r} are no days in order, such as 0,7,14")
    return found


def figures_of(judged: Judged) -> dict[str, object]:
    """Return every figure of a seed by its path, to the digits that are printed."""

    def walk(path: str, value: object) -> dict[str, object]:
        if isinstance(value, Mapping):
            return {name: one for key, each in value.items() for name, one in walk(f"{path}.{key}", each).items()}
        return {path: round(value, 4) if isinstance(value, float) else value}

    groups = {
        **{f"tiers.{name}": group.metrics() for name, group in judged.tiers.items()},
        **{f"grades.{name}": group.metrics() for name, group in judged.grades.items()},
    }
    luck = {name: value for name, value in (judged.luck or {}).items() if name not in ("processed_at", "batch_id")}
    return walk("", {"rules": judged.rules, **groups, "luck": luck, "verdicts": verdicts_of(judged)})


def verdicts_of(judged: Judged) -> dict[str, dict[str, object]]:
    """Return the newest published verdict on each score."""
    kept = ("wallet_count", "rank_correlation", "rank_correlation_low", "rank_correlation_high")
    kept += ("graded_count", "graded_return", "mean_return", "verdict", "list_verdict")
    return {str(row["score_name"]): {name: row[name] for name in kept} for row in judged.calibration}


def luck_rows(found: Mapping[int, Judged]) -> dict[str, dict[str, object]]:
    """Return what the list shows and what luck alone would grade, by seed."""
    return {
        str(seed): {
            "listed": one.tiers[GOOD].wallets,
            **{name: one.luck[name] for name in ("expected_by_luck", "luck_low", "luck_high", "between_variance")},
        }
        for seed, one in found.items()
        if one.luck is not None
    }


def content_of(asked: argparse.Namespace, found: Mapping[int, Judged]) -> dict[str, Any]:
    """Return everything that is known, for JSON and for the tables."""
    base_rates = [one.base_rate for one in found.values()]
    grades = grades_over(found)
    return {
        "market": asked.market,
        "wallets": asked.wallets,
        "seeds": list(found),
        "days": list(asked.days),
        "machine": machine(),
        "base_rate": round(sum(base_rates) / len(base_rates), 4),
        "base_rate_range": [round(min(base_rates), 4), round(max(base_rates), 4)],
        "rules": over_seeds([one.rules for one in found.values()]),
        "tiers": over_seeds([_metrics(one.tiers) for one in found.values()]),
        "tiers_pooled": _metrics(pooled([one.tiers for one in found.values()])),
        "grades": over_seeds([_metrics(one.grades) for one in found.values()]),
        "grades_pooled": _metrics(grades),
        "copied_return_falls_by_grade": {
            str(delay): order_of(grades, GRADES[:-1], delay) for delay in DELAYS_S if grades
        },
        "luck": luck_rows(found),
        "calibration": {str(seed): verdicts_of(one) for seed, one in found.items()},
        "leak": {str(seed): asdict(one.leak) for seed, one in found.items() if one.leak is not None},
        "bars": [{**asdict(bar), "verdict": bar.verdict} for bar in bars_of(asked.market, found)],
    }


def _metrics(groups: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    return {name: group.metrics() for name, group in groups.items()}


def compare_engines(folder: Path, world: World, embedded: Judged, own_rules: Mapping[str, str]) -> list[str]:
    """Fill the same world through Spark's server and return which figures differ."""
    on_spark = figures_of(judge_world(folder, world, own_rules))
    on_embedded = figures_of(embedded)
    progress(f"{len(on_embedded)} figures compared")
    return [
        f"{name.lstrip('.')}: embedded {on_embedded.get(name)}, spark {on_spark.get(name)}"
        for name in sorted(on_embedded.keys() | on_spark.keys())
        if on_embedded.get(name) != on_spark.get(name)
    ]


def parser() -> argparse.ArgumentParser:
    """Return what the command takes."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument(
        "--market", choices=MARKETS, default=DEFAULT_MARKET, help=f"which world (default {DEFAULT_MARKET})"
    )
    found.add_argument("--seeds", type=seeds_of, nargs="+", required=True, help="such as 1 2 3 4, or 1,2,3,4")
    found.add_argument("--wallets", type=int, default=4000, help="wallets of each market (default 4000)")
    found.add_argument(
        "--days", type=days_of, default=RUN_DAYS, help="when the lake is filled, in days of the first run (0,3,7,10,14)"
    )
    found.add_argument("--rule", type=rule_of, action="append", default=[], metavar="NAME=SQL", help="a rule more")
    found.add_argument("--lakes", type=Path, help="keep the lakes in this folder")
    found.add_argument("--engine", choices=[EMBEDDED, SPARK], default=EMBEDDED, help="spark: compare both, one seed")
    found.add_argument("--format", choices=["table", "json"], default="table")
    return found


def main() -> None:
    """Fill, judge and print."""
    options = parser()
    asked = options.parse_args()
    seeds = list(dict.fromkeys(seed for some in asked.seeds for seed in some))
    if asked.engine == SPARK and len(seeds) != 1:
        options.error("--engine spark compares one seed")
    # the lakes' schemas have no prefix, whatever dbt's target is here
    os.environ.pop("DBT_TARGET", None)
    own_rules = dict(asked.rule)
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.lakes.resolve() if asked.lakes else Path(scratch)
        worlds = [World(asked.market, seed, asked.wallets, days=asked.days) for seed in seeds]
        judged = judge_all(folder, worlds, own_rules)
        found = {world.seed: one for world, one in judged.items()}
        if not found:
            raise SystemExit("error: no seed could be judged")
        content = content_of(asked, found)
        if asked.engine == SPARK:
            world = World(asked.market, seeds[0], asked.wallets, SPARK, asked.days)
            content["spark_differs"] = compare_engines(folder, world, found[seeds[0]], own_rules)
    print(json.dumps(content, indent=1, default=str) if asked.format == "json" else as_text(content))
    if len(found) < len(seeds):
        raise SystemExit(f"error: judged {len(found)} of {len(seeds)} seeds")


if __name__ == "__main__":
    main()
