"""A wallet's grade with all that it is made of, and its flags."""

from __future__ import annotations

from collections.abc import Iterator

from smart_trader.reports.grades import GRADES
from smart_trader.reports.tables import Screen, figure_line, prose
from smart_trader.reports.text_table import cell_text
from smart_trader.reports.wallet_facts import WalletFacts

SEVERITY_STYLES = {"hard": "bold red", "cap": "yellow"}


def grade_lines(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    """Write the grade and its inputs, each beside what a grade takes."""
    row, settings = facts.score, facts.settings
    if row is None or not facts.has_swaps:
        return
    yield prose(f"Grade {row['grade']}: {GRADES.get(row['grade'], '')}", screen, style="bold")
    lines: list[tuple[str, str, str]] = [
        (
            f"positions of the last {settings.skill_window_days} days",
            cell_text(row["position_count"]),
            f"A {settings.grade_a_positions}, B {settings.grade_b_positions}, C {settings.grade_c_positions}",
        ),
        ("mean return of a position", percent(row["mean_return"]), ""),
        ("skill: that, drawn to the peers'", percent(row["skill"]), "C above 0"),
        ("skill exceeds, with 95 %", percent(row["skill_low"]), "A above 0; ranks the list"),
        ("skill exceeds, with 90 %", percent(row["skill_low_90"]), "B above 0"),
        ("beyond the peers, with 95 %", percent(row["edge_low"]), "A above 0"),
        ("beyond the peers, with 90 %", percent(row["edge_low_90"]), "B above 0"),
        (
            f"periods of {settings.skill_period_days} days traded in",
            cell_text(row["period_count"]),
            f"A {settings.grade_a_periods}",
        ),
        (
            "share of them that made money",
            percent(row["good_period_share"], sign=""),
            f"A {100 * settings.grade_a_good_share:.0f} %",
        ),
        ("return on all money put in", percent(row["money_return"]), ""),
        ("it exceeds, with 95 %", percent(row["money_return_low"]), ""),
        ("peers", cell_text(row["peer_count"]), f"their mean return: {percent(row['peer_mean'])}"),
    ]
    yield from (figure_line(label, value, note, screen) for label, value, note in lines)


def flag_lines(facts: WalletFacts, screen: Screen) -> Iterator[str]:
    """Write every flag with its figure, its bound and its sentence."""
    if facts.score is None and not facts.flags:
        return
    yield prose("Flags" if facts.flags else "Flags: none", screen, style="bold")
    for row in facts.flags:
        effect = f"cap, {row['tier_cap']} at most" if row["severity"] == "cap" else row["severity"]
        figures = f"{row['flag']} ({effect}): {_figure(row['value'])}, bound {_figure(row['bound'])}"
        yield prose(figures, screen, indent="  ", hang="  ", style=SEVERITY_STYLES.get(row["severity"], ""))
        yield prose(row["sentence"], screen, indent="    ")


def percent(value: float | None, sign: str = "+") -> str:
    """Write a share of 1 as percent."""
    return "-" if value is None else f"{100 * value:{sign},.1f} %"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
