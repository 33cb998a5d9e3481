"""What the project's tests and the adapter's share: the session's Spark server, and which process has it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.python.support.engine import Engine, own_engine

pytest_plugins = ["dbt.tests.fixtures.project"]

# A shell's background jobs, and what `nohup` starts, ignore these; the programs that tests start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The session's server; stopped at the end, whatever happened."""
    # a small heap, so that tests can fill it
    with own_engine(tmp_path_factory.mktemp("lake with space"), driver_memory="1g") as running:
        yield running


@pytest.hookimpl(tryfirst=True)  # before the groups become part of the names
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a module's tests to one process, and all that need the session's server to the one that begins with them."""
    modules = {item.path for item in items if "engine" in getattr(item, "fixturenames", ())}
    on_server = {item: item.path in modules or _is_on_thrift(item) for item in items}
    items.sort(key=lambda item: not on_server[item])
    for item in items:
        item.add_marker(
            pytest.mark.xdist_group("server" if on_server[item] else f"{item.path.parent.name}.{item.path.stem}")
        )


def _is_on_thrift(item: pytest.Item) -> bool:
    # dbt's own tests run with each connection method, ours with this one unless they name another
    callspec = getattr(item, "callspec", None)
    return "dbt_profile_target" in getattr(item, "fixturenames", ()) and (
        callspec is None or callspec.params.get("method", "thrift") == "thrift"
    )
