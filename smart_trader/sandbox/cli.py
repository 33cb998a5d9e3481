"""`smart-trader sandbox`: the API on this machine."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smart_trader.addresses import AddressListType
from smart_trader.birdeye import BASE_URL
from smart_trader.clock import FORMS, TimestampType, check_as_of, now
from smart_trader.command_group import CommandGroup
from smart_trader.config.settings import birdeye_api_key
from smart_trader.console import report_line
from smart_trader.data_sources import SANDBOX
from smart_trader.errors import SettingsError
from smart_trader.sandbox.market.options import market_option, strength_option
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, FULL_STRENGTH, WorldSpec

if TYPE_CHECKING:
    from smart_trader.sandbox.market.market_source import MarketSource

DAY = 86_400
DEFAULT_WALLETS = 200
DEFAULT_DAYS = 30


def _whole_seconds(_: click.Context, option: click.Parameter, at: datetime | None) -> int | None:
    """Return a market's time as it counts it, in whole unix seconds; a fraction is cut off."""
    if at is None:
        return None
    check_as_of(at, SANDBOX, option.opts[0])
    return int(at.timestamp())


def market_options(command: Any) -> Any:
    """Add the options that name a world and its clock."""
    options = (
        market_option(DEFAULT_MARKET, "Which market."),
        strength_option(FULL_STRENGTH),
        click.option("--wallets", default=DEFAULT_WALLETS, show_default=True, help="Wallets in the market, from 20."),
        click.option(
            "--genesis",
            type=TimestampType(),
            callback=_whole_seconds,
            metavar="TIME",
            help=f"Time the market begins: {FORMS}. [default: midnight {DEFAULT_DAYS} days before]",
        ),
        click.option(
            "--clock",
            type=TimestampType(),
            callback=_whole_seconds,
            metavar="TIME",
            help="Time it is in the market. [default: now]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=CommandGroup)
def sandbox() -> None:
    """A BirdEye-compatible API on this machine; needs no key."""


@sandbox.command()
@click.option("--seed", type=int, help="Serve the market of this seed. Give this or --replay.")
@click.option(
    "--replay",
    "folder",
    type=click.Path(path_type=Path),
    help="Serve recordings: a folder with JSON bodies, at any depth.",
)
@market_options
@click.option(
    "--plan",
    default="none",
    show_default=True,
    help="Enforce the rate limits of none, standard, lite, starter, premium or business.",
)
@click.option("--requests-per-second", type=click.IntRange(1), help="Enforce this instead of the plan's.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Enforce this instead of the plan's.")
@click.option("--fault", "faults", multiple=True, metavar="KIND[:times]", help="Let something go wrong; repeatable.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="Port on loopback.")
def serve(
    seed: int | None,
    folder: Path | None,
    clock: int | None,
    plan: str,
    requests_per_second: int | None,
    requests_per_minute: int | None,
    faults: tuple[str, ...],
    port: int,
    **world: Any,
) -> None:
    """Serve a seeded market, or recorded responses, until stopped."""
    from smart_trader.sandbox.faults import fault_named
    from smart_trader.sandbox.limits import plan_rate
    from smart_trader.sandbox.running import serve_until_stopped
    from smart_trader.sandbox.server import sandbox_app
    from smart_trader.sandbox.source import Source

    if (seed is None) == (folder is None):
        raise SettingsError("one of --seed and --replay is needed", "for example: smart-trader sandbox serve --seed 7")
    rate = plan_rate(plan, requests_per_second, requests_per_minute)
    wrong = [fault_named(text) for text in faults]
    clock = int(now().timestamp()) if clock is None else clock
    source: Source = made(clock, seed=seed, **world) if seed is not None else replayed(folder or Path())
    app = sandbox_app(source, clock=clock, rate=rate, faults=wrong)
    serve_until_stopped(app, port, lambda url: report_line(f"  on {url}"))


@sandbox.command()
@click.option("--seed", type=int, required=True, help="The market's seed.")
@market_options
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def truth(clock: int | None, form: str, **world: Any) -> None:
    """Print what each wallet of a market really is."""
    from smart_trader.sandbox.market.truth import as_text, truths

    clock = int(now().timestamp()) if clock is None else clock
    click.echo(as_text(truths(made(clock, **world), clock), form))


@sandbox.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--tokens",
    type=AddressListType(),
    multiple=True,
    help="Mints whose holders to record; repeatable, or with commas between.",
)
@click.option(
    "--wallets",
    type=AddressListType(),
    multiple=True,
    help="Owners whose swaps to record; repeatable, or with commas between.",
)
@click.option("--pages", default=20, show_default=True, type=click.IntRange(1, 100), help="At most so many of each.")
@click.option("--requests-per-second", "pace", default=1.0, show_default=True, type=click.FloatRange(0.01, 100))
@click.option("--url", help="Base address of another server.")
def record(
    folder: Path,
    tokens: tuple[list[str], ...],
    wallets: tuple[list[str], ...],
    pages: int,
    pace: float,
    url: str | None,
) -> None:
    """Store real responses in FOLDER for later replay; the key comes from BIRDEYE_API_KEY and is never stored."""
    from smart_trader.sandbox import recorder as recording

    key = birdeye_api_key()
    if not key:
        raise SettingsError("BIRDEYE_API_KEY is not set", "set it to your key, or try `sandbox serve --seed 7` first")
    recorder = recording.Recorder(key, url or BASE_URL, pace)
    for path in recording.record(recorder, folder, _all(tokens), _all(wallets), pages):
        report_line(f"wrote {path}")


def made(clock: int, *, market: str, strength: float, seed: int, wallets: int, genesis: int | None) -> MarketSource:
    """Return the market that options name, and report how to come back to it."""
    from smart_trader.sandbox.market.market_source import market as carried_market

    genesis = (clock // DAY - DEFAULT_DAYS) * DAY if genesis is None else genesis
    spec = WorldSpec(market, seed, wallets, genesis, strength)
    source = carried_market(spec, clock)
    report_line(
        f"{spec.title}: {len(source.world.rows.time):,} swaps; the same market later: "
        f"{spec.options} --clock {clock} or more"
    )
    return source


def replayed(folder: Path) -> Any:
    """Return the recordings of a folder and say what is in them and what is not."""
    from smart_trader.sandbox.replay import load_recordings

    recordings = load_recordings(folder)
    for line in recordings.skipped:
        report_line(f"skipped {line}")
    swaps = sum(map(len, recordings.swaps.values()))
    holders = sum(map(len, recordings.holders.values()))
    report_line(
        f"recordings: {len(recordings.tokens)} tokens, {holders} holders of {len(recordings.holders)} tokens, "
        f"{swaps} swaps of {len(recordings.swaps)} wallets"
    )
    return recordings


def _all(lists: tuple[list[str], ...]) -> list[str]:
    """Return what several options give, each once."""
    return list(dict.fromkeys(chain.from_iterable(lists)))
