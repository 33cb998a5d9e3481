"""The engine inside Spark's workers: the same answer in any order and any partitioning, and no compiling there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from smart_trader.fifo import POSITION_SCHEMA, TradeInputError, fifo_table
from smart_trader.fifo.partitions import POSITION_DDL, positions_frame
from tests.python.support.engine import Engine

from .traces import seeded_table

KEYS = [("wallet_address", "ascending"), ("token_address", "ascending")]


@pytest.fixture(scope="module")
def session(engine: Engine) -> Iterator[Any]:
    """A Spark Connect session on the session's server."""
    from pyspark.sql import SparkSession

    endpoints = engine.record.endpoints
    made = SparkSession.builder.remote(f"sc://localhost:{endpoints.connect_port}/;token={endpoints.token}").create()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def trades() -> pa.Table:
    return seeded_table(200_000, 6_000)


@pytest.fixture(scope="module")
def expected(trades: pa.Table) -> pa.Table:
    return fifo_table(trades).sort_by(KEYS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shuffle_seed", "partitions"),
    [pytest.param(1, 1, id="one-partition"), pytest.param(2, 7, id="seven"), pytest.param(3, 31, id="thirty-one")],
)
def test_any_order_and_partitioning_gives_the_engines_answer(
    session: Any, trades: pa.Table, expected: pa.Table, shuffle_seed: int, partitions: int
) -> None:
    from pyspark.sql import functions as F

    shuffled = session.createDataFrame(trades).orderBy(F.rand(shuffle_seed)).repartition(partitions)
    found = positions_frame(session, shuffled).toArrow().cast(POSITION_SCHEMA).sort_by(KEYS)
    assert found.num_rows == expected.num_rows
    assert found == expected


def test_a_bad_trade_fails_the_model_with_its_reason(session: Any, trades: pa.Table) -> None:
    from pyspark.sql import functions as F

    bad = session.createDataFrame(trades.slice(0, 100)).withColumn("side", F.lit("swap"))
    with pytest.raises(Exception, match=r"unknown side 'swap'"):
        positions_frame(session, bad).toArrow()


def test_a_missing_column_is_named_before_spark_runs(session: Any, trades: pa.Table) -> None:
    with pytest.raises(TradeInputError, match="no column quantity"):
        positions_frame(session, session.createDataFrame(trades.slice(0, 10)).drop("quantity"))


def test_workers_load_the_compiled_kernel_and_compile_nothing(session: Any) -> None:
    def compiled_here(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from smart_trader.fifo import kernel
        from smart_trader.fifo.warmup import compile_kernel

        for _ in batches:
            compile_kernel()
            misses = sum(kernel.run.stats.cache_misses.values())
            yield pa.record_batch({"misses": pa.array([misses], pa.int64())})

    from smart_trader.fifo.warmup import compile_kernel

    compile_kernel()
    rows = session.range(4).repartition(4).mapInArrow(compiled_here, "misses bigint").collect()
    assert rows
    assert {row.misses for row in rows} == {0}


def test_the_spark_schema_names_every_column() -> None:
    assert [part.split()[0] for part in POSITION_DDL.split(", ")] == POSITION_SCHEMA.names
