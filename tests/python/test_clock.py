"""Time at every entry point: one reader for all, and one rule for the times a run may be at."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import jinja2
import pytest

from loaders import cli as loaders_cli
from loaders.work_items import WorkItem
from smart_trader.clock import (
    check_as_of,
    check_command_time,
    check_follows,
    choose_as_of,
    latest_as_of,
    now,
    parse_timestamp,
    spelled,
)
from smart_trader.errors import SmartTraderError
from smart_trader.fifo.files import answers_of_file
from smart_trader.pipeline.cli import run_pipeline
from smart_trader.sandbox.cli import sandbox
from tests.python.support.engine import PROJECT

PRESENT = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
Reader = Callable[[str], datetime]


def option_of(group: click.Command, name: str) -> click.Parameter:
    return next(option for option in group.params if name in option.opts)


def by_loader(text: str) -> datetime:
    """Read what `--as-of` of a loader makes of a text."""
    command = loaders_cli.load.commands["tokens"]
    return option_of(command, "--as-of").type_cast_value(click.Context(command), text)


def by_run(text: str) -> datetime:
    return option_of(run_pipeline, "--as-of").type_cast_value(click.Context(run_pipeline), text)


def by_sandbox(text: str) -> datetime:
    """Read what `--clock` of the sandbox makes of a text, a fraction of a second included."""
    command = sandbox.commands["truth"]
    return option_of(command, "--clock").type_cast_value(click.Context(command), text)


def by_macro(text: str) -> datetime:
    """Read what a model's `as_of()` becomes, through the macro as dbt renders it."""
    from dbt.adapters.sparkconnect.impl import SparkConnectAdapter

    module = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False).from_string(
        (PROJECT / "macros" / "run" / "as_of.sql").read_text(), globals={
            "execute": True,
            "env_var": lambda name, _: {"SMART_TRADER_AS_OF": text}[name],
            "run_started_at": PRESENT,
            "adapter": SparkConnectAdapter.__new__(SparkConnectAdapter),
        }
    ).module  # fmt: skip
    literal = re.fullmatch(r"timestamp '(.*)Z'", module.as_of().strip())  # type: ignore[attr-defined]
    assert literal
    return datetime.strptime(literal[1], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)


def orders_of_trades(folder: Path, *times: object) -> list[str]:
    """Return the quantities of buys at some times in the order of their lots; the first one's quantity is 1."""
    trades = [{"t": time, "side": "buy", "qty": number} for number, time in enumerate(times, 1)]
    (folder / "mine.json").write_text(json.dumps([{"trades": trades}]))
    (answer,) = answers_of_file(folder / "mine.json")
    return [lot["qty"] for lot in answer["open_lots"]]


READERS = {"loader": by_loader, "run": by_run, "sandbox": by_sandbox, "macro": by_macro}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("20260131", datetime(2026, 1, 31, tzinfo=UTC), id="basic-date-is-no-unix-time"),
        pytest.param("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC), id="date"),
        pytest.param("20260131T090000Z", datetime(2026, 1, 31, 9, tzinfo=UTC), id="basic-time"),
        pytest.param("2026-01-31T09:00", datetime(2026, 1, 31, 9, tzinfo=UTC), id="no-zone-is-utc"),
        pytest.param("2026-01-31 09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC), id="blank-between"),
        pytest.param("2026-01-31T09:00:00-05:00", datetime(2026, 1, 31, 14, tzinfo=UTC), id="offset"),
        pytest.param("2026-01-31T09:00:00.25Z", datetime(2026, 1, 31, 9, 0, 0, 250_000, tzinfo=UTC), id="iso-fraction"),
        pytest.param("1790000000", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC), id="unix"),
        pytest.param("1790000000.5", datetime(2026, 9, 21, 14, 13, 20, 500_000, tzinfo=UTC), id="unix-fraction"),
        pytest.param("1790000000.123456789", datetime(2026, 9, 21, 14, 13, 20, 123_456, tzinfo=UTC), id="cut-to-micro"),
        pytest.param(" 1790000000\n", datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC), id="blanks-around"),
        pytest.param("0", datetime(1970, 1, 1, tzinfo=UTC), id="epoch"),
        pytest.param("9999", datetime(1970, 1, 1, 2, 46, 39, tzinfo=UTC), id="four-digits-are-seconds"),
    ],
)
def test_one_text_is_one_time_everywhere(text: str, expected: datetime, tmp_path: Path) -> None:
    assert {name: read(text) for name, read in READERS.items()} == dict.fromkeys(READERS, expected)
    # a trade at that time lies between one just before and one just after
    before = expected - MICROSECOND if expected > datetime(1970, 1, 1, tzinfo=UTC) else expected
    times = [(expected + MICROSECOND).isoformat(), text, before.isoformat()]
    assert orders_of_trades(tmp_path, *times) == ["3", "2", "1"] if before < expected else ["2", "3", "1"]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday", "20261301", "12345678", "1700000000000", "20260131090000", "-5", "1e9", "+1790000000", "1_790_000_000",
        "\u0661\u0667\u0669", "2026-02-30", "2026-01-31T25:00", "0001-01-01T00:00+23:00", "31/01/2026", "1790000000.", ".5",
        "1790000000\x1f", "\u00a01790000000",
    ],
)  # fmt: skip
def test_what_is_no_timestamp_is_refused_everywhere(text: str, tmp_path: Path) -> None:
    for read in READERS.values():
        with pytest.raises(Exception, match="is no timestamp") as refused:
            read(text)
        assert "fix: write it as 2026-01-31T09:00:00Z, 2026-01-31 (both UTC), or seconds since 1970" in str(
            refused.value
        )
    with pytest.raises(SmartTraderError, match="trade 0: 0: t is"):
        orders_of_trades(tmp_path, text)


