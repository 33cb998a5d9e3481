"""The loaders as a person runs them: messages, exit codes, dry runs, the lock, and a kill at any time."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from smart_trader.lake.file_lock import is_held, lake_lock
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.api_rows import address, swap
from tests.python.support.api_rows import recordings as recorded
from tests.python.support.engine import PROJECT, clean_environment, run_module
from tests.python.support.loader_lake import AS_OF, Lake

WALLETS = [address(f"wallet{number}") for number in range(40)]
AT_AS_OF = ("--as-of", str(AS_OF))
SECRET = "key-that-must-not-show-1234567890"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    rows = [swap(wallet, AS_OF - n, f"{wallet}-{n}") for wallet in WALLETS for n in range(60)]
    with serving(sandbox_app(recorded(tmp_path_factory.mktemp("rows"), *rows), clock=AS_OF)) as url:
        yield url


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "a lake")


@pytest.fixture
def listed(tmp_path: Path) -> str:
    (tmp_path / "wallets.txt").write_text("\n".join(WALLETS))
    return str(tmp_path / "wallets.txt")


def load(lake: Lake, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_module("loaders", *arguments, env=clean_environment(LAKEHOUSE_HOME=str(lake.root), **environment))


def test_a_run_reports_what_it_did(lake: Lake, api: str, listed: str) -> None:
    done = load(lake, "transactions", "--wallets", listed, "--limit", "3", "--sandbox", api, *AT_AS_OF)
    assert done.returncode == 0, done.stderr
    assert "transactions: 3 to fetch from http://127.0.0.1" in done.stderr
    assert "3 complete; 180 rows landed, 3 requests, 30 CU" in done.stderr
    assert not is_held(lake.root / "_lake.lock")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["tokens"], 2, "no BIRDEYE_API_KEY in the environment", id="no-key"),
        pytest.param(
            ["whales", "--dry-run"], 1, "fix: run: python -m loaders init, then: dbt build", id="no-queue-yet"
        ),
        pytest.param(["tokens", "--as-of", "yesterday"], 2, "'yesterday' is no timestamp", id="no-timestamp"),
        pytest.param(["tokens", "--sandbox", "http://127.0.0.1:9"], 1, "no sandbox answers", id="no-sandbox"),
        pytest.param(["tokens", "--var", "token_limits=5"], 2, "did you mean token_limit?", id="misspelt-setting"),
        pytest.param(["tokens", "--var", "token_limit=0"], 2, "token_limit = 0", id="setting-out-of-range"),
        pytest.param(["tokens", "--var", "birdeye_plan=gold"], 2, "birdeye_plan = 'gold'", id="unknown-plan"),
        pytest.param(["transactions", "--wallets", "nowhere.txt"], 2, "no BIRDEYE_API_KEY", id="key-before-files"),
        pytest.param(["transactions", "--limit", "0"], 2, "0 is not in the range", id="limit"),
    ],
)
def test_what_cannot_be_run_is_refused(lake: Lake, arguments: list[str], code: int, message: str) -> None:
    done = load(lake, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_requests_and_lands_nothing(lake: Lake, api: str, listed: str) -> None:
    before = requests.get(f"{api}/sandbox/info", timeout=10).json()["requests"]
    done = load(lake, "transactions", "--wallets", listed, "--sandbox", api, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "40 to fetch: 40 to 800 requests, 400 to 8000 CU" in done.stdout
    assert WALLETS[0] in done.stdout
    assert not (lake.root / "bronze").exists()
    assert requests.get(f"{api}/sandbox/info", timeout=10).json()["requests"] == before


def test_a_second_loader_is_refused_and_learns_who_holds_the_lake(lake: Lake, api: str) -> None:
    with lake_lock(lake.root, "another command"):
        done = load(lake, "tokens", "--sandbox", api)
    assert done.returncode == 1
    assert "is in use by 'another command' (process" in done.stderr


def test_the_key_shows_nowhere(lake: Lake, api: str) -> None:
    done = load(lake, "init", BIRDEYE_API_KEY=SECRET, SMART_TRADER_DEBUG="1")
    done2 = load(lake, "tokens", "--sandbox", api, BIRDEYE_API_KEY=SECRET, SMART_TRADER_DEBUG="1")
    # nothing answers at the live address here, so the errors of a failing request are shown too
    done3 = load(
        lake, "tokens", "--var", "max_request_tries=1", BIRDEYE_API_KEY=SECRET, SMART_TRADER_DEBUG="1",
        HTTPS_PROXY="http://127.0.0.1:9",
    )  # fmt: skip
    assert done3.returncode != 0
    shown = "".join(run.stdout + run.stderr for run in (done, done2, done3))
    files = [path.read_bytes() for path in lake.root.rglob("*") if path.is_file()]
    assert SECRET not in shown
    assert not any(SECRET.encode() in content for content in files)


def test_init_makes_empty_tables(lake: Lake) -> None:
    done = load(lake, "init")
    assert (done.returncode, lake.rows("transaction_history")) == (0, [])


@pytest.mark.parametrize("hangs_in", ["answer", "name-look-up"])
def test_the_first_ctrl_c_answers_while_a_request_hangs(lake: Lake, api: str, hangs_in: str) -> None:
    with serving(sandbox_app(recorded(lake.root.parent / "rows", swap(WALLETS[0], AS_OF, "t")))) as hanging:
        fault = {"fault": "timeout", "times": None, "seconds": 600}
        requests.post(f"{hanging}/sandbox/faults", json=[fault], timeout=10).raise_for_status()
        # a thread in a call of the system that nothing ends must not hold up the process either
        stuck = "import time; from loaders.transport import Transport; get = Transport.get; Transport.get = "
        stuck += "lambda *it: get(*it) if it[1] == '/sandbox/info' else time.sleep(600)\n"
        code = (stuck if hangs_in == "name-look-up" else "") + (
            "import sys; from loaders.cli import load; from smart_trader.console import run; run(load, 'loaders')"
        )
        options = ["transactions", "--wallets", ",".join(WALLETS[:3]), "--sandbox", hanging, *AT_AS_OF]
        running = subprocess.Popen(
            [sys.executable, "-c", code, *options],
            cwd=PROJECT,
            env=clean_environment(LAKEHOUSE_HOME=str(lake.root)),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        assert "3 to fetch" in running.stderr.readline()
        # tables are opened and the threads are started behind that line
        time.sleep(1.5)
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        line = running.stderr.readline()
        answered = time.monotonic() - begun
        rest = running.stderr.read()
        code_of_exit = running.wait(timeout=30)
        ended = time.monotonic() - begun
    assert "stopping: what is fetched is landed first" in line
    assert answered < 1
    assert ended < 5
    assert (code_of_exit, "stopped by the user" in rest, "Traceback" in rest) == (130, True, False)


def kill_after(lake: Lake, api: str, listed: str, seconds: float) -> bool:
    """Start a load and kill it; returns whether it was still running."""
    command = [sys.executable, "-m", "loaders", "transactions", "--wallets", listed, "--sandbox", api, *AT_AS_OF]
    settings = ["--var", "land_rows=120", "--var", "requests_per_second=200"]
    running = subprocess.Popen(
        [*command, *settings],
        cwd=PROJECT,
        env=clean_environment(LAKEHOUSE_HOME=str(lake.root)),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    # from when it holds the lock: before that there is nothing to lose
    while not is_held(lake.root / "_lake.lock") and running.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    was_running = running.poll() is None
    running.kill()
    running.wait()
    return was_running


@pytest.mark.slow
def test_a_kill_at_any_time_loses_and_doubles_nothing(lake: Lake, api: str, listed: str) -> None:
    draw = random.Random(11)
    killed = sum(kill_after(lake, api, listed, draw.uniform(0.1, 6)) for _ in range(3))
    assert killed >= 2
    done = load(lake, "transactions", "--wallets", listed, "--sandbox", api, *AT_AS_OF)
    assert done.returncode == 0, done.stderr
    rows = lake.rows("transaction_history")
    assert {row["tx_hash"] for row in rows} == {f"{wallet}-{n}" for wallet in WALLETS for n in range(60)}
    # within one load of one fetch nothing comes twice, and every row has its line in the log
    assert len({(row["fetch_id"], row["tx_hash"]) for row in rows}) == len(rows)
    assert {row["fetch_id"] for row in rows} <= {row["fetch_id"] for row in lake.rows("fetch_log")}
    pending = list((lake.root / "dlt").rglob("normalized/*/new_jobs/*")) + list(
        (lake.root / "dlt").rglob("extracted/*")
    )
    assert pending == []
