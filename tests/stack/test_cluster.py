"""The same project on the whole stack leaves the rows of the embedded run, also when parts of it are ended on the way."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smart_trader.lake.delta import read_table
from smart_trader.lake.object_lock import look
from smart_trader.lakehouse import probe
from tests.python.support.market_lake import FIRST, REFRESH

from .compose import PROJECT, Stack
from .conftest import MINIO, stack_in
from .lakes import LATER, MARKET, Tables, assert_equal, business_rows, lake_of

RUN = ("run", "--target", "cluster", *MARKET)
# every one of these is built again from what it reads: it has the same rows in each version
STEADY = (
    "select count(*), sum(total_pnl), count_if(token_address = 'ALL_TOKENS') from silver.wallet_pnl",
    "select count(*), sum(smart_trader_score) from gold.leaderboard",
    "select count(*), max(mint) from silver.quote_assets",
)


def execute(stack: Stack, statement: str) -> list[tuple[object, ...]]:
    return probe.execute_thrift(int(stack.variables["SPARK_THRIFT_PORT"]), statement, timeout_s=120)


def run_until_right(stack: Stack, at: int) -> None:
    """Run plainly, once or twice: what a run that was disturbed cannot finish, the next one does."""
    done = stack.run("pipeline", *RUN, "--as-of", str(at), timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr


def follow(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process prints until some words come."""
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if words in line:
            return output
    raise AssertionError(f"{words!r} never came: {output}")


def ends_right_or_names_the_fix(process: subprocess.Popen[str], output: str) -> bool:
    """Wait for the end of a run; returns whether it did all there was to do."""
    rest, _ = process.communicate(timeout=900)
    output += rest
    assert "Traceback" not in output, output
    if process.returncode == 0:
        return True
    print(output[output.index("error: ") :], flush=True)
    assert "fix: " in output.partition("error: ")[2], output
    return False


def test_a_first_run_leaves_the_rows_of_the_embedded_one(cluster: Stack, embedded: dict[int, Tables]) -> None:
    run_until_right(cluster, FIRST)
    print("versitygw, two workers, PostgreSQL metastore:")
    assert_equal(business_rows(lake_of(cluster)), embedded[FIRST])


def test_the_work_was_done_by_workers(cluster: Stack) -> None:
    executors = list(cluster.folder.glob("spark-worker*/**/app-*/*/stderr"))
    assert {path.relative_to(cluster.folder).parts[0] for path in executors} == {"spark-worker", "spark-worker-2"}


def test_the_lake_has_its_folders(cluster: Stack) -> None:
    bucket = cluster.folder / "s3" / "data" / "smart-trader"
    for table in ("token_metrics", "whale_holders", "transaction_history", "fetch_log"):
        assert (bucket / "bronze" / table / "_delta_log").is_dir()
    assert (bucket / "silver" / "wallet_pnl" / "_delta_log").is_dir()
    assert (bucket / "gold" / "smart_traders" / "_delta_log").is_dir()


def test_reading_commands_need_no_cluster(cluster: Stack) -> None:
    board = read_table(lake_of(cluster).table("gold", "leaderboard"), ["overall_rank", "wallet_address"]).to_pylist()
    best = min(board, key=lambda row: row["overall_rank"])
    shown = cluster.run("pipeline", "leaderboard", "--top", "3")
    assert shown.returncode == 0, shown.stderr
    assert best["wallet_address"] in shown.stdout
    assert "lake       s3://smart-trader" in cluster.run("pipeline", "status").stdout


def test_a_server_of_another_lake_is_refused(cluster: Stack) -> None:
    elsewhere = {"LAKEHOUSE_URI": "s3://smart-trader/elsewhere"}
    done = cluster.run("pipeline", *RUN, timeout=120, env=elsewhere)
    assert done.returncode == 1
    assert "writes the lake s3a://smart-trader, we would load s3://smart-trader/elsewhere" in done.stderr


def test_a_build_is_refused_while_another_machine_holds_the_lake(cluster: Stack) -> None:
    first = cluster.begin("pipeline", *RUN, "--as-of", str(FIRST), "--step", "load_tokens", "--run-id", "the-first")
    follow(first, "[1/1] load_tokens")
    first.send_signal(signal.SIGSTOP)
    try:
        done = dbt(cluster, "run", "--select", "leaderboard").communicate(timeout=300)[0]
        assert "is in use by 'run the-first'" in done
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0


