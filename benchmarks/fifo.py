"""Figures of the FIFO engine: kernel, Arrow, Spark, memory, and other ways to compute the same. Asserts nothing timed.

    python benchmarks/fifo.py [--swaps 2000000] [--rivals 200000] [--repeats 5] [--no-spark]

All figures of a row are medians of one run. The rivals compute realized profit only, on fully priced trades, where the
simple forms are right; that every one of them gives the engine's answer is checked before it counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smart_trader.fifo import engine, fifo_positions
from smart_trader.fifo.trades import position_starts, read_trades
from smart_trader.fifo.warmup import compile_kernel

KEYS = ["wallet_address", "token_address"]
INTERVAL_SQL = """
with cumulative as (
    select *, sum(case when side = 'buy' then quantity else 0 end) over w as bought,
        sum(case when side = 'sell' then quantity else 0 end) over w as sold
    from trades window w as (partition by wallet_address, token_address order by block_unix_time
        rows between unbounded preceding and current row)
), short as (
    select *, sold - greatest(0, max(sold - bought) over w) as matched
    from cumulative window w as (partition by wallet_address, token_address order by block_unix_time
        rows between unbounded preceding and current row)
), spans as (
    select *, lag(matched, 1, 0) over (partition by wallet_address, token_address order by block_unix_time) as before
    from short
)
select s.wallet_address, s.token_address, sum((least(b.bought, s.matched) - greatest(b.bought - b.quantity, s.before))
    * (s.value_usd / s.quantity - b.value_usd / b.quantity)) as pnl
from spans s join spans b on s.wallet_address = b.wallet_address and s.token_address = b.token_address
    and b.side = 'buy' and s.side = 'sell' and s.before < b.bought and s.matched > b.bought - b.quantity
group by all
"""


def row(name: str, value: str) -> None:
    """Print one line of the table."""
    print(f"{name:58} {value}", flush=True)


def draw_trades(swaps: int, seed: int = 1) -> pa.Table:
    """Return sorted, fully priced trades: 20 a position, 5 positions a wallet, no two of a position at one time."""
    draw = np.random.default_rng(seed)
    positions = max(1, swaps // 20)
    position = np.sort(draw.integers(0, positions, swaps))
    # unique times within a position, so that every rival sorts alike
    begins = np.searchsorted(position, position, side="left")
    seconds = (np.arange(swaps) - begins) * 600 + draw.integers(0, 600, swaps)
    wallets = pa.array([f"{number:044d}" for number in range(positions // 5 + 1)])
    tokens = pa.array([f"{number:044d}" for number in range(5)])
    return pa.table(
        {
            "wallet_address": pa.DictionaryArray.from_arrays((position // 5).astype(np.int32), wallets),
            "token_address": pa.DictionaryArray.from_arrays((position % 5).astype(np.int32), tokens),
            "block_unix_time": 1_700_000_000 + seconds,
            "side": pa.array(np.where(draw.random(swaps) < 0.48, "sell", "buy")).dictionary_encode(),
            "quantity": np.rint(draw.random(swaps) * 1e9) + 1,
            "value_usd": draw.random(swaps) * 500,
        }
    )


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of some runs, after one to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def measure_engine(trades: pa.Table, repeats: int) -> None:
    """Print the kernel alone and the whole way from Arrow to Arrow, on one core."""
    millions = trades.num_rows / 1e6
    read = read_trades(trades.combine_chunks().to_batches()[0])
    starts = position_starts(read)
    batches = trades.to_batches(max_chunksize=50_000)
    targets = {False: ">= 30", True: ">= 12"}
    for medians in (False, True):

        def kernel(medians: bool = medians) -> None:
            book = engine.empty_book(len(starts) - 1)
            engine.run_batch(read, starts, book, engine.NO_MATCHES, medians=medians, keep_all=False, rules=engine.RULES)

        name = "with" if medians else "without"
        speed = millions / median_seconds(kernel, repeats)
        row(f"kernel {name} median holding (target {targets[medians]})", f"{speed:.1f} M swaps/s")
    for name, form in (("dictionary keys", trades), ("plain text keys", plain(trades))):
        whole = form.combine_chunks().to_batches()
        speed = millions / median_seconds(lambda whole=whole: deque(fifo_positions(whole), maxlen=0), repeats)
        row(f"Arrow to Arrow, {name}, with median (target >= 10)", f"{speed:.1f} M swaps/s")
    speed = millions / median_seconds(lambda: deque(fifo_positions(batches), maxlen=0), repeats)
    row("Arrow to Arrow, batches of 50,000, dictionary keys", f"{speed:.1f} M swaps/s")


def plain(trades: pa.Table) -> pa.Table:
    """Return the trades without dictionary encoding, as Spark hands them over."""
    return pa.table(
        {
            name: pc.cast(trades[name], pa.string()) if name in (*KEYS, "side") else trades[name]
            for name in trades.column_names
        }
    )


def measure_memory(swaps: int) -> None:
    """Print what a swap costs in memory, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory-of", str(swaps)], capture_output=True, text=True, check=True
    )
    row("memory, dictionary keys, input and output (target <= 300)", f"{float(done.stdout):.0f} bytes a swap")


