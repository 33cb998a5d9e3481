"""Both engines make the same tables of the same bronze, bit for bit, and each goes on where the other stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from tests.python.support.dbt_lake import run_dbt
from tests.python.support.engine import EmbeddedLake, Engine
from tests.python.support.market_lake import DAY, FIRST, HOUR, OWN_FIELDS, MarketLake

# the clock of the build, which spreads the numbers of loads
BUILD_FIELDS = OWN_FIELDS | {"covered_batch", "processed_at", "gold_processed_at_"}
# a whole demo on Spark takes minutes; the recordings' tests are the small form
pytestmark = pytest.mark.full
LATER = {"half-a-day": FIRST + 12 * HOUR, "two-weeks": FIRST + 15 * DAY}


def build(lake: MarketLake, at: int, *arguments: str) -> None:
    """Build the whole project with dbt alone."""
    command = ("build", "--exclude-resource-type", "unit_test", "test", *arguments)
    schemas = {"DBT_TARGET": "ci", "SMART_TRADER_SCHEMA": lake.prefix.rstrip("_")}
    done = run_dbt(lake.engine, *command, **schemas, SMART_TRADER_AS_OF=str(at))
    assert done.success, done.failures


def differences(one: MarketLake, other: MarketLake) -> dict[str, str]:
    """Return what differs, by table; both must have the same tables."""
    found: dict[str, str] = {}
    tables = sorted(one.tables())
    assert tables == sorted(other.tables())
    assert len(tables) > 20
    for schema, name in tables:
        theirs, ours = (DeltaTable(lake.engine.paths.table(f"{lake.prefix}{schema}", name)) for lake in (one, other))
        kinds = [[(field.name, str(field.type)) for field in table.schema().fields] for table in (theirs, ours)]
        if kinds[0] != kinds[1]:
            found[f"{schema}.{name}"] = f"columns {kinds}"
            continue
        columns = ", ".join(f'"{column}"' for column, _ in kinds[0] if column not in BUILD_FIELDS)
        database = duckdb.connect()
        database.register("theirs", theirs.to_pyarrow_table())
        database.register("ours", ours.to_pyarrow_table())
        # the run's own record lands after its last build, and is a load more
        both = " where load_id in (select load_id from {})" if name == "swap_loads" else ""
        for left, right in (("theirs", "ours"), ("ours", "theirs")):
            rows = database.sql(
                f"select {columns} from {left}{both.format(right)} except all select {columns} from {right}"
            ).fetchall()
            if rows:
                before = found.get(f"{schema}.{name}", "")
                found[f"{schema}.{name}"] = f"{before}{len(rows)} of {left} alone, e.g. {rows[0]}; "
    return found


@dataclass(frozen=True)
class Lakes:
    """One market in three lakes: Spark's, one that the embedded engine goes on with, and its own from the beginning."""

    spark: MarketLake
    mixed: MarketLake
    embedded: MarketLake

    def check(self) -> None:
        assert differences(self.spark, self.mixed) == {}
        assert differences(self.spark, self.embedded) == {}


@pytest.fixture(scope="module")
def lakes(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    """The lakes after the market's first run: a whole one on Spark, and a build of what it had loaded."""
    spark, mixed, embedded = (
        MarketLake(one, "market_")
        for one in (engine, *(EmbeddedLake(tmp_path_factory.mktemp(name)) for name in ("mixed", "embedded")))
    )
    shown = spark.demo(FIRST)
    assert "engine: spark" in shown
    spark.copy_to(mixed)
    spark.copy_to(embedded, "bronze")
    build(embedded, FIRST)
    return Lakes(spark, mixed, embedded)


def test_a_first_run_on_spark_is_equal_to_an_embedded_build(lakes: Lakes) -> None:
    assert lakes.spark.rows("gold", "leaderboard")
    assert differences(lakes.spark, lakes.embedded) == {}


@pytest.mark.parametrize("at", [pytest.param(at, id=name) for name, at in LATER.items()])
def test_a_later_run_is_equal_whichever_engine_goes_on(lakes: Lakes, at: int) -> None:
    fetched = len(lakes.mixed.rows("bronze", "fetch_log"))
    # the embedded engine goes on with what Spark has built, and fetches what is due by it
    assert "engine: embedded" in lakes.mixed.demo(at, "--skip-tests")
    assert len(lakes.mixed.rows("bronze", "fetch_log")) > fetched
    for lake in (lakes.spark, lakes.embedded):
        lakes.mixed.copy_to(lake, "bronze")
        build(lake, at)
    lakes.check()


def test_a_full_refresh_is_equal(lakes: Lakes) -> None:
    at = int(lakes.mixed.newest().timestamp())
    for lake in (lakes.spark, lakes.mixed, lakes.embedded):
        build(lake, at, "--full-refresh")
    lakes.check()


def test_spark_goes_on_where_the_embedded_engine_stopped(engine: Engine, tmp_path: Path) -> None:
    begun, spark = MarketLake(EmbeddedLake(tmp_path / "begun"), "turns_"), MarketLake(engine, "turns_")
    begun.demo(FIRST)
    begun.copy_to(spark)
    for number, at in enumerate(LATER.values()):
        here, there = (spark, begun) if number % 2 == 0 else (begun, spark)
        here.demo(at)
        here.copy_to(there, "bronze")
        build(there, at)
        assert differences(spark, begun) == {}
