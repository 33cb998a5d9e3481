"""The lake's lock: refused by name, freed by death."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from smart_trader.lake.file_lock import LockHeldError, is_held, lake_lock, read_holder
from smart_trader.lake.lock import ensure_lake_is_free

HOLD = """
import sys, time
from pathlib import Path
from smart_trader.lake.file_lock import lake_lock
with lake_lock(Path(sys.argv[1]), "python -m loaders tokens"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_holder_is_refused_by_name(tmp_path: Path, other_holder: subprocess.Popen[str]) -> None:
    with pytest.raises(LockHeldError, match=rf"python -m loaders tokens.*process {other_holder.pid}"):
        lake_lock(tmp_path, "second").acquire()


def test_a_killed_holder_frees_the_lock(tmp_path: Path, other_holder: subprocess.Popen[str]) -> None:
    other_holder.kill()
    other_holder.wait()
    with lake_lock(tmp_path, "second") as lock:
        assert read_holder(lock.path).command == "second"
    assert not is_held(lock.path)
    assert read_holder(lock.path) is None


def test_a_child_keeps_the_lock_it_was_given(tmp_path: Path) -> None:
    lock = lake_lock(tmp_path, "parent").acquire()
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    lock.hand_over()
    try:
        assert is_held(lock.path)
    finally:
        child.kill()
        child.wait()
    assert not is_held(lock.path)


def test_a_build_is_refused_while_somebody_else_holds_the_lake(
    tmp_path: Path, other_holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockHeldError, match=rf"python -m loaders tokens.*process {other_holder.pid}"):
        ensure_lake_is_free(f"file:{tmp_path}")


def test_the_holder_itself_and_what_it_starts_may_build(tmp_path: Path) -> None:
    ensure_lake_is_free(f"file:{tmp_path}")
    ask = f"from smart_trader.lake.lock import ensure_lake_is_free; ensure_lake_is_free('file:{tmp_path}')"
    with lake_lock(tmp_path, "the pipeline"):
        ensure_lake_is_free(f"file:{tmp_path}")
        subprocess.run([sys.executable, "-c", ask], check=True)