def print_memory_of(swaps: int) -> None:
    """Print bytes a swap: peak RSS less the RSS before the trades were made."""
    compile_kernel()
    before = psutil.Process().memory_info().rss
    trades = draw_trades(swaps)
    deque(fifo_positions(trades.combine_chunks().to_batches()), maxlen=0)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print((int(peak.split()[1]) * 1024 - before) / swaps)


def python_fifo(sides: Any, quantities: Any, values: Any) -> float:
    """Return one position's realized profit by a plain loop, as a person would write it."""
    lots: deque[list[float]] = deque()
    realized = 0.0
    for side, quantity, value in zip(sides, quantities, values, strict=True):
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
                lots.popleft()
    return realized


def one_by_one(path: Path) -> dict[tuple[str, str], float]:
    """Filter the file for each wallet in turn."""
    trades = pq.read_table(path)
    found = {}
    for wallet in pc.unique(trades["wallet_address"]):
        part = trades.filter(pc.equal(trades["wallet_address"], wallet)).to_pandas()
        for token, rows in part.groupby("token_address"):
            found[(wallet.as_py(), token)] = python_fifo(rows["side"], rows["quantity"], rows["value_usd"])
    return found


def with_pandas(path: Path) -> dict[tuple[str, str], float]:
    """Pandas groupby.apply."""
    import pandas as pd

    def of_group(group: pd.DataFrame) -> float:
        return python_fifo(group["side"], group["quantity"], group["value_usd"])

    grouped = pd.read_parquet(path).groupby(KEYS, sort=False)
    return grouped[["side", "quantity", "value_usd"]].apply(of_group).to_dict()


def with_polars(path: Path) -> dict[tuple[str, str], float]:
    """The interval form in Polars expressions."""
    import polars as pl

    bought = pl.col("quantity") * (pl.col("side") == "buy")
    sold = pl.col("quantity") * (pl.col("side") == "sell")
    spans = (
        pl.read_parquet(path)
        .with_columns(bought=bought.cum_sum().over(KEYS), sold=sold.cum_sum().over(KEYS))
        .with_columns(matched=pl.col("sold") - (pl.col("sold") - pl.col("bought")).cum_max().over(KEYS).clip(0))
        .with_columns(before=pl.col("matched").shift(1, fill_value=0).over(KEYS))
        .with_columns(price=pl.col("value_usd") / pl.col("quantity"))
    )
    sells = spans.filter((pl.col("side") == "sell") & (pl.col("matched") > pl.col("before")))
    buys = spans.filter(pl.col("side") == "buy").select(
        *KEYS, lot_price="price", lot_end="bought", lot_begin=pl.col("bought") - pl.col("quantity")
    )
    pairs = sells.join_where(
        buys,
        pl.col("wallet_address") == pl.col("wallet_address_right"),
        pl.col("token_address") == pl.col("token_address_right"),
        pl.col("before") < pl.col("lot_end"),
        pl.col("matched") > pl.col("lot_begin"),
    )
    part = pl.min_horizontal("lot_end", "matched") - pl.max_horizontal("lot_begin", "before")
    sums = pairs.group_by(KEYS).agg(pnl=(part * (pl.col("price") - pl.col("lot_price"))).sum())
    return {(one["wallet_address"], one["token_address"]): one["pnl"] for one in sums.to_dicts()}


