"""Which API a run uses: BirdEye with a key, the seeded market, or recordings; never one instead of another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from loaders.apis import Api, live_api, sandbox_api
from smart_trader.config.paths import LakePaths
from smart_trader.config.settings import birdeye_api_key
from smart_trader.console import report_line
from smart_trader.errors import SettingsError
from smart_trader.lake.atomic import write_whole

DAY_S = 86_400
MARKET_DAYS = 30


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a person requested.

    Attributes:
        demo: The seeded market.
        replay: Folder of recordings.
        seed: The market's seed.
        market_wallets: Its size.
    """

    demo: bool = False
    replay: Path | None = None
    seed: int = 7
    market_wallets: int = 200

    def check(self) -> None:
        """Refuse what is no clear choice.

        Raises:
            SettingsError: Two sources are named, or none and there is no key.
        """
        if self.demo and self.replay is not None:
            raise SettingsError("--demo and --replay name two sources", "give one of them")
        if not self.demo and self.replay is None and birdeye_api_key() is None:
            raise SettingsError(
                "no source: there is no BIRDEYE_API_KEY in the environment or .env, and no flag names another source",
                "set the key, or run with --demo (a made-up market) or --replay FOLDER (recordings)",
            )

    @property
    def data_source(self) -> str:
        """What rows of it are stamped with."""
        return "sandbox" if self.demo else "replay" if self.replay is not None else "birdeye"


@contextmanager
def serving_api(spec: SourceSpec, paths: LakePaths, as_of: datetime) -> Iterator[Api]:
    """Yield the API to use; the sandbox runs in this process while the block does.

    Args:
        spec: The source.
        paths: The lake; it remembers which market it was filled from, so that a later run goes on in the same one.
        as_of: The run's time, which is the market's clock.

    Raises:
        SmartTraderError: The source cannot be had.
    """
    if spec.data_source == "birdeye":
        yield live_api()
        return
    # the market needs numba, replay a server: neither for a live run
    from smart_trader.sandbox.running import serving
    from smart_trader.sandbox.server import sandbox_app

    clock = int(as_of.timestamp())
    if spec.replay is not None:
        from smart_trader.sandbox.replay import load_recordings

        recordings = load_recordings(spec.replay)
        for line in recordings.skipped:
            report_line(f"skipped {line}")
        app = sandbox_app(recordings, clock=clock)
    else:
        from smart_trader.sandbox.market.market_source import market

        world = _read_remembered_world(spec, paths, clock)
        app = sandbox_app(market(world.seed, world.wallets, world.genesis, clock), clock=clock)
    with serving(app) as url:
        yield sandbox_api(url)


@dataclass(frozen=True, slots=True)
class World:
    """What names a market."""

    seed: int
    wallets: int
    genesis: int


def _read_remembered_world(spec: SourceSpec, paths: LakePaths, clock: int) -> World:
    """Return the market this lake was filled from, or a new one that began a month ago."""
    world = World(spec.seed, spec.market_wallets, (clock // DAY_S - MARKET_DAYS) * DAY_S)
    try:
        known = World(**json.loads(paths.market_file.read_text()))
    except FileNotFoundError:
        paths.market_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(paths.market_file), json.dumps(asdict(world)).encode())
        return world
    except (OSError, ValueError, TypeError):
        raise SettingsError(f"{paths.market_file} cannot be read", "remove this demo lake and start again") from None
    if (known.seed, known.wallets) != (world.seed, world.wallets):
        raise SettingsError(
            f"this lake is filled from the market of seed {known.seed} with {known.wallets} wallets, "
            f"not of seed {world.seed} with {world.wallets}",
            "give the same, or point LAKEHOUSE_HOME at another folder",
        )
    return known
