"""What names a market: options, what a lake remembers, and the pinned bits of each."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smart_trader.errors import SettingsError, SmartTraderError
from smart_trader.pipeline.sources import SourceSpec, remembered_world
from smart_trader.sandbox.market.market_source import market
from smart_trader.sandbox.market.spec import DEFAULT_MARKET, WorldSpec

from .sandboxes import CLOCK, DAY, GENESIS

OLD = {"seed": 7, "wallets": 200, "genesis": GENESIS}
# of the easy market as it was before it had a name
EASY_DIGEST = "27abce2f8c4b0e9a1e4c8aa348c88474"  # pragma: allowlist secret
# of the hard ones, as they are measured in docs/market.md and docs/quality.md
HARD_DIGEST = "fa6e029131f30b353f421b52e9241d43"  # pragma: allowlist secret
NO_SKILL_DIGEST = "e5aba9454ac04044cba68cbd5145acf9"  # pragma: allowlist secret


def test_the_easy_market_is_what_it_always_was() -> None:
    """Its rows are pinned: lakes that were filled from it go on in it."""
    assert pinned("easy", 40, 4) == (591, EASY_DIGEST)


@pytest.mark.parametrize(
    ("name", "count", "digest"), [("hard", 1760, HARD_DIGEST), ("no_skill", 1841, NO_SKILL_DIGEST)]
)
def test_the_hard_markets_are_what_was_measured(name: str, count: int, digest: str) -> None:
    """Their rows are pinned: a change that only makes them faster changes none of them."""
    assert pinned(name, 200, 2) == (count, digest)


def pinned(name: str, wallets: int, days: int) -> tuple[int, str]:
    """Return how many rows a market of seed 7 has after some days, and a digest of them."""
    rows = market(WorldSpec(name, 7, wallets, GENESIS), GENESIS + days * DAY).world.rows
    digest = hashlib.blake2b(digest_size=16)
    for column in rows:
        digest.update(np.ascontiguousarray(column).tobytes())
    return len(rows.time), digest.hexdigest()


def remembered(folder: Path, **spec: Any) -> WorldSpec:
    """Return the market of a lake for what a person asks."""
    paths: Any = SimpleNamespace(market_file=folder / "lake" / "market.json")
    return remembered_world(SourceSpec(demo=True, **spec), paths, CLOCK)


def written(folder: Path, known: object) -> None:
    """Put a lake's memory in place."""
    (folder / "lake").mkdir()
    (folder / "lake" / "market.json").write_text(json.dumps(known))


def test_a_new_lake_remembers_the_whole_spec(tmp_path: Path) -> None:
    first = remembered(tmp_path, seed=5, market_wallets=60)
    assert first == WorldSpec(DEFAULT_MARKET, 5, 60, GENESIS)
    assert json.loads((tmp_path / "lake" / "market.json").read_text()) == first.as_json()
    assert remembered(tmp_path, seed=5, market_wallets=60) == first


def test_a_later_run_that_names_no_market_goes_on_in_the_lakes_own(tmp_path: Path) -> None:
    first = remembered(tmp_path, market="no_skill", strength=0.5, market_wallets=60)
    assert first == remembered(tmp_path) == remembered(tmp_path, market="no_skill")


def test_a_lake_of_before_there_were_names_goes_on_as_easy(tmp_path: Path) -> None:
    written(tmp_path, OLD)
    assert remembered(tmp_path) == remembered(tmp_path, market="easy") == WorldSpec("easy", **OLD)


@pytest.mark.parametrize(
    ("known", "asked", "said"),
    [
        pytest.param(OLD, {"seed": 8}, "seed 7 with 200 wallets, not from .* seed 8", id="seed"),
        pytest.param(OLD, {"market_wallets": 20}, "200 wallets, not from .* 20 wallets", id="wallets"),
        pytest.param(OLD, {"market": "hard"}, "the easy market of .*, not from the hard market", id="market"),
        pytest.param(
            {**OLD, "market": "hard", "strength": 1.0}, {"strength": 0.5}, "not from .* at strength 0.5", id="strength"
        ),
        pytest.param({"seed": 7}, {}, "cannot be read", id="incomplete"),
        pytest.param({**OLD, "market": "harsh"}, {}, "cannot be read", id="unknown-market"),
        pytest.param([1], {}, "cannot be read", id="no-object"),
    ],
)
def test_another_market_than_the_remembered_one_is_refused(
    tmp_path: Path, known: object, asked: dict[str, Any], said: str
) -> None:
    written(tmp_path, known)
    with pytest.raises(SettingsError, match=said):
        remembered(tmp_path, **asked)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(("harsh", 7, 200, GENESIS), "no market 'harsh'", id="name"),
        pytest.param(("easy", 7, 200, GENESIS, 0.5), "easy market knows no --strength", id="easy-strength"),
        pytest.param(("easy", 7, 200, GENESIS, 1.5), "strength 1.5 is out of range", id="strength"),
        pytest.param(("easy", 7, 19, GENESIS), "19 wallets make no market", id="wallets"),
    ],
)
def test_a_market_that_cannot_be_is_refused(spec: tuple[Any, ...], said: str) -> None:
    with pytest.raises(SmartTraderError, match=said):
        WorldSpec(*spec)


@pytest.mark.parametrize("name", ["hard", "no_skill"])
def test_a_small_market_of_any_size_can_be_made(name: str) -> None:
    for wallets in range(20, 60):
        kinds = Counter(member.kind for member in market(WorldSpec(name, 1, wallets, GENESIS), GENESIS).world.members())
        assert kinds.total() == wallets
        assert kinds["cluster_side"] == 2 * kinds["cluster_main"]


def test_options_name_a_strength_to_its_last_digit() -> None:
    assert "--strength 0.1234567 " in WorldSpec("hard", 1, 20, GENESIS, 0.1234567).options
