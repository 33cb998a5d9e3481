"""Which API a run uses: BirdEye by key, the seeded market, recordings, or a server; never one instead of another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loaders.apis import Api, live_api, sandbox_api
from loaders.transport import is_loopback
from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import birdeye_api_key
from smart_trader.console import report_line
from smart_trader.data_sources import BIRDEYE, REPLAY, SANDBOX
from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.lake.atomic import write_whole
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, DEMO_WALLETS, FULL_STRENGTH, WorldSpec

if TYPE_CHECKING:
    from smart_trader.sandbox.market.market_source import MarketSource

DAY_S = 86_400
MARKET_DAYS = 30


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a person requested.

    Attributes:
        demo: The seeded market.
        replay: Folder of recordings.
        seed: The market's seed.
        market_wallets: Its size; None is that of the lake's market, else the default.
        market: Its name; None is the one the lake was filled from, else the default.
        strength: How well its adversaries hide, from 0 to 1; None likewise.
        sandbox: A server of this machine that is up already, from `running_sandbox`.
    """

    demo: bool = False
    replay: Path | None = None
    seed: int = 7
    market_wallets: int | None = None
    market: str | None = None
    strength: float | None = None
    sandbox: Api | None = None

    def check(self) -> None:
        """Refuse what is no clear choice.

        Raises:
            SettingsError: Two sources are named, or none and there is no key.
        """
        check_sources(demo=self.demo, replay=self.replay, sandbox=self.sandbox)
        if self.data_source == BIRDEYE and birdeye_api_key() is None:
            raise SettingsError(
                "no source: there is no BIRDEYE_API_KEY in the environment or .env, and no flag names another source",
                "set the key, or run with --demo (a made-up market), --replay FOLDER (recordings) or --sandbox URL",
            )

    @property
    def data_source(self) -> str:
        """What rows of it are stamped with."""
        if self.sandbox is not None:
            return self.sandbox.data_source
        return SANDBOX if self.demo else REPLAY if self.replay is not None else BIRDEYE


def check_sources(*, demo: bool, replay: Path | None, sandbox: object) -> None:
    """Refuse more than one source.

    Raises:
        SettingsError: Two are named.
    """
    given = {"--demo": demo, "--replay": replay is not None, "--sandbox": sandbox is not None}
    named = [flag for flag, is_given in given.items() if is_given]
    if len(named) > 1:
        raise SettingsError(
            f"{' and '.join(named)} name {'two' if len(named) == 2 else 'three'} sources", "give one of them"
        )


def running_sandbox(url: str) -> Api:
    """Return the BirdEye-compatible server of this machine at an address, which must be up.

    Raises:
        SmartTraderError: It is not on loopback, or no sandbox answers there.
    """
    if not is_loopback(url):
        raise SettingsError(
            f"--sandbox {url!r} is no address of this machine",
            "give one such as http://127.0.0.1:8765; BirdEye itself is asked with BIRDEYE_API_KEY and no flag",
        )
    return sandbox_api(url)


@contextmanager
def serving_api(spec: SourceSpec, paths: LakePaths, as_of: datetime) -> Iterator[Api]:
    """Yield the API to use; a sandbox of our own runs while the block does.

    Args:
        spec: The source.
        paths: The lake; it remembers which market it was filled from, so that a later run goes on in the same one.
        as_of: The run's time, which is the market's clock.

    Raises:
        SmartTraderError: The source cannot be had.
    """
    if spec.sandbox is not None:
        _check_same_world(spec.sandbox, paths)
        yield spec.sandbox
        return
    if spec.data_source == BIRDEYE:
        yield live_api()
        return
    # a live run needs no server
    from smart_trader.sandbox.running import serving, serving_market

    clock = int(as_of.timestamp())
    if spec.replay is None:
        with serving_market(remembered_world(spec, paths, clock), clock) as url:
            yield sandbox_api(url)
        return
    from smart_trader.sandbox.replay import load_recordings
    from smart_trader.sandbox.server import sandbox_app

    recordings = load_recordings(spec.replay)
    for line in recordings.skipped:
        report_line(f"skipped {line}")
    with serving(sandbox_app(recordings, clock=clock)) as url:
        yield sandbox_api(url)


def _check_same_world(api: Api, paths: LakePaths) -> None:
    """Refuse a server whose market is another one than the demo market this lake was filled from.

    Raises:
        SettingsError: It is.
    """
    known = _read_world(paths.market_file)
    served = {name: api.facts.get(name) for name in known.as_json()} if known else {}
    if known is not None and served != known.as_json():
        raise SettingsError(
            f"this lake is filled from {known.title}, and {api.url} serves another world: {served}",
            "point LAKEHOUSE_HOME at another folder: two worlds never mix",
        )


def remembered_world(spec: SourceSpec, paths: LakePaths, clock: int) -> WorldSpec:
    """Return the market this lake was filled from, or a new one that began a month ago and is remembered now.

    Raises:
        SmartTraderError: The market asked for is another one, is none, or what is remembered cannot be read.
    """
    known = _read_world(paths.market_file)
    fallback = (known.market, known.strength) if known else (DEFAULT_MARKET, FULL_STRENGTH)
    name = spec.market or fallback[0]
    # another market than the remembered one has a strength of its own
    strength = spec.strength if spec.strength is not None else fallback[1] if name == fallback[0] else FULL_STRENGTH
    genesis = known.genesis if known else (clock // DAY_S - MARKET_DAYS) * DAY_S
    wallets = spec.market_wallets or (known.wallets if known else DEMO_WALLETS)
    world = WorldSpec(name, spec.seed, wallets, genesis, strength)
    if known is None:
        paths.market_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(paths.market_file), json.dumps(world.as_json()).encode())
    elif known != world:
        raise SettingsError(
            f"this lake is filled from {known.title}, not from {world.title}",
            "give the same, or point LAKEHOUSE_HOME at another folder",
        )
    return world


def remembered_market(paths: LakePaths, clock: int) -> MarketSource:
    """Return the made-up market that a lake was filled from, carried on to a clock.

    Raises:
        SmartTraderError: The lake remembers none, or what it remembers cannot be read.
    """
    from smart_trader.sandbox.market.market_source import market

    world = remembered_spec(paths)
    if world is None:
        raise SettingsError(
            f"this lake remembers no made-up market: there is no {paths.market_file}",
            "only smart-trader run --demo leaves one; for a lake of another sandbox give --truth FILE, as "
            "`smart-trader sandbox truth --format csv` writes it",
        )
    return market(world, clock)


def remembered_spec(paths: LakePaths) -> WorldSpec | None:
    """Return which made-up market a lake was filled from; None if none.

    Raises:
        SmartTraderError: What it remembers cannot be read.
    """
    return _read_world(paths.market_file)


def made_up_text(data_source: str, paths: LakePaths) -> str | None:
    """Return the line that marks a run's results as not of the live market; None where they are.

    Raises:
        SmartTraderError: What the lake remembers of its market cannot be read.
    """
    if data_source == REPLAY:
        return "recorded: these are recorded responses, not the market of today"
    if data_source == BIRDEYE:
        return None
    world = remembered_spec(paths)
    return f"made up: {world.title if world else 'a simulated market'}; nothing in it is real"


def _read_world(file: Path) -> WorldSpec | None:
    """Return the market a file remembers; None if there is no file."""
    try:
        return WorldSpec.from_json(json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, SmartTraderError):
        raise SettingsError(f"{file} cannot be read", "remove this demo lake and start again") from None
