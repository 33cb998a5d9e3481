"""What a run and `status` report of tokens that nobody tracks and of wallets that are set apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.config.paths import LakePaths
from smart_trader.lake.reader import Lake
from smart_trader.pipeline.given_tokens import untracked_text
from smart_trader.reports.status import status_facts
from smart_trader.reports.status_text import status_text
from smart_trader.reports.verdicts import quarantined_wallets, verdicts_text
from tests.python.support.bronze import Bronze, fetch

T0 = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def write(root: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """Write a table below bronze."""
    write_deltalake(str(root / table), pa.Table.from_pylist(rows))


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with bronze tables and nothing below."""
    monkeypatch.delenv("DBT_TARGET", raising=False)
    Bronze(tmp_path / "lake", tmp_path / "pipelines").init().land(
        fetch_log=[
            *(
                fetch("holders", name, T0, origin="given")
                for name in ("tracked", "thin", "unlisted", "money", "unwanted")
            ),
            fetch("holders", "queued", T0),
            fetch("holders", "earlier", T0, origin="given", run_id="another"),
        ]
    )
    return Lake(LakePaths(tmp_path / "lake", str(tmp_path / "lake")))


def test_tokens_that_are_given_and_not_tracked_are_named_with_their_reason(lake: Lake) -> None:
    root = lake.paths.local_root
    write(root, "silver/tracked_tokens", [{"token_address": "tracked"}])
    write(root, "silver/quote_assets", [{"mint": "money"}])
    write(root, "silver/untracked_tokens", [{"token_address": "unwanted"}])
    observed = [("thin", 0, None), ("thin", 1, "min_liquidity"), ("unwanted", 1, None)]
    write(
        root,
        "silver/token_observations",
        [{"token_address": token, "observed_at": T0 + day * DAY, "failed_rule": rule} for token, day, rule in observed],
    )
    assert untracked_text(lake, "test") == (
        "4 of the 5 tokens given are not tracked: their holders are kept, but none of them is followed: "
        "money (a quote asset), thin (fails min_liquidity), unlisted (in no token list yet), "
        "unwanted (in seeds/untracked_tokens.csv)"
    )


@pytest.mark.parametrize(
    ("run_id", "words"),
    [("another", "1 of the 1 tokens given are not tracked"), ("none", None)],
    ids=["before-the-first-build", "nothing-given"],
)
def test_only_what_this_run_was_given_is_looked_at(lake: Lake, run_id: str, words: str | None) -> None:
    text = untracked_text(lake, run_id)
    assert text is None if words is None else str(text).startswith(words)


def test_quarantined_wallets_are_named_by_status_and_at_the_end_of_a_run(lake: Lake) -> None:
    root, broke = lake.paths.local_root, "fifo_positions.intervals"
    checks = [("healed", 0, broke), ("healed", 1, None), ("apart", 0, None), ("apart", 1, broke), ("good", 1, None)]
    write(
        root,
        "silver/calculation_checks",
        [
            {"wallet_address": wallet, "calculation_date": T0 + day * DAY, "failed_checks": failed}
            for wallet, day, failed in checks
        ],
    )
    verdicts = [("apart", f"quarantined:{broke}", False), ("good", None, True)]
    write(
        root,
        "gold/trader_evaluations",
        [
            {"wallet_address": wallet, "calculation_date": T0, "failed_rules": failed, "is_qualified": qualified}
            for wallet, failed, qualified in verdicts
        ],
    )
    assert quarantined_wallets(lake) == [f"apart: {broke}"]
    assert f"quarantined, so not ranked, for what their numbers broke: apart: {broke}" in verdicts_text(lake)
    assert f"wallets quarantined: 1 (apart: {broke})" in status_text(status_facts(lake))
