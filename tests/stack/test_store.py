"""A lake's store is looked at before any work starts, and its lock keeps a second writer out."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from smart_trader.lake.object_lock import BEAT_TAKES_S, GIVE_UP_S, HEARTBEAT_S, STALE_S, look
from smart_trader.lakehouse.server import free_port
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.running import serving
from smart_trader.sandbox.server import sandbox_app
from tests.python.support.market_lake import FIRST, SEED, WALLETS

from .compose import PROJECT, Stack, UnsetVariableError, read_services

DAY = 86_400
GENESIS = (FIRST // DAY - 30) * DAY
NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "CLUSTER_SECRET",
    "CLUSTER_METASTORE_PASSWORD",
    "SPARK_CONNECT_TOKEN",
)
LAKE = "s3://smart-trader"


@pytest.mark.parametrize("name", NAMES)
def test_compose_has_no_default_password(store: Stack, name: str) -> None:
    with pytest.raises(UnsetVariableError, match=f"{name}: put it into .env"):
        read_services({key: value for key, value in store.variables.items() if key != name})


def test_docker_reads_the_file_as_we_do(store: Stack, tmp_path: Path) -> None:
    try:
        known = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        known = False
    if not known:
        pytest.skip("there is no docker client here")
    lines = tmp_path / "env"
    lines.write_text("".join(f"{name}={value}\n" for name, value in store.variables.items()))
    done = subprocess.run(
        ["docker", "compose", "--env-file", str(lines), "config", "--quiet"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("service", yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"])
def test_every_service_has_a_memory_limit_an_exact_image_and_only_loopback_ports(store: Stack, service: str) -> None:
    found = store.services[service]
    assert found["mem_limit"]
    _, _, tag = found["image"].partition(":")
    assert tag
    assert tag != "latest"
    assert all(port.startswith("127.0.0.1:") for port in found.get("ports", []))


@pytest.fixture(scope="module")
def careless_store() -> Iterator[str]:
    """A store that takes every write, whatever its condition."""

    async def answer(request: Request) -> Response:
        await request.body()
        if request.method == "GET":
            return Response('<?xml version="1.0"?><ListBucketResult></ListBucketResult>', media_type="application/xml")
        return Response(headers={"ETag": '"1"'}, status_code=204 if request.method == "DELETE" else 200)

    with serving(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "DELETE"])])) as url:
        yield url


@pytest.mark.parametrize(
    ("changed", "message", "fix"),
    [
        pytest.param({"AWS_ACCESS_KEY_ID": "unknown"}, "refuses the key", "correct AWS_ACCESS_KEY_ID", id="unknown-key"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses the key", "correct AWS_ACCESS_KEY_ID", id="wrong-secret"),  # pragma: allowlist secret
        pytest.param({"AWS_SECRET_ACCESS_KEY": ""}, "there is no AWS_SECRET_ACCESS_KEY", "set both", id="no-secret"),
        pytest.param({"LAKEHOUSE_URI": "s3://nowhere"}, "no bucket nowhere", "make it, or correct LAKEHOUSE_URI", id="no-bucket"),
        pytest.param({"LAKEHOUSE_URI": "gs://somewhere"}, "no folder and no bucket", "write it as s3://", id="other-scheme"),
        pytest.param({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, "cannot be reached", "start it", id="nobody-there"),
        pytest.param({"AWS_ENDPOINT_URL": "here"}, "AWS_ENDPOINT_URL", "correct them", id="no-address"),
        pytest.param({"AWS_ENDPOINT_URL": "CARELESS"}, "ignores If-None-Match", "conditional writes", id="careless-store"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "command", [("run", "--demo"), ("load", "init"), ("maintain",), ("lakehouse", "start")], ids=" ".join
)
def test_a_store_that_cannot_be_used_is_reported_before_any_work(
    store: Stack, careless_store: str, command: tuple[str, ...], changed: dict[str, str], message: str, fix: str
) -> None:
    changed = {name: value.replace("CARELESS", careless_store) for name, value in changed.items()}
    env = store.environment("pipeline") | {"DBT_TARGET": "local"} | changed
    done = subprocess.run(
        store.command("pipeline", *command),
        env=env,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert f"fix: {fix}" in done.stderr or fix in done.stderr.partition("fix: ")[2]
    assert "Traceback" not in done.stderr
    assert store.variables["AWS_SECRET_ACCESS_KEY"] not in done.stderr + done.stdout
    assert "[1/" not in done.stderr


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[str, list[str]]]:
    """The made-up market on loopback, and its wallets."""
    source = market(SEED, WALLETS, GENESIS, FIRST)
    with serving(sandbox_app(source, clock=FIRST)) as url:
        yield url, source.wallets


def slow_load(store: Stack, api: tuple[str, list[str]]) -> subprocess.Popen[str]:
    """Start a load that takes half a minute, and wait until it is under way."""
    url, wallets = api
    begun = store.begin(
        "pipeline", "load", "transactions", "--wallets", ",".join(wallets), "--sandbox", url, "--as-of", str(FIRST),
        "--var", "requests_per_second=1", "--var", "land_rows=50", "--run-id", "the-first",
    )  # fmt: skip
    assert begun.stdout is not None
    assert "to fetch from" in begun.stdout.readline()
    return begun


def second_load(store: Stack, api: tuple[str, list[str]]) -> subprocess.CompletedProcess[str]:
    return store.run("pipeline", "load", "tokens", "--sandbox", api[0], "--as-of", str(FIRST))


def test_a_second_loader_is_refused_until_the_killed_first_is_silent_for_long(
    store: Stack, api: tuple[str, list[str]]
) -> None:
    first = slow_load(store, api)
    refused = second_load(store, api)
    assert refused.returncode == 1
    assert f"{LAKE} is in use by 'load transactions' (process {first.pid} on " in refused.stderr
    first.kill()
    first.wait()
    refused = second_load(store, api)
    assert refused.returncode == 1
    assert "its last sign of life is" in refused.stderr
    time.sleep(STALE_S + 2)
    taken = second_load(store, api)
    assert taken.returncode == 0, taken.stderr
    seen = look(LAKE)
    assert seen is not None
    assert seen.holder is None


def test_a_holder_that_slept_too_long_stops_writing(store: Stack, api: tuple[str, list[str]]) -> None:
    first = slow_load(store, api)
    first.send_signal(signal.SIGSTOP)
    time.sleep(STALE_S + 2)
    taken = second_load(store, api)
    assert taken.returncode == 0, taken.stderr
    first.send_signal(signal.SIGCONT)
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 1, output
    assert f"the lock of {LAKE} is lost: it is now held by" in output
    assert "Traceback" not in output


def test_a_holder_gives_up_before_another_may_begin() -> None:
    # the wait for the next try, and that try
    assert GIVE_UP_S + HEARTBEAT_S + BEAT_TAKES_S < STALE_S