def with_duckdb(path: Path) -> dict[tuple[str, str], float]:
    """The interval form in SQL."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"create view trades as select * from read_parquet('{path}')")
        return {(wallet, token): pnl for wallet, token, pnl in connection.execute(INTERVAL_SQL).fetchall()}


def with_engine(path: Path) -> dict[tuple[str, str], float]:
    """This project."""
    found = pa.Table.from_batches(fifo_positions(pq.read_table(path).combine_chunks().to_batches()))
    columns = (found[name].to_pylist() for name in (*KEYS, "realized_pnl_usd"))
    return {(wallet, token): pnl for wallet, token, pnl in zip(*columns, strict=True)}


def differences(found: dict[tuple[str, str], float], expected: dict[tuple[str, str], float]) -> int:
    """Count positions whose profit differs by more than rounding; a missing one counts as no profit."""
    return sum(abs(found.get(key, 0.0) - value) > 1e-6 * (abs(value) + 1) for key, value in expected.items())


def measure_rivals(swaps: int, folder: Path) -> None:
    """Print each way from the same file to the same answers."""
    path = folder / "trades.parquet"
    pq.write_table(plain(draw_trades(swaps)), path)
    expected = with_engine(path)
    base = median_seconds(lambda: with_engine(path), 3)
    row(f"{swaps:,} swaps from Parquet: this engine", f"{base:.2f} s")
    rivals = {"DuckDB, intervals": with_duckdb, "Polars, intervals": with_polars, "pandas groupby.apply": with_pandas}
    for name, rival in rivals.items():
        begun = time.perf_counter()
        found = rival(path)
        seconds = time.perf_counter() - begun
        row(f"  {name}", f"{seconds:.2f} s = {seconds / base:.0f} x, {differences(found, expected)} answers differ")
    begun = time.perf_counter()
    found = one_by_one(path)
    seconds = time.perf_counter() - begun
    row(
        "  one wallet at a time",
        f"{seconds:.2f} s = {seconds / base:.0f} x, {differences(found, expected)} answers differ",
    )


def measure_spark(swaps: int, rival_swaps: int, repeats: int, folder: Path) -> None:
    """Print the Spark model beside Spark's own repartition and sort of the same rows, and applyInPandas."""
    from fifo_spark import measure

    trades = folder / "swaps.parquet"
    pq.write_table(plain(draw_trades(swaps)), trades)
    small = folder / "trades.parquet"
    measure(trades, small, folder, repeats, rival_swaps, row)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=2_000_000, help="swaps for engine and Spark (default 2,000,000)")
    parser.add_argument("--rivals", type=int, default=200_000, help="swaps for the rivals (default 200,000)")
    parser.add_argument("--repeats", type=int, default=5, help="runs behind a median (default 5)")
    parser.add_argument("--no-spark", action="store_true", help="leave Spark out")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print_memory_of(arguments.memory_of)
        return
    memory = psutil.virtual_memory().total / 2**30
    row("machine", f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}")
    row("kernel compiled or loaded, first call in this process", f"{compile_kernel():.2f} s")
    measure_engine(draw_trades(arguments.swaps), arguments.repeats)
    measure_memory(arguments.swaps)
    with tempfile.TemporaryDirectory(prefix="fifo benchmark ") as folder:
        measure_rivals(arguments.rivals, Path(folder))
        if not arguments.no_spark:
            measure_spark(arguments.swaps, arguments.rivals, min(3, arguments.repeats), Path(folder))


if __name__ == "__main__":
    main()
