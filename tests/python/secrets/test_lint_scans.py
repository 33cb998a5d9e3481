"""The two scans of `make lint`: each finds what is planted, and the audit reports when it could not look."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from smart_trader.sandbox.running import serving
from tests.python.support.engine import PROJECT

# made here, so that this file passes the scan
HEX = hashlib.md5(b"planted").hexdigest()
LONG = base64.b64encode(hashlib.sha512(b"planted").digest(), b"xy").decode().rstrip("=")
PLANTED = {
    "an API key in code": f'client = Client("{HEX}")',
    "an API key in a setting": f"BIRDEYE_API_KEY={HEX}",
    "an API key in a command": f'curl -H "X-API-KEY: {HEX}" address',
    "a wallet's private key": f'WALLET = "{LONG}"',
    "an access key": "AKIA" + "Z7QX3M5V2W8RJ4TN",
    "a password": f'password = "{LONG[:16]}"',
    "a key file": "-----BEGIN " + "RSA PRIVATE KEY-----",
}


def hook(name: str) -> list[str]:
    """Return what pre-commit runs."""
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())
    entry = next(hook["entry"] for hook in config["repos"][0]["hooks"] if hook["id"] == name)
    return shlex.split(entry)


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED)
def test_the_secret_scan_finds_a_planted_secret_and_does_not_repeat_it(tmp_path: Path, text: str) -> None:
    files = [tmp_path / f"planted{suffix}" for suffix in (".py", ".yml", ".md")]
    for file in files:
        file.write_text(f"# first\n{text}\n")
    done = subprocess.run([*hook("secret-scan"), *files], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [file for file in files if f"{file}:2" not in done.stdout] == []
    assert text not in done.stdout


def test_the_secret_scan_passes_public_addresses(tmp_path: Path) -> None:
    file = tmp_path / "mints.py"
    file.write_text(
        'SOL, USDC = "So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"\n'
    )
    assert subprocess.run([*hook("secret-scan"), file], cwd=PROJECT, check=False).returncode == 0


def test_the_baseline_excuses_nothing_and_names_no_machine() -> None:
    text = (PROJECT / ".secrets.baseline").read_text()
    assert json.loads(text)["results"] == {}
    assert "://" not in text


def flaws(status: int = 200) -> Starlette:
    """Return a vulnerability service that knows one flaw, of jinja2 2.10."""
    flaw = {
        "id": "PYSEC-2019-217",
        "affected": [
            {
                "package": {"name": "jinja2", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}],
            }
        ],
    }

    async def query(request: Request) -> Response:
        query = json.loads(await request.body())
        known = query["package"]["name"] == "jinja2" and query["version"] == "2.10"
        return JSONResponse({"vulns": [flaw]} if known else {}, status)

    return Starlette(routes=[Route("/v1/query", query, methods=["POST"])])


def run_audit(folder: Path, url: str, *arguments: str, jinja: tuple[str, ...] = ("2.10.1",)) -> tuple[int, str]:
    """Audit a lock of two packages for each version of jinja2; returns the exit code and its output."""
    locks = []
    for version in jinja:
        locks.append(folder / f"{version}.lock")
        locks[-1].write_text(
            f"click==8.1.8 \\\n    --hash=sha256:{'a' * 64}\njinja2=={version} \\\n    --hash=sha256:{'b' * 64}\n"
        )
    env = {**os.environ, "PIP_AUDIT_OSV_URL": f"{url}/v1/query"}
    command = [sys.executable, *hook("dependency-audit")[1:], *map(str, locks), *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_known_vulnerability_in_any_lock_fails_the_audit(tmp_path: Path) -> None:
    with serving(flaws()) as url:
        code, output = run_audit(tmp_path, url, jinja=("2.10", "2.10.1"))
    assert code == 1
    assert "VULNERABLE: jinja2 2.10: PYSEC-2019-217, fixed in 2.10.1" in output
    assert f"{tmp_path / '2.10.1.lock'}: 2 packages looked up, 0 known vulnerabilities" in output


def test_a_clean_lock_passes_and_reports_how_much_was_looked_up(tmp_path: Path) -> None:
    output = f"{tmp_path / '2.10.1.lock'}: 2 packages looked up, 0 known vulnerabilities\n"
    with serving(flaws()) as url:
        assert run_audit(tmp_path, url, "--required") == (0, output)


def test_a_service_without_an_answer_is_reported_and_fails_where_the_audit_is_required(tmp_path: Path) -> None:
    with serving(flaws(status=503)) as broken:
        for url in ("http://127.0.0.1:9", broken):
            code, output = run_audit(tmp_path, url)
            assert code == 0
            assert output.startswith(f"NOT CHECKED: no package of {tmp_path / '2.10.1.lock'} was looked up")
            assert run_audit(tmp_path, url, "--required")[0] == 3


def test_a_lock_that_cannot_be_read_is_no_clean_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    for text in ("", "jinja2\n"):
        lock.write_text(text)
        command = [sys.executable, *hook("dependency-audit")[1:], str(lock), "--required"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 3, text
        assert "NOT CHECKED" in done.stdout
