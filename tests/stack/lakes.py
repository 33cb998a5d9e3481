"""What runs leave in a lake, wherever it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from smart_trader.config.paths import LakePaths
from smart_trader.lake.delta import read_table
from smart_trader.lake.reader import Lake
from tests.python.support.kill_targets import ATTEMPT, LOADS
from tests.python.support.market_lake import DAY, REFRESH, SEED, WALLETS

from .compose import Stack

MARKET = ("--demo", "--market", "easy", "--seed", str(SEED), "--market-wallets", str(WALLETS))
# everything is due once more
LATER = REFRESH + 15 * DAY
Tables = dict[str, Counter[str]]


def lake_of(stack: Stack) -> LakePaths:
    """Return the lake of a stack."""
    return LakePaths(stack.folder / "pipeline", "s3://smart-trader")


def business_rows(paths: LakePaths) -> Tables:
    """Return all rows of silver, gold and snapshots, without what an attempt writes about itself."""
    return {
        f"{schema}.{name}": Counter(
            str({column: value for column, value in row.items() if not ATTEMPT.search(column)})
            for row in read_table(paths.table(schema, name)).to_pylist()
        )
        for schema, name in Lake(paths).derived_tables()
        if (schema, name) != LOADS
    }


def assert_equal(found: Tables, expected: Tables) -> None:
    """Compare every row of every table; prints how many were equal."""
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        less, more = rows - found[name], found[name] - rows
        assert (less, more) == (Counter(), Counter()), name
        print(f"  {name}: {rows.total()} rows equal")
    print(f"{sum(rows.total() for rows in expected.values())} rows in {len(expected)} tables equal", flush=True)


def local_lake(folder: Path) -> LakePaths:
    return LakePaths(folder, str(folder))
