"""The Spark part of the FIFO benchmark: the model against Spark's own repartition, sort and write."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smart_trader.config.settings import LakehouseSettings
from smart_trader.fifo.partitions import positions_frame
from smart_trader.lakehouse import server

ORDER = ("wallet_address", "token_address", "block_unix_time", "side")


def measure(
    swaps: Path, rival_swaps: Path, folder: Path, repeats: int, rivals: int, row: Callable[[str, str], None]
) -> None:
    """Print the model's time and its ratio to the baseline, in turns on one server."""
    from pyspark.sql import SparkSession

    settings = LakehouseSettings(home=folder / "lake")
    endpoints = server.start(settings, lambda _: None).record.endpoints
    try:
        session: Any = SparkSession.builder.remote(
            f"sc://localhost:{endpoints.connect_port}/;token={endpoints.token}"
        ).create()
        trades = session.read.parquet(f"file:{swaps}")
        positions = trades.select("wallet_address", "token_address").distinct().count()
        times: dict[str, list[float]] = {"model": [], "baseline": []}
        for repeat in range(repeats + 1):
            for name, work in (
                ("baseline", lambda: _baseline(trades, positions)),
                ("model", lambda: _model(session, trades)),
            ):
                begun = time.perf_counter()
                work()
                if repeat:
                    times[name].append(time.perf_counter() - begun)
        model, baseline = (statistics.median(times[name]) for name in ("model", "baseline"))
        row("Spark: repartition, sort and write as many rows", f"{baseline:.1f} s")
        row("Spark: the model (target <= 1.6 x)", f"{model:.1f} s = {model / baseline:.2f} x")
        small = session.read.parquet(f"file:{rival_swaps}")
        _write(positions_frame(session, small), "small")
        begun = time.perf_counter()
        _write(positions_frame(session, small), "small")
        ours = time.perf_counter() - begun
        begun = time.perf_counter()
        _write(_in_pandas(small), "small")
        theirs = time.perf_counter() - begun
        differ = _differences(session, small)
        row(f"Spark, {rivals:,} swaps: the model", f"{ours:.1f} s")
        row("  applyInPandas per group", f"{theirs:.1f} s = {theirs / ours:.0f} x, {differ} answers differ")
        session.stop()
    finally:
        server.stop(settings.paths, lambda _: None)


def _differences(session: Any, trades: Any) -> int:
    """Count positions of which the table just written and the model show another profit."""
    ours = positions_frame(session, trades).select("wallet_address", "token_address", "realized_pnl_usd")
    theirs = session.table("default.small").toDF("wallet_address", "token_address", "pnl")
    joined = ours.join(theirs, ["wallet_address", "token_address"], "full")
    return int(joined.where("not coalesce(abs(realized_pnl_usd - pnl) <= 1e-6 * (abs(pnl) + 1), false)").count())


def _write(frame: Any, name: str) -> None:
    frame.writeTo(f"default.{name}").using("delta").createOrReplace()


def _model(session: Any, trades: Any) -> None:
    _write(positions_frame(session, trades), "positions")


def _baseline(trades: Any, positions: int) -> None:
    """Repartition and sort every row, then write one row per position, with Spark's own operators alone."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    ordered = trades.repartition("wallet_address").sortWithinPartitions(*ORDER)
    keys = ["wallet_address", "token_address"]
    # a window in the order of the sort needs the whole sorted stream, as the model does, and adds only a counter;
    # without it Spark would filter before it sorts
    window = Window.partitionBy(*keys).orderBy("block_unix_time", "side")
    first = ordered.withColumn("place", F.row_number().over(window)).where("place = 1").drop("place")
    _write(first, "baseline")


def _in_pandas(trades: Any) -> Any:
    """The plain loop once more: nested, so that it travels to the workers by value."""

    def of_group(group: Any) -> Any:
        import pandas as pd

        lots: list[list[float]] = []
        realized = 0.0
        group = group.sort_values(["block_unix_time", "side"])
        for side, quantity, value in zip(group["side"], group["quantity"], group["value_usd"], strict=True):
            if side == "buy":
                lots.append([quantity, value / quantity])
                continue
            left = quantity
            while left > 0 and lots:
                taken = min(left, lots[0][0])
                realized += taken * (value / quantity - lots[0][1])
                left -= taken
                lots[0][0] -= taken
                if lots[0][0] <= 0:
                    lots.pop(0)
        first = group.iloc[0]
        return pd.DataFrame({"w": [first["wallet_address"]], "t": [first["token_address"]], "pnl": [realized]})

    return trades.groupBy("wallet_address", "token_address").applyInPandas(of_group, "w string, t string, pnl double")
