"""`smart-trader sql`: its forms, its errors, and the shell on a terminal."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import smart_trader.lake
from smart_trader.cli import smart_trader as program
from smart_trader.errors import SmartTraderError
from smart_trader.shell.formats import SHOWN_ROWS, Output, own_place
from smart_trader.shell.statements import HELP, run_text
from tests.python.support.engine import PROJECT, clean_environment
from tests.python.support.small_lake import HOSTILE, make_small_lake

# It ends by Ctrl-C alone.
LONG = "select count(*) from range(100000000000) as a;"
ALL = "select * from gold.leaderboard order by wallet_address"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DBT_TARGET", "LAKEHOUSE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "lake"))
    return make_small_lake(tmp_path / "lake").home


def run(*arguments: str, given: str | None = None) -> Result:
    done = CliRunner().invoke(program, ["sql", *arguments], input=given)
    if isinstance(done.exception, SmartTraderError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def on_terminal(home: Path, text: str, width: int = 80) -> str:
    stream = io.StringIO()
    with smart_trader.lake.open(home) as lake:
        run_text(lake, text, "table", Output(stream, width))
    return stream.getvalue()


@pytest.mark.usefixtures("home")
class TestForms:
    def test_made_up_rows_are_marked_on_stderr(self) -> None:
        done = run("select 1 as one")
        assert done.stderr == "made-up data, from a sandbox: none of its wallets and tokens exists\n"
        assert done.stdout == "one\n  1\n"

    def test_csv_has_every_value_as_it_is(self) -> None:
        rows = list(csv.reader(io.StringIO(run(ALL, "--format", "csv").stdout)))
        assert rows == [
            ["wallet_address", "name", "total_pnl", "seen_at"],
            ["a", "plain", "12.500001", "2026-09-21T09:30:00Z"],
            ["b", HOSTILE, "-0.000001", ""],
        ]

    def test_json_has_numbers_with_their_own_digits(self) -> None:
        text = run(ALL, "--format", "json").stdout
        first, second = json.loads(text, parse_float=str)
        assert first == {
            "wallet_address": "a",
            "name": "plain",
            "total_pnl": "12.500001",
            "seen_at": "2026-09-21T09:30:00Z",
        }
        assert (second["name"], second["total_pnl"], second["seen_at"]) == (HOSTILE, "-0.000001", None)
        assert text.isascii()
        assert json.loads(run("select 1 as a where false", "--format", "json").stdout) == []
        nothing = "select 'nan'::double as a, [1.5, null] as b, {'c': 2.50::decimal(9, 2)} as d, '\\xff'::blob as e"
        assert json.loads(run(nothing, "--format", "json").stdout) == [
            {"a": None, "b": [1.5, None], "d": {"c": 2.5}, "e": "ff"}
        ]
        with pytest.raises(SmartTraderError, match="two columns are named a"):
            run("select 1 as a, 2 as a", "--format", "json")

    def test_markdown_has_nothing_but_text_in_its_cells(self) -> None:
        head, line, first, second = run(ALL, "--format", "markdown").stdout.splitlines()
        assert head == r"| wallet\_address | name | total\_pnl | seen\_at |"
        assert line == "| --- | --- | ---: | --- |"
        assert first == r"| a | plain | 12.500001 | 2026\-09\-21T09\:30\:00Z |"
        assert "\\|pe" in second
        assert "\\<b\\>" in second
        assert "\x1b" not in second

    def test_parquet_keeps_types(self) -> None:
        table = pq.read_table(io.BytesIO(run(ALL, "--format", "parquet").stdout_bytes))
        assert [str(field.type) for field in table.schema][2:] == ["decimal128(38, 6)", "timestamp[us, tz=UTC]"]
        assert table.num_rows == 2

    def test_a_file_and_standard_input_hold_queries(self, tmp_path: Path) -> None:
        file = tmp_path / "queries.sql"
        file.write_text("-- two\nselect 1 as a;\nselect ';' as b;\n")
        assert run("--file", str(file)).stdout == "a\n1\n\nb\n;\n"
        assert run(given="select 3 as c").stdout == "c\n3\n"
        with pytest.raises(SmartTraderError, match="json holds the rows of one query, and there are 2"):
            run("--file", str(file), "--format", "json")
        with pytest.raises(SmartTraderError, match=r"cannot read .*none\.sql"):
            run("--file", str(tmp_path / "none.sql"))

    def test_commands_with_a_dot_list_tables_and_columns(self) -> None:
        assert run(".tables").stdout.splitlines()[:3] == [
            "gold.counts (view)",
            "gold.earners (view)",
            "gold.leaderboard",
        ]
        assert "total_pnl       DECIMAL(38,6)" in run(".schema gold.leaderboard").stdout
        with pytest.raises(SmartTraderError, match=r"no command \.tabels\n"):
            run(".tabels")
        with pytest.raises(SmartTraderError, match=r"no command \.tabels\n"):
            run(given=".tabels\nselect 1;\n")

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            pytest.param(".help\n.help\nselect 1 as a;\n", f"{HELP}\n\n{HELP}\n\na\n1\n", id="before-a-query"),
            pytest.param("select 1 as a;\n  .help\n", f"a\n1\n\n{HELP}\n", id="after-a-query"),
            pytest.param("select 1 as a; -- ;\n/* '\n */\n.help;\r\n", f"a\n1\n\n{HELP}\n", id="after-a-comment"),
            pytest.param("select 1 +\n.5 as a;\n.help", f"  a\n1.5\n\n{HELP}\n", id="inside-a-query"),
            pytest.param("select 'é;\n.help\n' <> '' as a;", "a\nTrue\n", id="inside-a-quote"),
            pytest.param("/*;\n.help\n*/ select 1 as a", "a\n1\n", id="inside-a-comment"),
            pytest.param("select 1 as a;\n.quit\nselekt;\n.tabels\n", "a\n1\n", id="quit-ends-the-input"),
            pytest.param(".quit", "", id="quit-alone"),
        ],
    )
    def test_a_line_with_a_dot_is_a_command_where_no_query_is_begun(
        self, tmp_path: Path, text: str, shown: str
    ) -> None:
        file = tmp_path / "queries.sql"
        file.write_text(text, newline="")
        assert run("--file", str(file)).stdout == run(given=text).stdout == run(text).stdout == shown

    def test_a_wrong_query_after_a_command_has_its_line(self) -> None:
        with pytest.raises(SmartTraderError, match="LINE 4: selekt 2"):
            run(given="select 1;\n.help\n\nselekt 2;\n")

    def test_one_result_is_no_room_for_a_command_beside_a_query(self) -> None:
        with pytest.raises(SmartTraderError, match=r"json holds .* and there are 2 queries and commands"):
            run("--format", "json", given=".tables\nselect 1;\n")
        assert json.loads(run("--format", "json", given="select 1 as a;\n.quit\n").stdout) == [{"a": 1}]


class TestTerminal:
    def test_a_table_that_fits_is_one(self, home: Path) -> None:
        assert on_terminal(home, "select wallet_address, total_pnl from gold.leaderboard order by 1") == (
            "wallet_address  total_pnl\na               12.500001\nb               -0.000001\n2 rows\n"
        )

    @pytest.mark.parametrize("behind", ["", ";", "; -- é;", ";\n/* ; */\n", " -- ;", ";;"])
    def test_what_stands_behind_a_query_is_no_part_of_it(self, home: Path, behind: str) -> None:
        assert on_terminal(home, f"select 'é;' as mark{behind}") == "mark\né;\n1 row\n"

    def test_a_wider_one_has_a_line_for_each_value(self, home: Path) -> None:
        shown = on_terminal(home, ALL, width=50)
        assert shown.startswith("-- row 1\nwallet_address  a\nname            plain\n")
        assert shown.endswith("2 rows\n")
        assert max(map(len, shown.splitlines())) <= 50

    def test_what_would_steer_a_terminal_is_written_out(self, home: Path) -> None:
        for form in ("table", "csv", "json", "markdown"):
            stream = io.StringIO()
            with smart_trader.lake.open(home) as lake:
                run_text(lake, ALL, form, Output(stream, 200))
            assert "\x1b" not in stream.getvalue()
            assert "\u202e" not in stream.getvalue()

    def test_more_rows_than_a_screen_are_cut_and_said(self, home: Path) -> None:
        lines = on_terminal(home, "select range as n from range(1000)").splitlines()
        assert len(lines) == SHOWN_ROWS + 2
        assert lines[-1] == f"... and more: these are the first {SHOWN_ROWS}; a pipe or a file gets all"
        stream = io.StringIO()
        with smart_trader.lake.open(home) as lake:
            run_text(lake, "select range as n from range(1000)", "table", Output(stream))
        assert len(stream.getvalue().splitlines()) == 1001

    @pytest.mark.parametrize("width", [None, 80], ids=["pipe", "terminal"])
    @pytest.mark.parametrize(
        ("query", "place"),
        [
            pytest.param(
                "select cast(name as int) from gold.leaderboard",
                "LINE 1: select cast(name as int) from gold.leaderboard\n               ^^^^^^^^^^^^^^^^^",
                id="one-line",
            ),
            pytest.param(
                "select\n  cast(name as int)\nfrom gold.leaderboard",
                "LINE 2:   cast(name as int)\n          ^^^^^^^^^^^^^^^^^",
                id="second-line",
            ),
            # the query that a terminal's first rows are read by has two lines before it
            pytest.param(
                "select" + "\n" * 8 + "cast(name as int) from gold.leaderboard",
                "LINE 9: cast(name as int) from gold.leaderboard\n        ^^^^^^^^^^^^^^^^^",
                id="fewer-digits",
            ),
        ],
    )
    def test_a_query_that_fails_on_a_row_has_its_own_line(
        self, home: Path, query: str, place: str, width: int | None
    ) -> None:
        with smart_trader.lake.open(home) as lake, pytest.raises(SmartTraderError) as wrong:
            run_text(lake, query, "table", Output(io.StringIO(), width))
        assert wrong.value.what.endswith(f"\n\n{place}"), wrong.value.what

    def test_a_place_outside_the_query_is_left_out(self) -> None:
        message = "Error: wrong\n\nLINE 4: ) AS x LIMIT 3\n               ^^^^^^^"
        assert own_place(message, "select 1", "SELECT * FROM\n(\nselect 1\n) AS x LIMIT 3") == "Error: wrong"
        assert own_place("Error: wrong", "select 1", "select 1") == "Error: wrong"

    def test_parquet_is_kept_from_a_terminal(self, home: Path) -> None:
        with smart_trader.lake.open(home) as lake, pytest.raises(SmartTraderError, match="nothing for a terminal"):
            run_text(lake, "select 1", "parquet", Output(io.StringIO(), 80))


def test_the_shell_runs_queries_and_goes_on_after_an_error(home: Path, tmp_path: Path) -> None:
    """On a real terminal: a query of two lines, a wrong one, one that is stopped, a command, and the end."""
    typed = f"-- no query yet\n.help\nselect ';' as mark,\n1 + 1 as two; -- ends here\nselect nonsense;\n{LONG}\n.tables\n.quit\n"
    main, other = pty.openpty()
    environment = clean_environment(LAKEHOUSE_HOME=str(home), SMART_TRADER_CACHE=str(tmp_path / "cache"), TERM="dumb")
    command = [sys.executable, "-m", "smart_trader.cli", "sql"]
    shell = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, cwd=PROJECT, env=environment)
    os.close(other)
    shown = _read_until(main, "sql> ")
    for line in typed.splitlines():
        os.write(main, f"{line}\n".encode())
        if line == LONG:
            time.sleep(2)
            shell.send_signal(signal.SIGINT)
        shown += _read_until(main, "> ") if line != ".quit" else ""
    assert shell.wait(60) == 0
    assert "made-up data" in shown
    assert ";       2" in shown
    assert "LINE 1: select nonsense" in shown
    assert "KeyboardInterrupt" in shown
    assert "gold.earners (view)" in shown
    assert (tmp_path / "cache" / "sql_history").is_file()


def _read_until(terminal: int, end: str) -> str:
    shown, until = "", time.monotonic() + 120
    while not shown.endswith(end):
        assert time.monotonic() < until, shown
        shown += os.read(terminal, 4096).decode()
    return shown


def test_whoever_reads_a_part_ends_it_without_an_error(home: Path) -> None:
    command = (
        f"{shlex.quote(sys.executable)} -m smart_trader.cli sql 'select * from range(1000000)' --format csv | head -2"
    )
    environment = clean_environment(LAKEHOUSE_HOME=str(home))
    done = subprocess.run(
        ["bash", "-c", command], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "range\n0\n"
    assert "Error" not in done.stderr
