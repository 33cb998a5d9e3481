"""Work lists: dbt's queue tables, and what a person gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from api_rows import address
from deltalake import write_deltalake

from loaders.queues import WorkItem, given_items, queued_items
from smart_trader.errors import SettingsError, SmartTraderError

AS_OF = datetime(2026, 11, 24, 9, tzinfo=UTC)
A, B, C, D = (address(name) for name in "ABCD")


def queue(folder: Path, *rows: dict[str, Any]) -> str:
    """Write a queue as dbt's models do."""
    columns = {
        "item": pa.string(),
        "due_at": pa.timestamp("us", tz="UTC"),
        "queue_rank": pa.int64(),
        "attempts": pa.int32(),
        "newest_known_time": pa.int64(),
        "resume_before_time": pa.int64(),
        "resume_since_time": pa.int64(),
    }
    made = [{"due_at": AS_OF, "attempts": 0, **row} for row in rows]
    write_deltalake(str(folder), pa.Table.from_pylist(made, pa.schema(columns.items())))
    return str(folder)


def test_what_is_due_comes_in_the_queues_order(tmp_path: Path) -> None:
    late, soon = AS_OF - timedelta(hours=1), AS_OF + timedelta(seconds=1)
    made = queue(
        tmp_path / "queue",
        {"item": A, "queue_rank": 3, "due_at": late},
        {"item": B, "queue_rank": 1, "newest_known_time": 5, "resume_before_time": 4, "resume_since_time": 2},
        {"item": C, "queue_rank": 2, "due_at": soon},
    )
    assert queued_items(made, AS_OF) == [WorkItem(B, "queue", 5, 4, 2), WorkItem(A)]
    assert queued_items(made, AS_OF - timedelta(days=1)) == []


def test_a_queue_for_tokens_has_fewer_columns(tmp_path: Path) -> None:
    table = pa.table({"item": [A], "due_at": pa.array([AS_OF], pa.timestamp("us", tz="UTC")), "queue_rank": [1]})
    write_deltalake(str(tmp_path / "queue"), table)
    assert queued_items(str(tmp_path / "queue"), AS_OF) == [WorkItem(A)]


def test_before_the_first_build_the_command_to_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SmartTraderError, match=r"(?s)no table .*queue.*dbt build"):
        queued_items(str(tmp_path / "queue"), AS_OF)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"{A}\n{B}\n", [A, B], id="lines"),
        pytest.param(f"\n# mine\n  {A}  # note\n\n{A}\n", [A], id="comments-blanks-repeats"),
        pytest.param(f"{A}\r\n{B}", [A, B], id="windows-lines"),
        pytest.param(f"\ufeff{A}\n", [A], id="windows-mark"),
    ],
)
def test_a_file_holds_an_address_a_line(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "my wallets.txt").write_text(text)
    assert [item.item for item in given_items(str(tmp_path / "my wallets.txt"), "--wallets")] == found


def test_addresses_can_stand_in_the_command() -> None:
    assert given_items(f"{A}, {B}", "--wallets") == [WorkItem(A, "given"), WorkItem(B, "given")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(f"{A}\nnot-an-address\n", "line 2: 'not-an-address'", id="names-the-line"),
        pytest.param("\n".join("0OIl" * 8 for _ in range(5)), "and 2 more", id="many"),
        pytest.param(f"{A}\n{A[:-2]}", "line 2: 'Az*'\n", id="cut-address"),
        pytest.param("# nothing\n", "no address in it", id="empty"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "wallets").write_text(text)
    with pytest.raises(SmartTraderError, match=message):
        given_items(str(tmp_path / "wallets"), "--wallets")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("foo", "--wallets 'foo': no such file, and no Solana address\n  fix: name a file", id="one-word"),
        pytest.param(
            "foo,bar", "--wallets: no Solana address: 'foo'; 'bar'\n  fix: .*letters and digits of base58", id="words"
        ),
        pytest.param(f"{A},foo", "--wallets: no Solana address: 'foo'\n", id="one-of-a-list"),
        pytest.param(A[:-1], "no such file, and no Solana address", id="cut-address"),
        pytest.param("x" * 5000, "--wallets 'x{60}\\.\\.\\.': no such file", id="too-long-for-a-name"),
        pytest.param("", "--wallets is empty", id="empty"),
        pytest.param(" ", "--wallets is empty", id="blank"),
        pytest.param(",", "no address in it", id="comma"),
        pytest.param("/", "cannot read --wallets /: Is a directory", id="folder"),
    ],
)
def test_what_is_neither_a_file_nor_addresses_is_refused(source: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        given_items(source, "--wallets")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(f"{A}\n".encode("utf-16"), "it is UTF-16 text, not UTF-8\n  fix: save it as UTF-8", id="utf-16"),
        pytest.param(f"{A}\n".encode("utf-16-le"), "line 1 holds a zero byte", id="utf-16-without-a-mark"),
        pytest.param(f"{A}\n".encode("utf-32"), "it is UTF-32 text", id="utf-32"),
        pytest.param(
            f"{A}\n# caf".encode() + b"\xe9\n", "line 2 holds the byte 0xe9, which is not UTF-8", id="latin-1"
        ),
    ],
)
@pytest.mark.parametrize("is_piped", [False, True], ids=["file", "standard-input"])
def test_a_file_in_another_encoding_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str, is_piped: bool
) -> None:
    (tmp_path / "wallets").write_bytes(content)
    with (tmp_path / "wallets").open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        with pytest.raises(SettingsError, match=message):
            given_items("-" if is_piped else str(tmp_path / "wallets"), "--wallets")
