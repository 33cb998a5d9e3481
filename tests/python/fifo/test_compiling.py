"""The compiled kernel: loaded from where it was kept, also where nothing can be written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.python.support.engine import PROJECT, clean_environment, run_module

COUNT_MISSES = """
import runpy, sys
from smart_trader.fifo import kernel
from smart_trader.fifo.warmup import compile_kernel
compile_kernel()
print(sum(kernel.run.stats.cache_misses.values()), kernel.__file__)
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package, as an installation of its own."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "smart_trader", tmp_path / "site" / "smart_trader", ignore=ignore)
    (tmp_path / "site" / "count_misses.py").write_text(COUNT_MISSES)
    return tmp_path / "site"


def run_kernel(site: Path, cache: Path, unprivileged: bool) -> tuple[int, str]:
    """Compile or load the kernel in a new process; returns how often it was compiled, and what was warned of."""
    env = clean_environment(
        PYTHONPATH=str(site), XDG_CACHE_HOME=str(cache), HOME=str(cache), PYTHONDONTWRITEBYTECODE="1"
    )
    done = run_module("count_misses", env=env, unprivileged=unprivileged, cwd=site)
    assert done.returncode == 0, done.stderr
    count, file = done.stdout.split(maxsplit=1)
    assert file.startswith(str(site))
    return int(count), done.stderr


def test_an_installation_compiled_ahead_needs_no_writing(installed: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "no cache"
    nowhere.mkdir()
    assert run_kernel(installed, nowhere, unprivileged=False)[0] > 0, "the first process compiles"
    kept = installed / "smart_trader" / "fifo" / "__pycache__"
    assert list(kept.glob("kernel.run*.nbi"))
    for folder in (kept, nowhere):
        folder.chmod(0o555)
    try:
        assert run_kernel(installed, nowhere, unprivileged=True) == (0, "")
    finally:
        for folder in (kept, nowhere):
            folder.chmod(0o755)


def test_without_any_folder_to_keep_it_the_kernel_still_runs(installed: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "no cache"
    kept = installed / "smart_trader" / "fifo"
    nowhere.mkdir()
    for folder in (kept, nowhere):
        folder.chmod(0o555)
    try:
        _, warned = run_kernel(installed, nowhere, unprivileged=True)
        assert "each process compiles it again" in warned
    finally:
        for folder in (kept, nowhere):
            folder.chmod(0o755)
