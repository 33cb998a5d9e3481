"""Timestamps as people write them, always UTC, and which of them a run may be at.

Command lines, dbt's macros, the sandbox and trade files all read time here, so that one text is one time everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from smart_trader.data_sources import BIRDEYE
from smart_trader.errors import SettingsError

AS_OF_OPTION = "--as-of"
AS_OF_VARIABLE = "SMART_TRADER_AS_OF"
# The fix shown where a text is no timestamp.
FORMS = "2026-01-31T09:00:00Z, 2026-01-31 (both UTC), or seconds since 1970"
# What may stand around a value in a file; Python would take separators that nobody can see as well.
BLANKS = " \t\r\n"
NO_TIMESTAMP = " is no timestamp"
# Two clocks of well-kept machines differ by less.
MAX_SKEW = timedelta(minutes=5)
# A made-up market can be watched growing older than this machine; a year and a month cover every timer.
MAX_MADE_UP_LEAD = timedelta(days=400)
# Solana's first block: nothing that a run requests is older, and a mistyped year is (2072 s are 1970).
FIRST_BLOCK = datetime(2020, 3, 16, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_SECONDS = re.compile("([0-9]{1,7}|[0-9]{9,10})([.][0-9]+)?")
# Eight digits are a date without its hyphens: as seconds they would all lie in the early 1970s.
_BASIC_DATE = re.compile("[0-9]{8}")


def parse_timestamp(text: str) -> datetime:
    """Read ISO 8601, which is UTC unless it names an offset, or unix seconds; both to the microsecond.

    Eight digits are a date (20260131), any other whole number of up to ten digits is unix seconds.

    Raises:
        SettingsError: It is none of these.
    """
    text = text.strip(BLANKS)
    try:
        if found := _UNIX_SECONDS.fullmatch(text):
            seconds, fraction = found.groups(default="")
            return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(fraction[1:7].ljust(6, "0")))
        if not text.isascii():
            raise ValueError(text)
        timestamp = datetime.fromisoformat(text)
        return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
    except (ValueError, OverflowError):
        hint = "; eight digits are a date" if _BASIC_DATE.fullmatch(text) else ""
        raise SettingsError(f"{text[:100]!r}{NO_TIMESTAMP}{hint}", f"write it as {FORMS}") from None


def spelled(timestamp: datetime) -> str:
    """Return a timestamp as ISO 8601 in UTC with a Z, as every message shows it."""
    return timestamp.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def now() -> datetime:
    """Return the present time, to the second: requests to the API count in seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def latest_as_of(data_source: str | None, present: datetime | None = None) -> datetime:
    """Return the latest time a run may be at.

    Args:
        data_source: Where the lake's rows come from; None is an empty lake, which is held to the rule of a real one.
        present: The present time; default: this machine's.
    """
    lead = MAX_SKEW if data_source in (None, BIRDEYE) else MAX_MADE_UP_LEAD
    return (present or now()) + lead


def check_as_of(
    as_of: datetime, data_source: str | None, option: str = AS_OF_OPTION, present: datetime | None = None
) -> None:
    """Refuse a run's time that can only be a mistake: everything a lake holds would wait for it to come.

    Args:
        as_of: The run's time.
        data_source: As for `latest_as_of`.
        option: What the person would correct.
        present: The present time; default: this machine's.

    Raises:
        SettingsError: It is in the future, or before Solana began.
    """
    present = present or now()
    if as_of < FIRST_BLOCK:
        raise SettingsError(
            f"{option} {spelled(as_of)} is before Solana's first block ({FIRST_BLOCK:%Y-%m-%d})",
            f"write it as {FORMS}",
        )
    if as_of > latest_as_of(data_source, present):
        allowed = "400 days for made-up data" if data_source not in (None, BIRDEYE) else "5 minutes"
        raise SettingsError(
            f"{option} {spelled(as_of)} is in the future: it is {spelled(present)} now, and a run may be ahead by "
            f"{allowed} at most",
            f"correct {option} or leave it out; if this machine's clock is wrong, set it",
        )


