"""One lake of corrupted answers for all tests here; a failing one of them names the seed and the mutation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.python.support.loader_lake import Lake

from .invariants import LOADERS, Landed, corrupted_market
from .mutations import MUTATIONS


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landed]:
    """A lake in which every mutation was landed, or refused, twice by each loader."""
    lake = Lake(tmp_path_factory.mktemp("corrupted"))
    with corrupted_market(range(2 * len(MUTATIONS))) as corrupted:
        yield Landed(lake, corrupted, {loader: corrupted.load(lake, loader) for loader in LOADERS})
