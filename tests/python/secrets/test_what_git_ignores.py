"""What holds secrets or data of a person is never offered to git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.python.support.engine import PROJECT

PRIVATE = (
    ".env",
    ".lakehouse/server.json",
    ".lakehouse/spark.properties",
    ".lakehouse/bronze/fetch_log/part.parquet",
    ".dlt/secrets.toml",
    "logs/dbt.log",
    "target/manifest.json",
    "target/api/index.html",
)


@pytest.mark.parametrize("path", PRIVATE)
def test_private_files_are_ignored_by_our_own_rules(tmp_path: Path, path: str) -> None:
    # a repository of its own: neither the checkout's other rules nor the user's count
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(PROJECT / ".gitignore", tmp_path)
    command = ["git", "-c", "core.excludesFile=/dev/null", "-C", str(tmp_path), "check-ignore", "--quiet", path]
    assert subprocess.run(command, check=False).returncode == 0


def test_no_private_file_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "-C", PROJECT, "ls-files"], capture_output=True, text=True, check=True).stdout
    held = [line for line in listed.splitlines() if line in PRIVATE or line.startswith((".lakehouse/", "logs/"))]
    assert ".env.example" in listed
    assert held == []
