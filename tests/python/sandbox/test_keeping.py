"""Machine code of a kernel lasts until any of its sources changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from numba.extending import register_jitable
import callee, caller
from smart_trader.sandbox.market.keeping import machine_code
register_jitable(callee.fee)
run = machine_code(caller.run, Path(sys.argv[1]))
print(run(1), sum(run.stats.cache_hits.values()))
"""


def answer(folder: Path) -> list[str]:
    """Return what the kernel in a folder gives in a process of its own, and how often kept code was used."""
    env = os.environ | {"PYTHONPATH": f"{folder}:{os.getcwd()}", "NUMBA_CACHE_DIR": str(folder / "kept")}
    command = [sys.executable, "-B", "-c", SCRIPT, str(folder)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()


def test_kept_code_is_made_again_when_only_what_it_calls_has_changed(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text("from callee import fee\n\n\ndef run(x):\n    return x + fee()\n")
    (tmp_path / "callee.py").write_text("def fee():\n    return 1\n")
    assert [answer(tmp_path), answer(tmp_path)] == [["2", "0"], ["2", "1"]]
    (tmp_path / "callee.py").write_text("def fee():\n    return 5\n")
    assert [answer(tmp_path), answer(tmp_path)] == [["6", "0"], ["6", "1"]]
