"""Sessions: kept between nodes, replaced when lost, and never used to send a statement twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adapter_support import Engine, OnDelta, Proxy, endpoint_content, failure, rows
from dbt.tests.util import run_dbt

SLEEP = "select java_method('java.lang.Thread', 'sleep', 30000L) as slept from range(1)"

OVERWRITTEN = """
{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='id') }}
select 1 as id, 2 as value
"""

AFTER = """
{{ config(materialized='table') }}
-- depends_on: {{ ref('overwritten') }}
{% set found = run_query('set spark.sql.sources.partitionOverwriteMode') %}
select '{{ found.rows[0][1] if execute }}' as mode
"""

SLOW_PYTHON = f"""
def model(dbt, session):
    return session.sql({SLEEP!r})
"""


class TestSessions(OnDelta):
    """One project whose server can be cut off at any time."""

    @pytest.fixture(scope="class")
    def moved(self, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Return an endpoint file of the tests' own."""
        path = tmp_path_factory.mktemp("server") / "endpoint.json"
        path.write_text(engine.endpoint_file.read_text(encoding="utf-8"), encoding="utf-8")
        return path

    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any], moved: Path) -> dict[str, Any]:
        """Override of dbt's fixture: one thread, so that nodes share a session."""
        return {**dbt_profile_target, "endpoint_file": str(moved), "threads": 1}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        """Override of dbt's fixture."""
        views = {f"view_{number}.sql": "select 1 as id" for number in range(8)}
        return {
            **views,
            "overwritten.sql": OVERWRITTEN,
            "after.sql": AFTER,
            "slow.py": SLOW_PYTHON,
            "slow_sql.sql": "{{ config(materialized='table') }} " + SLEEP,
        }

    @pytest.fixture
    def proxies(self, engine: Engine, project: Any, moved: Path) -> Iterator[dict[str, Proxy]]:
        """Put a proxy before both servers; dbt finds them by the endpoint file."""
        real = endpoint_content(engine.endpoint_file)
        project.adapter.cleanup_connections()
        with (
            Proxy(real["thrift"]["host"], real["thrift"]["port"]) as thrift,
            Proxy(real["connect"]["host"], real["connect"]["port"]) as connect,
        ):
            content = {
                "thrift": {"host": "127.0.0.1", "port": thrift.port},
                "connect": {**real["connect"], "port": connect.port},
            }
            moved.write_text(json.dumps(content), encoding="utf-8")
            yield {"thrift": thrift, "connect": connect}
            project.adapter.cleanup_connections()
        moved.write_text(json.dumps(real), encoding="utf-8")

    def test_nodes_share_a_session(self, project: Any, proxies: dict[str, Proxy]) -> None:
        """Eight views take no more sessions than one."""
        run_dbt(["run", "-s", "view_0"])
        one = proxies["thrift"].connections
        run_dbt(["run", "-s", "view_*"])
        # one each without keeping them; dbt's own threads take a few
        assert proxies["thrift"].connections - one < 8

    def test_a_sessions_settings_do_not_reach_the_next_model(self, project: Any) -> None:
        """`insert_overwrite` sets a mode that another model must not inherit."""
        run_dbt(["run", "-s", "overwritten", "after"])
        run_dbt(["run", "-s", "overwritten", "after"])
        assert rows(project, "select upper(mode) from {s}.after") == [("STATIC",)]

    def test_temporary_views_of_the_session_are_no_relations(self, project: Any) -> None:
        """They are listed by Spark in every schema."""
        adapter = project.adapter
        with adapter.connection_named("views"):
            adapter.execute("create or replace temporary view passing as select 1 as id")
            schema = adapter.Relation.create(schema=project.test_schema).without_identifier()
            found = adapter.list_relations_without_caching(schema)
        assert "passing" not in {relation.identifier for relation in found}

    def test_session_lost_between_nodes_is_replaced(self, project: Any, proxies: dict[str, Proxy]) -> None:
        """A server that was restarted is simply used."""
        adapter = project.adapter
        with adapter.connection_named("before"):
            adapter.execute("select 1")
        proxies["thrift"].drop_connections()
        with adapter.connection_named("after"):
            _, table = adapter.execute("select 2", fetch=True)
        assert table.rows[0][0] == 2
        assert proxies["thrift"].connections == 2

    def test_server_that_dies_in_a_statement(self, project: Any, proxies: dict[str, Proxy]) -> None:
        """The error says that the outcome is open, and nothing is sent again."""
        _when_used(proxies["thrift"], 1, proxies["thrift"].cut)
        start = time.monotonic()
        message = failure(["run", "-s", "slow_sql"])
        assert time.monotonic() - start < 15
        assert f"127.0.0.1:{proxies['thrift'].port} was lost" in message
        assert "may or may not have been applied; it was not sent again" in message
        assert "Start it with: make server" in message

    def test_server_that_dies_in_a_python_model(self, project: Any, proxies: dict[str, Proxy], engine: Engine) -> None:
        """Left alone, the client would retry for ten minutes."""
        # the first connection only asks whether the server answers
        _when_used(proxies["connect"], 2, proxies["connect"].cut)
        start = time.monotonic()
        message = failure(["run", "-s", "slow"])
        assert time.monotonic() - start < 30
        assert f"localhost:{proxies['connect'].port} was lost while models/slow.py ran" in message
        assert "may or may not have been written" in message
        assert endpoint_content(engine.endpoint_file)["connect"]["token"] not in message

    def test_python_model_survives_a_short_interruption(self, project: Any, proxies: dict[str, Proxy]) -> None:
        """The client attaches again to what still runs on the server."""
        _when_used(proxies["connect"], 2, proxies["connect"].drop_connections)
        python = Path("models/slow.py")
        python.write_text(SLOW_PYTHON.replace("30000L", "4000L"), encoding="utf-8")
        run_dbt(["run", "-s", "slow"])
        assert rows(project, "select count(*) from {s}.slow") == [(1,)]


def _when_used(proxy: Proxy, connections: int, action: Callable[[], None]) -> None:
    """Do something when dbt is in the middle of its statement: a while after the connection."""

    def wait() -> None:
        while proxy.connections < connections:
            time.sleep(0.05)
        time.sleep(2)
        action()

    threading.Thread(target=wait, daemon=True).start()
