"""One lake of spoilt answers for all tests here; a failing one of them names the seed and the mutation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent), *(str(Path(__file__).parents[1] / room) for room in ("loaders", "pipeline"))]

from lake import Lake
from law import LOADERS, Landed, spoilt_market
from mutations import MUTATIONS


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landed]:
    """A lake in which every mutation was landed, or refused, twice by each loader."""
    lake = Lake(tmp_path_factory.mktemp("spoilt"))
    with spoilt_market(range(2 * len(MUTATIONS))) as spoilt:
        yield Landed(lake, spoilt, {loader: spoilt.load(lake, loader) for loader in LOADERS})
