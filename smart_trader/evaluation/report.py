"""Writes an evaluation as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from smart_trader.clock import spelled
from smart_trader.console import one_line
from smart_trader.evaluation.evaluation import Evaluation
from smart_trader.evaluation.quality import STAGES
from smart_trader.reports.tables import PLAIN, Column, Screen, prose, table_text
from smart_trader.reports.text_table import cell_text

DIGITS = 6
KIND = Column("kind", "left")


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


def evaluation_text(found: Evaluation, screen: Screen = PLAIN) -> str:
    """Write an evaluation for a person; kinds, of which there are many, are rows, so that a table fits 80 columns."""
    quality = found.quality
    at = spelled(datetime.fromtimestamp(found.standings.as_of, UTC))
    lines = [
        prose(f"{quality.listed} wallets listed at {at}, of {len(found.standings.evaluated)} evaluated", screen),
        "",
        _precision_table(found, screen),
    ]
    short = [cut for cut in quality.precision if cut > quality.listed]
    if short:
        miss = f"the list has {quality.listed} ranks: beyond them, up to {max(short)}, every rank is a miss"
        lines.append(prose(miss, screen))
    if quality.tiers:
        lines += _section("what each tier holds", _kinds_table(quality.tiers, quality.recall, screen), screen)
    if quality.grades:
        table = _kinds_table(quality.grades, quality.recall, screen)
        lines += _section("who has each grade, unlisted wallets too", table, screen)
    lines += _section("how far each kind came", _stages_table(quality.recall, screen), screen)
    if found.copied:
        head = "return of copying them for the 14 days after, by delay, at 2 % a side"
        lines += _section(head, _copied_table(found, screen), screen)
    return "\n".join(lines)


def _section(head: str, table: str, screen: Screen) -> list[str]:
    return ["", prose(head, screen, style="bold"), table]


def _kinds_table(groups: Mapping[str, Mapping[str, int]], kinds: Iterable[str], screen: Screen) -> str:
    """Write a row for each kind that one of the groups holds, with a column for each group."""
    rows = [
        [kind, *(cell_text(counts.get(kind, 0)) for counts in groups.values())]
        for kind in kinds
        if any(counts.get(kind) for counts in groups.values())
    ]
    return table_text([KIND, *_figures(groups)], rows, screen)


def _stages_table(recall: Mapping[str, Mapping[str, int]], screen: Screen) -> str:
    rows = [[kind, *(cell_text(counts[stage]) for stage in STAGES)] for kind, counts in recall.items()]
    return table_text([KIND, *_figures(STAGES)], rows, screen)


def _copied_table(found: Evaluation, screen: Screen) -> str:
    delays = next(iter(found.copied.values()))
    rows = [
        [tier, cell_text(found.copied_wallets[tier]), *(_percent(returns[delay]) for delay in delays)]
        for tier, returns in found.copied.items()
    ]
    return table_text(
        [Column("tier", "left"), *_figures(["copied", *(f"{delay} s" for delay in delays)])], rows, screen
    )


def _precision_table(found: Evaluation, screen: Screen) -> str:
    quality = found.quality
    heads = [*(f"P@{cut}" for cut in quality.precision), "average precision", "base rate"]
    shares = [*quality.precision.values(), quality.average_precision, quality.base_rate]
    return table_text(_figures(heads), [[_share(share) for share in shares]], screen)


def _figures(heads: Iterable[str]) -> list[Column]:
    # the tiers' and grades' names are the lake's
    return [Column(one_line(head), priority=1) for head in heads]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