def test_a_refused_timestamp_names_where_it_stood() -> None:
    for read, name in ((by_loader, "--as-of"), (by_sandbox, "--clock"), (by_macro, "SMART_TRADER_AS_OF")):
        with pytest.raises(Exception, match=f"{name}: 'noon' is no timestamp"):
            read("noon")


def test_numbers_of_json_are_read_as_their_text(tmp_path: Path) -> None:
    assert orders_of_trades(tmp_path, 9999, "9998.5", 10000) == ["2", "1", "3"]
    # 2026-01-31 as a bare number; whole numbers with a point or an exponent are whole
    assert orders_of_trades(tmp_path, 20260131, "2026-01-30T23:59:59Z", "2026-01-31T00:00:01Z") == ["2", "1", "3"]
    assert orders_of_trades(tmp_path, 1.79e9, 1789999999, 1790000000.5) == ["2", "1", "3"]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_what_is_printed_is_utc(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        shown = loaders_cli._format_item(WorkItem("w", "queue", resume_before_time=1_790_000_000))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert shown == "w  goes on before 2026-09-21T14:13:20Z"


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("source", ["birdeye", "sandbox", "replay", None])
@pytest.mark.parametrize(
    ("as_of", "allowed"),
    [
        pytest.param(PRESENT, {"birdeye", "sandbox", "replay", None}, id="now"),
        pytest.param(PRESENT + timedelta(minutes=5), {"birdeye", "sandbox", "replay", None}, id="skewed-clock"),
        pytest.param(PRESENT + timedelta(minutes=5) + SECOND, {"sandbox", "replay"}, id="beyond-skew"),
        pytest.param(PRESENT + 400 * DAY, {"sandbox", "replay"}, id="made-up-lead"),
        pytest.param(PRESENT + 400 * DAY + SECOND, set(), id="beyond-made-up-lead"),
        pytest.param(parse_timestamp("2072-11-27"), set(), id="mistyped-year"),
        pytest.param(parse_timestamp("9999-12-31"), set(), id="year-9999"),
        pytest.param(parse_timestamp("2072.0"), set(), id="seconds-like-a-year"),
        pytest.param(parse_timestamp("2020-03-15"), set(), id="before-the-first-block"),
    ],
)
def test_a_run_is_not_in_the_future(source: str | None, as_of: datetime, allowed: set[str | None]) -> None:
    if source in allowed:
        check_as_of(as_of, source, present=PRESENT)
        return
    with pytest.raises(SmartTraderError, match=r"--as-of .* is (in the future|before Solana's first block)"):
        check_as_of(as_of, source, present=PRESENT)


@pytest.mark.parametrize(
    ("newest", "source", "fix"),
    [
        pytest.param(PRESENT - DAY, "birdeye", "leave --as-of out, or give 2026-06-14T12:00:00Z or later", id="older"),
        pytest.param(
            PRESENT + SECOND,
            "birdeye",
            "ahead of this machine's clock .*: give --as-of 2026-06-15T12:00:01Z",
            id="skew",
        ),
        pytest.param(
            PRESENT + 30 * DAY, "sandbox", "give --as-of 2026-07-15T12:00:00Z or later, or wait", id="made-up"
        ),
        pytest.param(PRESENT + 18 * DAY, "birdeye", "smart-trader discard-future", id="future"),
        pytest.param(PRESENT + 500 * DAY, "sandbox", "smart-trader discard-future", id="far-future"),
    ],
)
def test_the_advice_fits_why_a_run_is_before_its_lake(newest: datetime, source: str, fix: str) -> None:
    with pytest.raises(
        SmartTraderError, match=f"before the lake's newest, {spelled(newest)}\n  fix: .*{fix}"
    ) as refused:
        check_follows(PRESENT - 2 * DAY, newest, source, present=PRESENT)
    assert ("leave --as-of out" in str(refused.value)) is (newest < PRESENT)
    check_follows(newest, newest, source, present=PRESENT)
    check_follows(PRESENT, None, source, present=PRESENT)


def test_dbt_is_held_to_the_same_rule_under_the_name_of_its_variable() -> None:
    soon = spelled(now() + DAY)
    with pytest.raises(SmartTraderError, match=f"SMART_TRADER_AS_OF {soon} is in the future: .*\n.*leave it out"):
        check_command_time(soon, now(), None, "birdeye")
    check_command_time(soon, now(), None, "sandbox")
    with pytest.raises(SmartTraderError, match=r"SMART_TRADER_AS_OF 2026-01-31T00:00:00Z is before the lake's newest"):
        check_command_time("20260131", now(), "2026-02-01T00:00:00.000000Z", "birdeye")
    with pytest.raises(SmartTraderError, match="discard-future"):
        check_command_time("", now(), "2072-02-01T00:00:00.000000Z", "birdeye")
    check_command_time("", now(), None, None)


@pytest.mark.parametrize(
    ("wanted", "newest", "source", "chosen", "note"),
    [
        pytest.param("", None, None, PRESENT, "", id="empty-lake"),
        pytest.param(
            "2026-06-15T09:00:00+00:00", PRESENT - DAY, "birdeye", PRESENT - 3 * 3600 * SECOND, "", id="wanted"
        ),
        pytest.param(
            "2026-06-01", PRESENT - DAY, "birdeye", PRESENT, "taking now, 2026-06-15T12:00:00Z", id="lake-is-past-it"
        ),
        pytest.param(
            "",
            PRESENT + SECOND,
            "birdeye",
            PRESENT + SECOND,
            "taking the lake's newest, 2026-06-15T12:00:01Z",
            id="skew",
        ),
        pytest.param("2026-07-16", PRESENT + 30 * DAY, "sandbox", PRESENT + 30.5 * DAY, "", id="made-up-wanted"),
    ],
)
def test_a_scheduler_gets_a_time(
    wanted: str, newest: datetime | None, source: str | None, chosen: datetime, note: str
) -> None:
    found, note_given = choose_as_of(wanted, newest, source, PRESENT)
    assert found == chosen
    assert note_given.endswith(note) if note else not note_given


@pytest.mark.parametrize(
    ("wanted", "newest", "source", "message"),
    [
        pytest.param("2072-11-27", None, None, "the time 2072-11-27T00:00:00Z is in the future", id="wanted-future"),
        pytest.param("", PRESENT + 18 * DAY, "birdeye", "smart-trader discard-future", id="future-lake"),
        pytest.param("", PRESENT + 18 * DAY, "sandbox", "give each run an --as-of of its own", id="made-up-lake-ahead"),
        pytest.param("", PRESENT + 500 * DAY, "sandbox", "smart-trader discard-future", id="far-future-lake"),
    ],
)
def test_a_scheduler_never_takes_a_time_of_the_future_for_all_its_runs(
    wanted: str, newest: datetime | None, source: str | None, message: str
) -> None:
    with pytest.raises(SmartTraderError, match=message):
        choose_as_of(wanted, newest, source, PRESENT)


def test_the_limit_of_a_lake() -> None:
    assert latest_as_of("birdeye", PRESENT) == latest_as_of(None, PRESENT) == PRESENT + timedelta(minutes=5)
    assert latest_as_of("replay", PRESENT) == PRESENT + 400 * DAY
