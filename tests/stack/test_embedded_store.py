"""The embedded engine on a real S3 server: the same lake as in a folder, with no Java and no key left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smart_trader.config.paths import LakePaths
from smart_trader.lake.delta import open_table
from tests.python.support.engine import clean_environment, run_module
from tests.python.support.market_lake import FIRST

from .compose import Stack
from .lakes import LATER, MARKET, assert_equal, business_rows, local_lake

ROOT = "s3://smart-trader/embedded lake"


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Homes of a lake in a folder and of one in a bucket."""
    return tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("home of a bucket")


def environments(homes: tuple[Path, Path]) -> list[dict[str, str]]:
    without_java = {"LAKEHOUSE_JAVA": "/nowhere", "LAKEHOUSE_ENGINE": "embedded"}
    return [
        clean_environment(LAKEHOUSE_HOME=str(homes[0]), **without_java),
        clean_environment(LAKEHOUSE_HOME=str(homes[1]), LAKEHOUSE_URI=ROOT, **without_java),
    ]


@pytest.mark.parametrize("at", [FIRST, LATER], ids=["first", "15-days-later"])
def test_a_lake_in_a_bucket_equals_one_in_a_folder(store: Stack, homes: tuple[Path, Path], at: int) -> None:
    for env in environments(homes):
        done = run_module("smart_trader.cli", "run", *MARKET, "--as-of", str(at), env=env, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "engine: embedded" in done.stdout + done.stderr
        assert store.variables["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    assert_equal(business_rows(LakePaths(homes[1], ROOT)), business_rows(local_lake(homes[0])))


def test_a_machine_without_copies_tests_the_lake_and_a_run_without_news_commits_to_no_history(
    store: Stack, homes: tuple[Path, Path]
) -> None:
    paths = LakePaths(homes[1], ROOT)
    histories = [("silver", "wallet_swaps"), ("silver", "fifo_positions"), ("snapshots", "tracked_whales_history")]
    before = [open_table(paths.table(*name)).version() for name in histories]
    shutil.rmtree(homes[1] / ".tmp")
    _, env = environments(homes)
    tested = run_module("dbt.cli.main", "test", "--target-path", str(homes[1] / "target"), "--log-path", str(homes[1]),
                        "--exclude-resource-type", "unit_test",
                        env=env | {"SMART_TRADER_AS_OF": str(LATER)}, timeout=300)  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    again = run_module("smart_trader.cli", "run", *MARKET, "--as-of", str(LATER), env=env, timeout=300)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [open_table(paths.table(*name)).version() for name in histories] == before


def test_no_file_of_the_home_or_the_bucket_holds_a_key(store: Stack, homes: tuple[Path, Path]) -> None:
    secret = store.variables["AWS_SECRET_ACCESS_KEY"].encode()
    files = [
        path for folder in (homes[1], store.folder / "s3" / "data") for path in folder.rglob("*") if path.is_file()
    ]
    assert len(files) > 100
    assert [path for path in files if secret in path.read_bytes()] == []


def test_a_wrong_key_is_refused_before_any_work_and_not_shown(store: Stack, homes: tuple[Path, Path]) -> None:
    wrong = "nobodys/key+anywhere"  # pragma: allowlist secret
    _, env = environments(homes)
    done = run_module("dbt.cli.main", "test", "--target-path", str(homes[1] / "target"), "--log-path", str(homes[1]),
                      env=env | {"AWS_SECRET_ACCESS_KEY": wrong}, timeout=120)  # fmt: skip
    output = done.stdout + done.stderr + (homes[1] / "dbt.log").read_text()
    assert done.returncode != 0
    assert "refuses the lake s3a://smart-trader/embedded lake" in output
    assert "AWS_SECRET_ACCESS_KEY" in output
    assert wrong not in output
