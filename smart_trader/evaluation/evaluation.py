"""Puts the parts together: a lake, a truth, and the market carried on where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smart_trader.errors import SmartTraderError
from smart_trader.evaluation.quality import Quality, judge
from smart_trader.evaluation.standings import Standings, read_standings
from smart_trader.evaluation.truth import read_truth
from smart_trader.lake.reader import Lake


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A lake's list, judged.

    Attributes:
        quality: The list against the truth.
        standings: The list.
        copied: What copying the wallets of each tier would have returned, by delay in seconds; None where none of them
            bought anything; empty where it is not known at all.
        copied_wallets: How many wallets of each tier were copied.
        notes: What is not in it, and why.
    """

    quality: Quality
    standings: Standings
    copied: Mapping[str, Mapping[int, float | None]] = field(default_factory=dict)
    copied_wallets: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def evaluate_file(lake: Lake, path: Path) -> Evaluation:
    """Judge a lake's list by a file.

    Raises:
        SmartTraderError: The file is no truth, or none of this lake's market; the lake has no list yet.
    """
    standings, kinds = read_standings(lake), read_truth(path)
    _check_market(lake, kinds)
    note = "copied returns: not known, since a file cannot be carried on; --demo can, on a lake of the made-up market"
    return Evaluation(judge(standings, kinds), standings, notes=(note,))


def _check_market(lake: Lake, kinds: Mapping[str, str]) -> None:
    """Refuse a truth of another market than the lake remembers: addresses follow from the seed alone."""
    from smart_trader.pipeline.sources import remembered_spec
    from smart_trader.sandbox.market.market_source import market
    from smart_trader.sandbox.market.truth import truths

    spec = remembered_spec(lake.paths)
    if spec is None:
        return
    # what a wallet is does not change, so the market need not be carried on
    own = {truth.address: truth.kind for truth in truths(market(spec, spec.genesis), spec.genesis)}
    others = [address for address, kind in kinds.items() if own.get(address, kind) != kind]
    if others:
        raise SmartTraderError(
            f"the truth is of another market than {spec.title}, which this lake is filled from: {others[0]} is "
            f"{kinds[others[0]]} there and {own[others[0]]} here",
            f"write it again: smart-trader sandbox truth {spec.options} --format csv, or take --demo",
        )


def evaluate_demo(lake: Lake) -> Evaluation:
    """Judge a lake's list by the made-up market that it was filled from.

    Raises:
        SmartTraderError: The lake remembers no market, or has no list yet.
    """
    from smart_trader.evaluation.copying import copied_returns, mean_returns
    from smart_trader.pipeline.sources import remembered_market
    from smart_trader.sandbox.market.truth import truths

    standings = read_standings(lake)
    source = remembered_market(lake.paths, standings.as_of)
    quality = judge(standings, {truth.address: truth.kind for truth in truths(source, standings.as_of)})
    tiers = {tier: [entry.wallet for entry in standings.listed if entry.tier == tier] for tier in quality.tiers}
    try:
        returns = copied_returns(source, [entry.wallet for entry in standings.listed], standings.as_of)
    except SmartTraderError as error:
        return Evaluation(quality, standings, notes=(f"copied returns: not known: {error.what}",))
    return Evaluation(
        quality,
        standings,
        {tier: mean_returns(returns, wallets) for tier, wallets in tiers.items()},
        {tier: sum(wallet in returns for wallet in wallets) for tier, wallets in tiers.items()},
    )
