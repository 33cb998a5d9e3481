"""`status` on lakes of a few rows: what needs attention, a monitor's exit codes, JSON, Prometheus' format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from loaders.budget import STEPS
from smart_trader.birdeye import MONTHLY_CU
from smart_trader.cli import smart_trader
from smart_trader.config.paths import LakePaths
from smart_trader.lake.identity import claim_source
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.steps import STEPS as RUN_STEPS
from smart_trader.reports.durations import duration_text, parse_duration, short_duration
from smart_trader.reports.run_history import LAST_STEP, OPTIONAL_STEPS, STEPS_OF_KINDS

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
# a name that a terminal, a label or a monitor's line would take for something else
HOSTILE = 'a"b\\c|d\x1b[31m\ne'
SAMPLE = re.compile(r'smart_trader_[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? (\d+(\.\d+)?(e[+-]?\d+)?)')


@pytest.fixture(autouse=True)
def at_present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lake's age count from its test, which may begin long after this file was read."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


@pytest.fixture
def lake(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of one good run of an hour ago, on real data."""
    for name in ("LAKEHOUSE_URI", "DBT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    made = Lake(LakePaths(tmp_path, str(tmp_path)))
    claim_source(made.paths, "birdeye")
    write(made, "gold", "leaderboard", {"wallet_address": "a"}, {"wallet_address": "b"})
    write(made, "silver", "whale_fetch_queue", {"due_at": NOW - HOUR}, {"due_at": NOW + 49 * HOUR})
    run(made, "first", NOW - HOUR)
    return made


def write(lake: Lake, schema: str, table: str, *rows: dict[str, Any]) -> None:
    write_deltalake(lake.location(schema, table), pa.Table.from_pylist(list(rows)), mode="append")


def run(lake: Lake, run_id: str, at: datetime, *, cu: int = 100, **outcomes: str) -> None:
    """Note a run whose steps ended well but for those given."""
    rows = [
        {
            "run_id": run_id,
            "step": step.name,
            "outcome": outcomes.get(step.name, "complete"),
            "data_source": "birdeye",
            "as_of": at,
            "started_at": at + timedelta(seconds=number),
            "landed_at": at + timedelta(seconds=20),
            "rows": 10 if step.name.startswith("load") else 0,
            "requests": 1,
            "cu": cu if step.name == "load_tokens" else 0,
            "seconds": "1.500",
            "error": HOSTILE if step.name in outcomes else "",
        }
        for number, step in enumerate(RUN_STEPS)
    ]
    write(lake, "bronze", "pipeline_runs", *rows)


def status(*arguments: str) -> Result:
    return CliRunner().invoke(smart_trader, ["status", *arguments], catch_exceptions=False)


def facts() -> dict[str, Any]:
    return dict(json.loads(status("--format", "json").stdout))


# What happens to the good lake; how many hours old a list may be; the exit code and what is said.
CASES: dict[str, tuple[Callable[[Lake], None], str, int, str]] = {
    "good": (lambda lake: None, "13h", 0, r"OK - list of 2 wallets, 6\d minutes old \| age=3"),
    "stale": (lambda lake: None, "40m", 1, r"WARNING - the list is 6\d minutes old, more than 40 minutes"),
    "twice-as-old": (lambda lake: None, "20m", 2, r"CRITICAL - the list is 6\d minutes old"),
    "failed": (
        lambda lake: run(lake, "second", NOW, load_tokens="failed"),
        "13h",
        2,
        "CRITICAL - the last run failed: load_tokens: a",
    ),
    "failed-then-good": (
        lambda lake: (run(lake, "second", NOW - HOUR / 2, load_tokens="failed"), run(lake, "third", NOW))[0],
        "13h",
        0,
        "OK - list of 2 wallets, ",
    ),
    # a scheduler's second try has the first one's name
    "tried-again": (
        lambda lake: (run(lake, "second", NOW - HOUR / 2, load_tokens="failed"), run(lake, "second", NOW))[0],
        "13h",
        0,
        "OK - ",
    ),
    "partial": (lambda lake: run(lake, "second", NOW, load_whales="partial"), "13h", 1, "WARNING - the last run left"),
    "details-failed": (lambda lake: run(lake, "second", NOW, load_details="failed"), "13h", 1, "WARNING - the last"),
    # a list of a run that failed is no newer
    "failed-and-old": (
        lambda lake: run(lake, "second", NOW, build_traders="failed"),
        "40m",
        2,
        "CRITICAL - the last run failed",
    ),
    "units-near": (
        lambda lake: run(lake, "second", NOW, cu=MONTHLY_CU["starter"] * 9 // 10),
        "13h",
        1,
        "WARNING - 4,500,",
    ),
    "units-gone": (
        lambda lake: run(lake, "second", NOW, cu=MONTHLY_CU["starter"]),
        "13h",
        2,
        "CRITICAL - 5,000,",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_monitor_learns_by_the_exit_code(lake: Lake, case: str) -> None:
    change, max_age, code, words = CASES[case]
    change(lake)
    done = status("--check", "--max-age", max_age)
    assert done.exit_code == code, done.stdout
    assert re.match(words, done.stdout), done.stdout
    # one line, and no bar but the one before the figures
    assert re.fullmatch(r"[^|\n\x1b]+ \| age=\d+s disk=[\d.]+%;80;90 units=\d+;;;0;5000000\n", done.stdout)
    # the same is what a person reads first, and a program finds
    assert status("--max-age", max_age).stdout.startswith(("WARNING:", "CRITICAL:") if code else "lake ")


def test_a_disk_that_fills_up_is_a_warning(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = iter([(0.0, 100.0), (0.0, 0.0)])
    from smart_trader.reports import status as module

    read = module.read_variables

    def with_bounds(kind: Any) -> Any:
        warn, refuse = next(bounds)
        return read(kind, {"disk_warn_percent": warn, "disk_refuse_percent": refuse})

    monkeypatch.setattr(module, "read_variables", with_bounds)
    assert status("--check").exit_code == 1
    assert status("--check").exit_code == 2


@pytest.mark.parametrize("age", ["yesterday", "13", "0h", "-1h", "13 h", "1e3h", "99999d", "13h5"])
def test_an_age_that_is_none_is_refused(lake: Lake, age: str) -> None:
    done = CliRunner().invoke(smart_trader, ["status", "--check", "--max-age", age])
    assert done.exit_code == 2
    assert "is no length of time such as 13h, 90m or 2d" in done.output


def test_a_monitor_learns_that_there_is_no_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", "/nowhere/at/all")
    done = status("--check")
    assert (done.exit_code, done.stdout) == (2, "CRITICAL - there is no lake in /nowhere/at/all\n")


def test_json_has_numbers_and_iso_times(lake: Lake) -> None:
    known = facts()
    assert known["alerts"] == []
    assert known["list"]["as_of"] == (NOW - HOUR).isoformat()
    assert [step["seconds"] for step in known["last_run"]] == [1.5] * len(RUN_STEPS)
    assert known["runs"][0]["seconds"] == 12.0
    assert known["pending"]["tokens whose holders"] == {
        "due": 1,
        "later": 1,
        "next_due_at": (NOW + 49 * HOUR).isoformat(),
    }
    assert 0 < known["size"]["week_bytes"] == known["size"]["bytes"]


def test_units_of_a_killed_step_and_of_a_loader_count_and_those_of_another_month_do_not(lake: Lake) -> None:
    fetch = {"run_id": "killed", "kind": "swaps", "cu": 30, "landed_at": NOW}
    write(
        lake,
        "bronze",
        "fetch_log",
        fetch,
        # noted twice: by its fetch and by its step
        {**fetch, "run_id": "first", "kind": "tokens", "cu": 60, "landed_at": NOW - HOUR},
        {**fetch, "landed_at": NOW - timedelta(days=32)},
    )
    assert facts()["units"]["spent"] == (130 if (NOW - HOUR).month == NOW.month else 30)


def test_metrics_are_in_prometheus_format(lake: Lake) -> None:
    run(lake, "second", NOW, load_tokens="failed")
    lines = status("--format", "prometheus").stdout.splitlines()
    seen: dict[str, str] = {}
    for line in lines:
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            assert name not in seen
            assert text.endswith(".")
            seen[name] = "help"
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {[*seen][-1]} gauge"
            seen[[*seen][-1]] = "type"
        else:
            assert SAMPLE.fullmatch(line), line
            assert re.split("[{ ]", line)[0] == [*seen][-1]
            assert seen[[*seen][-1]] == "type"
    assert 'smart_trader_alerts{level="critical"} 1' in lines
    assert "smart_trader_last_run_success 0" in lines
    assert 'smart_trader_queue_items{queue="tokens whose holders",state="due"} 1' in lines
    assert "smart_trader_made_up_data 0" in lines


def test_the_newest_runs_are_listed_newest_first(lake: Lake) -> None:
    run(lake, "second", NOW - HOUR / 2)
    run(lake, "third", NOW, load_whales="partial")
    text = status("--runs", "2").stdout
    assert "first" not in text
    # "second" is a unit of time as well
    assert text.rindex("third ") < text.rindex("second ")
    assert [run["run_id"] for run in json.loads(status("--runs", "9", "--format", "json").stdout)["runs"]] == [
        "first",
        "second",
        "third",
    ]


@pytest.mark.parametrize("arguments", [(), ("--runs", "5"), ("--tables",), ("--help",)], ids=str)
def test_no_line_is_wider_than_a_terminal(lake: Lake, arguments: tuple[str, ...]) -> None:
    for number in range(3):
        run(lake, f"20261128T175815Z-6b064{number}", NOW, load_transactions="failed")
    text = status(*arguments).stdout
    # the lake's path is the test's
    assert [line for line in text.splitlines() if len(line) > 80 and str(lake.paths.home) not in line] == []
    assert "\x1b" not in text


def test_made_up_data_is_marked_and_spends_no_plan(lake: Lake) -> None:
    identity = lake.paths.local_root / "_lake.json"
    identity.write_text(identity.read_text().replace("birdeye", "sandbox"))
    run(lake, "second", NOW, cu=MONTHLY_CU["starter"])
    text = status().stdout
    assert "data from  a made-up market (sandbox): no real wallet, no real money" in text
    assert "nothing was paid" in text
    assert status("--check").exit_code == 0
    assert "smart_trader_made_up_data 1" in status("--format", "prometheus").stdout


def test_steps_and_kinds_are_those_of_the_loaders_and_the_pipeline() -> None:
    assert STEPS_OF_KINDS == STEPS
    assert RUN_STEPS[-1].name == LAST_STEP
    assert {step.name for step in RUN_STEPS if step.is_optional} == OPTIONAL_STEPS


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "less than a second"), (1, "1 second"), (90, "90 seconds"), (120, "2 minutes"), (5400, "90 minutes"),
     (7200, "2 hours"), (93_600, "26 hours"), (258_900, "3 days")],
)  # fmt: skip
def test_lengths_of_time_are_written_in_words(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words


@pytest.mark.parametrize(("seconds", "words"), [(10.68, "10.7 s"), (0.04, "0.0 s"), (760, "12 min 40 s")])
def test_work_is_told_in_seconds(seconds: float, words: str) -> None:
    assert short_duration(seconds) == words


def test_lengths_of_time_are_read() -> None:
    assert [parse_duration(text) for text in ("13h", "90m", "1.5d", "30s")] == [
        13 * HOUR,
        1.5 * HOUR,
        36 * HOUR,
        HOUR / 120,
    ]