def dbt(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    """Start plain dbt on the cluster."""
    folder = str(stack.folder / "dbt")
    return subprocess.Popen(
        ["dbt", *arguments, "--target-path", folder, "--log-path", folder],
        env=stack.environment("pipeline") | {"SMART_TRADER_AS_OF": str(FIRST)}, cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_readers_see_whole_versions_while_a_build_writes(cluster: Stack) -> None:
    expected = [execute(cluster, question) for question in STEADY]
    build = dbt(
        cluster, "build", "--full-refresh", "--exclude-resource-type", "test", "unit_test",
        "--select", "quote_assets", "wallet_pnl", "leaderboard",
    )  # fmt: skip
    reads = 0
    while build.poll() is None:
        assert [execute(cluster, question) for question in STEADY] == expected
        reads += 1
    assert build.returncode == 0, build.communicate()[0]
    assert reads >= 3
    print(f"{reads} times read while three tables were written again", flush=True)


def test_a_worker_killed_in_the_fifo_model(cluster: Stack, embedded: dict[int, Tables]) -> None:
    log = cluster.folder / "pipeline" / "logs" / "dbt.log"
    before = log.read_text().count("START python incremental model silver.fifo_positions")
    begun = cluster.begin("pipeline", *RUN, "--as-of", str(REFRESH))
    deadline = time.monotonic() + 600
    while log.read_text().count("START python incremental model silver.fifo_positions") == before:
        assert begun.poll() is None, begun.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.stop("spark-worker", 2, signal.SIGKILL)
    is_done = ends_right_or_names_the_fix(begun, "")
    cluster.start("spark-worker", 2)
    print(f"the run with a killed worker ended {'right' if is_done else 'with an error'}", flush=True)
    run_until_right(cluster, REFRESH)
    assert_equal(business_rows(lake_of(cluster)), embedded[REFRESH])


def test_the_store_restarted_in_the_middle_of_a_load(cluster: Stack, embedded: dict[int, Tables]) -> None:
    slowly = ("--var", "requests_per_second=4", "--var", "land_rows=100")
    for step in ("load_tokens", "build_tokens", "load_whales", "build_whales"):
        done = cluster.run(
            "pipeline", *RUN, "--as-of", str(LATER), "--step", step, "--run-id", "restarted", timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
    begun = cluster.begin(
        "pipeline", *RUN, "--as-of", str(LATER), "--step", "load_transactions", "--run-id", "restarted", *slowly
    )
    output = follow(begun, "[1/1] load_transactions")
    time.sleep(3)
    assert begun.poll() is None
    cluster.stop("s3", how=signal.SIGKILL)
    time.sleep(3)
    cluster.start("s3")
    cluster.wait("s3")
    is_done = ends_right_or_names_the_fix(begun, output)
    print(f"the load with a restarted store ended {'right' if is_done else 'with an error'}", flush=True)
    run_until_right(cluster, LATER)
    assert_equal(business_rows(lake_of(cluster)), embedded[LATER])


def test_maintenance_and_repair_work_on_the_store(cluster: Stack) -> None:
    for command, words in (("maintain", "tables: old files removed from"), ("repair", "every table is whole")):
        done = cluster.run("pipeline", command, "--target", "cluster", timeout=900)
        assert done.returncode == 0, done.stderr
        assert words in done.stderr
    seen = look("s3://smart-trader")
    assert seen is not None
    assert seen.holder is None


def test_no_log_or_process_shows_a_secret(cluster: Stack) -> None:
    names = ("AWS_SECRET_ACCESS_KEY", "CLUSTER_SECRET", "CLUSTER_METASTORE_PASSWORD", "SPARK_CONNECT_TOKEN")
    secrets = {name: cluster.variables[name].encode() for name in names}
    holders = ("spark.properties",)
    files = [path for path in cluster.folder.rglob("*") if path.is_file() and path.name not in holders]
    lines = Path("/proc").glob("[0-9]*/cmdline")
    found = {(str(path), name) for path in [*files, *lines] for name, secret in secrets.items() if secret in read(path)}
    assert found == set()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # it ended, or was cleared away, while we looked
        return b""


@pytest.fixture(scope="module")
def on_minio(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Stack]:
    with stack_in(tmp_path_factory.mktemp("minio with space"), tools, MINIO) as made:
        made.up()
        yield made


def test_on_minio_the_rows_are_the_same(on_minio: Stack, embedded: dict[int, Tables]) -> None:
    run_until_right(on_minio, FIRST)
    print("MinIO, two workers, PostgreSQL metastore:")
    assert_equal(business_rows(lake_of(on_minio)), embedded[FIRST])
