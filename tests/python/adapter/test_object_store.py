"""The embedded engine on a bucket: what a session does on a folder, it does there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.sparkconnect.embedded.errors import EmbeddedError
from dbt.adapters.sparkconnect.embedded.lake import Lake
from dbt.adapters.sparkconnect.embedded.session import EmbeddedSession
from dbt_common.exceptions import DbtDatabaseError

from smart_trader.lakehouse.server import free_port
from smart_trader.sandbox.running import serving
from tests.python.support.object_store import object_store

KEY, SECRET = "AKIASTANDIN", "never/shown+secret"  # pragma: allowlist secret
ROOT = "s3://bucket/some lake"


@pytest.fixture
def objects() -> dict[str, bytes]:
    return {}


@pytest.fixture
def store(objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store whose address and keys are in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with serving(object_store(objects)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


@pytest.fixture
def lake(store: str, tmp_path: Path) -> Lake:
    return Lake(ROOT, "600MB", 2, str(tmp_path / "scratch"))


@pytest.fixture
def session(lake: Lake) -> Iterator[EmbeddedSession]:
    made = EmbeddedSession(lake)
    made.execute("create schema if not exists silver")
    made.execute(
        "create or replace table silver.trades using delta as "
        "select * from values (1, 'a', 1.5d), (2, 'b', null) as t(id, name, usd)"
    )
    yield made
    made.close()


def rows(session: EmbeddedSession, sql: str) -> list[tuple[Any, ...]]:
    session.execute(sql)
    return session.fetchall()


def commits(objects: dict[str, bytes]) -> int:
    """Count them in the store: delta-rs reads a history without letting go of the interpreter, in which the store runs."""
    return sum("/silver/trades/_delta_log/" in key and key.endswith(".json") for key in objects)


def test_a_table_is_made_appended_to_merged_and_dropped(
    session: EmbeddedSession, lake: Lake, objects: dict[str, bytes]
) -> None:
    session.execute("insert into silver.trades values (3, 'c', 3.0d)")
    session.execute(
        "merge into silver.trades as t using (select 1 as id, 'z' as name, 9.0d as usd) as s on t.id = s.id "
        "when matched then update set * when not matched then insert *"
    )
    session.execute("delete from silver.trades where id = 2")
    assert rows(session, "select * from silver.trades order by id") == [(1, "z", 9.0), (3, "c", 3.0)]
    assert commits(objects) == 4
    assert lake.relations("silver") == [("trades", False)]
    assert lake.schemas() == ["silver"]
    assert lake.has_delta_log("s3a://bucket/some lake/silver/{trades,none}")
    assert not lake.has_delta_log("s3a://bucket/some lake/silver/none")
    session.execute("drop table silver.trades")
    assert list(objects) == []
    with pytest.raises(DbtDatabaseError, match="TABLE_OR_VIEW_NOT_FOUND"):
        session.execute("select * from silver.trades")


def test_a_schema_is_there_once_it_is_made(lake: Lake) -> None:
    session = EmbeddedSession(lake)
    session.execute("create schema if not exists gold")
    assert rows(session, "show schemas") == [("gold",)]
    session.execute("drop schema if exists gold")
    assert rows(session, "show schemas") == []


def test_partitions_and_views_are_found_by_other_processes(
    session: EmbeddedSession, tmp_path: Path, objects: dict[str, bytes]
) -> None:
    session.execute(
        "create or replace table silver.parts using delta partitioned by (name) as "
        "select * from values (1, 'a b'), (2, 'c/d'), (3, null) as t(id, name)"
    )
    session.execute("create or replace view silver.some as select id, name from silver.parts where id <> 2")
    other = EmbeddedSession(Lake(ROOT, "600MB", 1, str(tmp_path / "other scratch")))
    assert rows(other, "select * from silver.parts order by id") == [(1, "a b"), (2, "c/d"), (3, None)]
    assert rows(other, "select * from silver.some order by id") == [(1, "a b"), (3, None)]
    # an other process's commit is seen by a session that has read before
    other.execute("insert into silver.trades values (7, 'x', null)")
    assert rows(session, "select max(id) from silver.trades") == [(7,)]
    other.execute("drop view silver.some")
    with pytest.raises(DbtDatabaseError, match="TABLE_OR_VIEW_NOT_FOUND"):
        session.execute("select * from silver.some")


def test_text_is_listed_at_each_read(session: EmbeddedSession, objects: dict[str, bytes]) -> None:
    query = "select value from text.`${spark.sql.warehouse.dir}/bronze/_loads` order by value"
    with pytest.raises(DbtDatabaseError, match="PATH_NOT_FOUND"):
        session.execute(query)
    objects["bucket/some lake/bronze/_loads/1.jsonl"] = b'{"a": 1}\n{"a": 2}\n'
    objects["bucket/some lake/bronze/_loads/deeper/2.jsonl"] = b"not listed\n"
    assert rows(session, query) == [('{"a": 1}',), ('{"a": 2}',)]
    objects["bucket/some lake/bronze/_loads/1.jsonl"] = b'{"a": 3}\n'
    assert rows(session, query) == [('{"a": 3}',)]


def test_descriptions_are_one_commit_that_fails_where_the_version_is_taken(
    session: EmbeddedSession, lake: Lake, objects: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.statements.comment_columns("silver", "trades", {"id": "its number", "name": "its name"})
    assert commits(objects) == 2
    assert [row[2] for row in rows(session, "describe silver.trades")] == ["its number", "its name", None]
    # another writer comes between the look at the log and the commit
    commit = lake.storage.commit

    def late(schema: str, name: str, version: int, text: str) -> None:
        objects[f"bucket/some lake/silver/trades/_delta_log/{version:020}.json"] = b"theirs"
        commit(schema, name, version, text)

    monkeypatch.setattr(lake.storage, "commit", late)
    with pytest.raises(EmbeddedError, match=r"DELTA_CONCURRENT_WRITE.*silver\.trades"):
        session.statements.comment_columns("silver", "trades", {"id": "another"})
    assert objects["bucket/some lake/silver/trades/_delta_log/00000000000000000002.json"] == b"theirs"


def test_each_data_file_is_fetched_once_for_all_processes(
    session: EmbeddedSession, tmp_path: Path, objects: dict[str, bytes]
) -> None:
    assert rows(session, "select count(*) from silver.trades") == [(2,)]
    for key in [key for key in objects if key.endswith(".parquet")]:
        objects[key] = b"gone from the store"
    other = EmbeddedSession(Lake(ROOT, "600MB", 1, str(tmp_path / "scratch")))
    assert rows(other, "select count(*) from silver.trades") == [(2,)]


def test_a_data_file_that_is_gone_is_named(session: EmbeddedSession, objects: dict[str, bytes]) -> None:
    (gone,) = [key for key in objects if key.endswith(".parquet")]
    del objects[gone]
    with pytest.raises(DbtDatabaseError, match=r"UNREADABLE_TABLE.*silver\.trades") as raised:
        session.execute("select * from silver.trades")
    assert gone in str(raised.value)


@pytest.mark.parametrize(
    ("root", "changed", "message"),
    [
        pytest.param("s3://", {}, "names no bucket", id="no-bucket"),
        pytest.param("gs://bucket", {}, "local disks and on S3", id="other-store"),
        pytest.param(
            ROOT, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, "cannot be reached", id="nobody-there"
        ),
        pytest.param(ROOT, {"AWS_ENDPOINT_URL": "here"}, "cannot be reached at here", id="no-address"),
    ],
)
def test_a_lake_that_cannot_be_opened_is_an_error_with_its_fix(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, changed: dict[str, str], message: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EmbeddedError, match=message) as raised:
        Lake(root, "600MB", 1, str(tmp_path))
    assert SECRET not in str(raised.value)
    assert KEY not in str(raised.value)


def test_keys_that_a_store_repeats_are_not_shown(store: str, lake: Lake) -> None:
    answer = f"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId>{SECRET}</Error>"
    shown = lake.storage.without_secrets(answer)
    assert "SignatureDoesNotMatch" in shown
    assert KEY not in shown
    assert SECRET not in shown
