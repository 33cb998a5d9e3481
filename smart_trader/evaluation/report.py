"""Writes an evaluation as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from smart_trader.clock import spelled
from smart_trader.evaluation.evaluation import Evaluation
from smart_trader.evaluation.quality import STAGES
from smart_trader.reports.text_table import columns_text

DIGITS = 6


def evaluation_json(found: Evaluation) -> str:
    """Write one JSON object; shares and returns as fractions of 1, null where there is nothing to divide by."""
    quality = found.quality
    content = {
        "precision": {str(cut): _rounded(share) for cut, share in quality.precision.items()},
        "base_rate": _rounded(quality.base_rate),
        "average_precision": _rounded(quality.average_precision),
        "tiers": quality.tiers,
        "grades": quality.grades,
        "recall": quality.recall,
        "copied": {
            tier: {str(delay): _rounded(value) for delay, value in returns.items()}
            for tier, returns in found.copied.items()
        },
    }
    return json.dumps(content, indent=1)


def evaluation_text(found: Evaluation) -> str:
    """Write an evaluation for a person."""
    quality = found.quality
    at = spelled(datetime.fromtimestamp(found.standings.as_of, UTC))
    lines = [
        f"{quality.listed} wallets listed at {at}, of {len(found.standings.evaluated)} evaluated",
        "",
        columns_text([_precision_row(found)]),
    ]
    short = [cut for cut in quality.precision if cut > quality.listed]
    if short:
        lines.append(f"the list has {quality.listed} ranks: beyond them, up to {max(short)}, every rank is a miss")
    if quality.tiers:
        lines += ["", "what each tier holds", columns_text(_kind_rows("tier", quality.tiers, quality.recall))]
    if quality.grades:
        head = "who has each grade, unlisted wallets too"
        lines += ["", head, columns_text(_kind_rows("grade", quality.grades, quality.recall))]
    recall = [{"kind": kind, **{stage: counts[stage] for stage in STAGES}} for kind, counts in quality.recall.items()]
    lines += ["", "how far each kind came", columns_text(recall)]
    if found.copied:
        head = "return of copying them for the 14 days after, by delay, at 2 % a side"
        lines += ["", head, columns_text(_copied_rows(found))]
    return "\n".join(lines)


def _kind_rows(
    name: str, groups: Mapping[str, Mapping[str, int]], recall: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Return a row for each group, with a column for each kind that one of them holds."""
    kinds = [kind for kind in recall if any(kind in counts for counts in groups.values())]
    return [{name: group, **{kind: counts.get(kind, 0) for kind in kinds}} for group, counts in groups.items()]


def _copied_rows(found: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "tier": tier,
            "copied": found.copied_wallets[tier],
            **{f"{delay} s": _percent(value) for delay, value in returns.items()},
        }
        for tier, returns in found.copied.items()
    ]


def _precision_row(found: Evaluation) -> dict[str, Any]:
    quality = found.quality
    shares = {f"P@{cut}": _share(share) for cut, share in quality.precision.items()}
    return {**shares, "average precision": _share(quality.average_precision), "base rate": _share(quality.base_rate)}


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
