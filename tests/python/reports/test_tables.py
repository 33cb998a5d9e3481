"""Tables and sentences at the widths of terminals, and into a pipe."""

from __future__ import annotations

import pytest

from smart_trader.reports.tables import PLAIN, Cell, Column, Screen, prose, table_text

ADDRESS = "63Hb4XJBipXr83NSGNnKz4MDVaZWdTFCuXV1r4vCeEYg"  # pragma: allowlist secret
COLUMNS = [
    Column("rank"),
    Column("wallet", "left", is_address=True),
    *(Column(f"figure_{number}", priority=number) for number in range(1, 9)),
    Column("why", "left", priority=9),
]
ROWS = [[str(rank), ADDRESS, *(f"{rank * 1_000_000:,}.00" for _ in range(8)), "words " * 9] for rank in range(1, 30)]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200, 400])
@pytest.mark.parametrize("has_colors", [False, True])
def test_no_row_breaks_and_what_is_left_out_is_named(width: int, has_colors: bool) -> None:
    lines = table_text(COLUMNS, ROWS, Screen(width, has_colors)).splitlines()
    if not has_colors:
        assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines[1:30] if not has_colors] == [row[0] for row in ROWS if not has_colors]
    heads = lines[0]
    told = " ".join(line.strip() for line in lines[30:])
    for column in COLUMNS[2:]:
        assert (column.head in heads) != (column.head in told)
    assert ("rank" in heads, "wallet" in heads) == (True, True)


def test_a_pipe_gets_every_column_and_whole_addresses_without_colours() -> None:
    text = table_text(COLUMNS, ROWS, PLAIN)
    lines = text.splitlines()
    assert "\x1b" not in text
    assert len(lines) == 30
    assert all(ADDRESS in line and "words words" in line for line in lines[1:])
    assert not [line for line in lines if line != line.rstrip()]


def test_addresses_are_shortened_before_a_column_goes_and_keep_their_mark() -> None:
    columns = [Column("token", "left", is_address=True), Column("profit", priority=1)]
    whole, short = (table_text(columns, [[f"{ADDRESS} *", "1.00"]], Screen(width)).splitlines() for width in (80, 30))
    assert whole == [f"{'token':46}  profit", f"{ADDRESS} *    1.00"]
    assert short == ["token            profit", "63Hb4XJB…eEYg *    1.00"]


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "[red]name[/red]", "a\nb\tc", "‮evil", ":smile:"])
def test_a_name_from_outside_stays_text_on_one_line(text: str) -> None:
    for screen in (PLAIN, Screen(80)):
        lines = table_text([Column("token", "left"), Column("n")], [[Cell(text, "red"), "1"]], screen).splitlines()
        assert len(lines) == 2
        assert "\x1b" not in lines[1]
        assert "‮" not in lines[1]
    assert "[red]name[/red]" in table_text([Column("token", "left")], [["[red]name[/red]"]], PLAIN)


def test_sentences_are_wrapped_at_the_width() -> None:
    assert max(map(len, prose("word " * 50, Screen(40), indent="  ").splitlines())) <= 40
    assert max(map(len, prose("word " * 50, PLAIN).splitlines())) <= 96
    assert prose("a b", PLAIN, style="bold red") == "a b"
    assert prose("a b", Screen(80, True), style="bold") == "\x1b[1ma b\x1b[0m"