def check_follows(
    as_of: datetime,
    newest: datetime | None,
    data_source: str | None,
    option: str = AS_OF_OPTION,
    present: datetime | None = None,
) -> None:
    """Refuse a run's time that is before the newest one of its lake.

    Args:
        as_of: The run's time.
        newest: The newest time that anything in the lake is stamped with; None is an empty lake.
        data_source: Where the lake's rows come from.
        option: What the person would correct.
        present: The present time; default: this machine's.

    Raises:
        SettingsError: It is; the fix depends on why.
    """
    if newest is None or as_of >= newest:
        return
    present = present or now()
    if newest <= present:
        fix = f"time in a lake never moves back: leave {option} out, or give {spelled(newest)} or later"
    elif newest <= latest_as_of(data_source, present):
        fix = (
            f"time in a lake never moves back, and this one is ahead of this machine's clock ({spelled(present)}): "
            f"give {option} {spelled(newest)} or later, or wait until then"
        )
    else:
        fix = _discard_fix(present)
    raise SettingsError(f"{option} {spelled(as_of)} is before the lake's newest, {spelled(newest)}", fix)


def _discard_fix(present: datetime) -> str:
    return (
        f"it is {spelled(present)} now: that time was a mistake, or this machine's clock is wrong. If the clock is "
        "right, set aside what is stamped with the future: smart-trader discard-future"
    )


def choose_as_of(
    wanted: str, newest: datetime | None, data_source: str | None, present: datetime | None = None
) -> tuple[datetime, str]:
    """Choose the time of a scheduled run.

    Args:
        wanted: The time the scheduler has in mind; empty is now.
        newest: The newest time that anything in the lake is stamped with.
        data_source: Where the lake's rows come from.
        present: The present time; default: this machine's.

    Returns:
        The time, and what to report where it is not the one wanted.

    Raises:
        SettingsError: What is wanted is in the future, or the lake is: every scheduled run would be at that one time,
            and nothing would fall due.
    """
    present = present or now()
    chosen = parse_timestamp(wanted) if wanted.strip() else present
    check_as_of(chosen, data_source, "the time", present)
    if newest is None or chosen >= newest:
        return chosen, ""
    if newest > latest_as_of(data_source, present):
        raise SettingsError(f"the lake's newest time, {spelled(newest)}, is in the future", _discard_fix(present))
    if newest > present + MAX_SKEW:
        raise SettingsError(
            f"the lake's newest time, {spelled(newest)}, is ahead of this machine's clock, {spelled(present)}",
            "scheduled runs go on when that time has come; until then give each run an --as-of of its own, or point "
            "LAKEHOUSE_HOME at another folder",
        )
    taken = max(present, newest)
    which = "now" if taken == present else "the lake's newest"
    return taken, f"{spelled(chosen)} is before the lake's newest, {spelled(newest)}: taking {which}, {spelled(taken)}"


def spark_timestamp(text: str, default: datetime) -> str:
    """Spell the time that a dbt command runs at as Spark's timestamp literal takes it.

    Args:
        text: Value of SMART_TRADER_AS_OF; empty takes the default.
        default: The command's start.

    Raises:
        SettingsError: The text is no timestamp.
    """
    return command_time(text, default).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def command_time(text: str, default: datetime) -> datetime:
    """Return the time that a dbt command runs at; arguments and errors as for `spark_timestamp`."""
    try:
        return parse_timestamp(text) if text.strip() else default.astimezone(UTC)
    except SettingsError as error:
        raise SettingsError(f"{AS_OF_VARIABLE}: {error.what}", error.fix) from None


def check_command_time(text: str, default: datetime, newest: str | None, data_source: str | None) -> None:
    """Refuse a dbt command at a time that its lake cannot be at.

    Args:
        text: Value of SMART_TRADER_AS_OF; empty takes the default.
        default: The command's start.
        newest: The lake's newest time, as Spark spells it; None is an empty lake.
        data_source: Where the lake's rows come from.

    Raises:
        SettingsError: The time is none, in the future, or before the lake's newest.
    """
    as_of = command_time(text, default)
    check_as_of(as_of, data_source, AS_OF_VARIABLE)
    check_follows(as_of, parse_timestamp(str(newest)) if newest else None, data_source, AS_OF_VARIABLE)


class TimestampType(click.ParamType[datetime]):
    """A timestamp on a command line."""

    name = "timestamp"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Turn the text into a timestamp."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_timestamp(value)
        except SettingsError as error:
            raise SettingsError(f"{param.opts[0]}: {error.what}" if param else error.what, error.fix) from None
