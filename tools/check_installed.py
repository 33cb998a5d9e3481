"""Reports which installed package lacks what it requires: `pip check`, but for one requirement left out on purpose.

dbt-core 1.12 requires dbt-core-experimental-parser, a second parser that dbt uses only on request. It is no wheel of
the package index: building it fetches one from elsewhere. `[tool.uv]` in pyproject.toml leaves it out of the lock.
"""

from __future__ import annotations

import re
import subprocess
import sys

LEFT_OUT = re.compile("dbt-core [0-9.]+ requires dbt-core-experimental-parser, which is not installed[.]")
GOOD = "No broken requirements found."


def faults(report: str, code: int) -> list[str]:
    """Return what is wrong by a report of `pip check`, without what is left out on purpose.

    Args:
        report: What it printed.
        code: Its exit code.
    """
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    found = [line for line in lines if line != GOOD and not LEFT_OUT.fullmatch(line)]
    if code and not lines:
        found.append(f"pip check ended with {code} and said nothing")
    return found


def main() -> int:
    """Check this environment; returns the exit code."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = faults(done.stdout + done.stderr, done.returncode)
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if found:
        print("  fix: make clean setup", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
