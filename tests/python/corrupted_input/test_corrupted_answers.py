"""The loaders on answers that no API should give: each lands as it was served, or what does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.support.loader_lake import Lake

from .invariants import LOADERS, Landed, breaches, corrupted_market

MANY = 1000


def check(landed: Landed, loader: str) -> None:
    """Fail with every breach of an invariant, and where the cases were too tame to show anything."""
    found = breaches(landed.corrupted, loader, landed.reports[loader], landed.lake)
    assert not found, f"{len(found)} breaches:\n" + "\n".join(found[:10])
    report, a_quarter = landed.reports[loader], len(landed.corrupted.cases) // 4
    assert report.outcomes["complete"] > len(landed.corrupted.clean) + a_quarter
    assert report.outcomes["failed"] + len(report.set_apart) > a_quarter
    assert report.defects == []


@pytest.mark.parametrize("loader", LOADERS)
def test_a_corrupted_answer_lands_or_is_refused_by_name(loader: str, landed: Landed) -> None:
    check(landed, loader)


@pytest.mark.full
@pytest.mark.parametrize("first_seed", range(MANY, 4 * MANY, MANY))
@pytest.mark.parametrize("loader", LOADERS)
def test_a_thousand_corrupted_answers_land_or_are_refused_by_name(loader: str, first_seed: int, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with corrupted_market(range(first_seed, first_seed + MANY)) as corrupted:
        check(Landed(lake, corrupted, {loader: corrupted.load(lake, loader)}), loader)
