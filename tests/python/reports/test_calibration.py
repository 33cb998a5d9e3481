"""`calibration`: what it says of grades and luck, and how many of the good grades anybody finds on the list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.identity import LakeIdentity, write_identity
from smart_trader.lake.reader import Lake
from smart_trader.reports.calibration import calibration_text
from smart_trader.sandbox.market.names import address

AT = datetime(2026, 9, 21, 9, tzinfo=UTC)
# each wallet's grade, and whether it is listed
STANDINGS = {
    "all": [("A", True), ("B", True), ("C", True)],
    "one": [("A", True), ("B", False), ("C", True)],
    "none": [("A", False), ("B", False), (None, True)],
}


def lake_of(folder: Path, standings: list[tuple[str | None, bool]]) -> Lake:
    lake = Lake(LakePaths(folder, str(folder)))
    wallets = [
        {"wallet_address": address(1, "wallet", number), "grade": grade, "is_listed": is_listed}
        for number, (grade, is_listed) in enumerate(standings)
    ]
    luck = {
        "scored_at": AT,
        "grade_a_count": 1,
        "grade_b_count": 1,
        "unflagged_count": 1_234,
        "expected_by_luck": 0.3,
        "luck_low": 0.0,
        "luck_high": 1.0,
    }
    for name, rows in {"wallet_standings": wallets, "list_quality": [luck]}.items():
        write_deltalake(lake.location("gold", name), pa.Table.from_pylist(rows))
    write_identity(lake.paths, LakeIdentity.new("birdeye"), "")
    return lake


@pytest.mark.parametrize(
    ("standings", "words"),
    [
        pytest.param("all", "were graded A or B; luck alone", id="all-listed"),
        pytest.param(
            "one", "A or B (1 of them listed: `smart-trader explain WALLET` shows why another is not); luck", id="one"
        ),
        pytest.param("none", "A or B (none of them listed: `smart-trader explain WALLET` shows why", id="none"),
    ],
)
def test_good_grades_that_are_not_on_the_list_are_reported(standings: str, words: str, tmp_path: Path) -> None:
    text = " ".join(calibration_text(lake_of(tmp_path, STANDINGS[standings])).split())
    assert "On 2026-09-21 2 of 1,234 unflagged wallets" in text
    assert words in text
    assert "luck alone would grade 0.3 so (0 to 1)" in text
