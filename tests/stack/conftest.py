"""The whole stack without Docker: what the containers run, as processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.python.support.engine import clean_environment, run_module
from tests.python.support.market_lake import FIRST, REFRESH

from .compose import PROJECT, Stack
from .lakes import LATER, MARKET, Tables, business_rows, local_lake

MINIO = PROJECT / "docker" / "minio.yml"


@pytest.fixture(scope="session")
def tools() -> Path:
    """Where `make test-stack` has installed the S3 servers and Airflow."""
    return Path(os.environ["STACK_TOOLS"])


@contextmanager
def stack_in(folder: Path, tools: Path, *more: Path) -> Iterator[Stack]:
    """Give a stack that is not started yet, with its lake's settings in the environment; end what runs of it."""
    made = Stack(folder, tools, more)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    settings = {name: made.variables[name] for name in names}
    with patch.dict(os.environ, settings):
        try:
            yield made
        finally:
            made.down()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Stack]:
    """An S3 server with a bucket, and nothing else."""
    with stack_in(tmp_path_factory.mktemp("store with space"), tools) as made:
        made.start("s3")
        made.wait("s3")
        assert made.run("bucket").returncode == 0
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Stack]:
    """The whole stack on versitygw."""
    with stack_in(tmp_path_factory.mktemp("stack with space"), tools) as made:
        made.up()
        yield made


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Tables]:
    """What the embedded server's lake holds after a run at each timestamp."""
    home = tmp_path_factory.mktemp("embedded lake")
    found = {}
    for at in (FIRST, REFRESH, LATER):
        env = clean_environment(LAKEHOUSE_HOME=str(home))
        done = run_module("smart_trader.cli", "run", *MARKET, "--as-of", str(at), env=env, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        found[at] = business_rows(local_lake(home))
    return found
