"""Looks up every package of the locks among the known vulnerabilities, and reports what was not looked up.

pip-audit alone reports "no known vulnerabilities" also for packages that its service does not know, and ends with a
traceback where no service answers. Here both are their own outcome, with a message of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
LOCKS = tuple(PROJECT / name for name in ("requirements.lock", "requirements-dbt111.lock", "dags/requirements.lock"))
CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3
# OSV answers for every name, known or not; an index mirror without vulnerability data would pass for a clean bill.
COMMAND = (
    *("pip_audit", "--require-hashes", "--disable-pip", "--vulnerability-service", "osv"),
    *("--format", "json", "--output", "-", "--desc", "off", "--progress-spinner", "off", "--timeout", "5"),
)


def audit(lock: Path) -> tuple[dict[str, Any] | None, str]:
    """Run pip-audit; returns its report, or none and why there is none."""
    command = [sys.executable, "-m", *COMMAND, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        lines = done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode} and said nothing"]
        # the exception's name, or pip-audit's own words; what follows is the whole chain of its causes
        return None, lines[-1].split("(")[0].strip()


def look_up(lock: Path, required: bool) -> int:
    """Audit one lock, print what was found and return the exit code."""
    name = lock.relative_to(PROJECT) if lock.is_relative_to(PROJECT) else lock
    report, why = audit(lock)
    if report is None:
        print(f"NOT CHECKED: no package of {name} was looked up, the vulnerability service gave no answer")
        print(f"  {why}\n  fix: run `make audit` where the network is, before a release")
        return NOT_CHECKED if required else CLEAN
    packages = report["dependencies"]
    skipped = [f"{package['name']} ({package['skip_reason']})" for package in packages if "skip_reason" in package]
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", [])]
    for package, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"VULNERABLE: {package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    if skipped or not packages:
        print(f"NOT CHECKED: {', '.join(skipped) or 'the lock names no package'}")
    print(f"{name}: {len(packages) - len(skipped)} packages looked up, {len(found)} known vulnerabilities")
    if found:
        return VULNERABLE
    return NOT_CHECKED if required and (skipped or not packages) else CLEAN


def main() -> int:
    """Audit the locks and return the exit code: a known vulnerability counts before a lock that was not looked up."""
    parser = argparse.ArgumentParser(description="Audit the locked packages for known vulnerabilities.")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="default: the project's own")
    parser.add_argument("--required", action="store_true", help=f"exit with {NOT_CHECKED} if not all could be checked")
    options = parser.parse_args()
    codes = {look_up(lock, options.required) for lock in options.locks}
    return VULNERABLE if VULNERABLE in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
