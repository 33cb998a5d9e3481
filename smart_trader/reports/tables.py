"""Tables and sentences that fit the screen: a terminal's width is kept, a pipe or a file gets everything.

Where a terminal is too narrow for a table, addresses are shortened first, then columns are left out, the least
important first; no row ever breaks. Colours are for terminals that want them: `NO_COLOR` and `TERM=dumb` turn them off.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import click
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from smart_trader.console import one_line

# Sentences are easier to read in lines that are not too long.
PROSE_WIDTH = 96
GAP = 2
LABEL_WIDTH, VALUE_WIDTH = 34, 14
HEAD_CHARACTERS, TAIL_CHARACTERS = 8, 4
MOST_WIDTH = 100_000


@dataclass(frozen=True, slots=True)
class Screen:
    """What a report is written for.

    Attributes:
        width: Columns of the terminal; None for a pipe or a file, which gets everything at full length.
        has_colors: Whether to colour.
        height: Lines of the terminal; None for a pipe or a file.
    """

    width: int | None = None
    has_colors: bool = False
    height: int | None = None

    @property
    def prose_width(self) -> int:
        """The width that sentences are wrapped at."""
        return PROSE_WIDTH if self.width is None else min(PROSE_WIDTH, self.width)

    def scrolls(self, text: str) -> bool:
        """Whether the first line of a text is out of sight when its last one is shown."""
        # the prompt takes a line as well
        return self.height is not None and text.count("\n") + 2 > self.height


PLAIN = Screen()


def stdout_screen() -> Screen:
    """Return what stdout is."""
    console = Console(file=sys.stdout)
    has_colors = console.color_system is not None and not console.no_color
    if not sys.stdout.isatty():
        return Screen(has_colors=has_colors)
    return Screen(console.width, has_colors, console.height)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        head: What stands above it.
        align: The side its cells are at.
        priority: What goes first where room is short: the column with the highest number; one with 0 stays.
        is_address: Whether its cells are addresses or transactions, which may be shortened in the middle.
        style: Rich's name of its colour.
    """

    head: str
    align: Literal["left", "right"] = "right"
    priority: int = 0
    is_address: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a colour of its own."""

    text: str
    style: str = ""


def table_text(columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]], screen: Screen) -> str:
    """Write a table.

    Args:
        columns: The columns, from the left.
        rows: Cells of each row, in the order of the columns. What terminals would obey is written out.
        screen: What it is written for.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    kept, left_out = _fit(columns, cells, screen.width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for index in kept:
        column = columns[index]
        table.add_column(Text(column.head), justify=column.align, style=column.style, no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*(Text(row[index].text, row[index].style) for index in kept))
    text = _rendered(table, screen)
    if left_out:
        names = ", ".join(columns[index].head for index in left_out)
        text += "\n" + prose(f"not shown for want of room: {names}", screen, style="dim")
    return text


def short_address(address: str) -> str:
    """Return both ends of an address; the first can be given to `explain`."""
    if len(address) <= HEAD_CHARACTERS + TAIL_CHARACTERS + 1:
        return address
    return f"{address[:HEAD_CHARACTERS]}…{address[-TAIL_CHARACTERS:]}"


def prose(text: str, screen: Screen, *, indent: str = "", hang: str = "", style: str = "") -> str:
    """Write a sentence, wrapped.

    Args:
        text: The sentence.
        screen: What it is written for.
        indent: What stands before each of its lines.
        hang: What stands before its second and later ones beside.
        style: Rich's name of its colour.
    """
    lines = textwrap.wrap(
        one_line(text),
        screen.prose_width,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        # a command stays in one piece, to be copied
        break_on_hyphens=False,
    )
    return "\n".join(styled(line, screen, style) for line in lines)


def figure_line(label: str, value: str, note: str, screen: Screen, *, style: str = "") -> str:
    """Write a figure beside its name; a note that has no room stands below.

    Args:
        label: The name.
        value: The figure.
        note: What there is to say of it; may be empty.
        screen: What it is written for.
        style: Rich's name of the figure's colour.
    """
    room = screen.prose_width
    start = f"  {one_line(label):{LABEL_WIDTH}}"
    figure = f"{one_line(value):>{VALUE_WIDTH}}"
    behind = f"   {one_line(note)}".rstrip()
    if cell_len(start + figure) > room:
        return prose(f"{label}: {value}{f'; {note}' if note else ''}", screen, indent="  ", hang="  ")
    line = start + styled(figure, screen, style)
    if cell_len(start + figure + behind) <= room:
        return (line + styled(behind, screen, "dim")).rstrip()
    return f"{line.rstrip()}\n{prose(note, screen, indent='    ', style='dim')}"


def styled(text: str, screen: Screen, style: str) -> str:
    """Write a line of ours in a colour."""
    return _rendered(Text(text, style), screen) if style and screen.has_colors else text


def show_rendered(text: str) -> None:
    """Print what this module has written: unlike `console.show` it lets its colours through."""
    click.echo(text)


def _cell(value: str | Cell) -> Cell:
    return Cell(one_line(value)) if isinstance(value, str) else Cell(one_line(value.text), value.style)


def _fit(columns: Sequence[Column], rows: list[list[Cell]], width: int | None) -> tuple[list[int], list[int]]:
    """Choose the columns that there is room for, and shorten addresses in place where there is not.

    Returns:
        Indexes of the columns to show, and of those left out.
    """
    kept = list(range(len(columns)))
    if width is None:
        return kept, []
    if _total(columns, rows, kept) > width:
        for row in rows:
            for index, column in enumerate(columns):
                if column.is_address:
                    row[index] = Cell(_shortened(row[index].text), row[index].style)
    left_out = []
    while _total(columns, rows, kept) > width:
        # of equal ones the rightmost goes
        least = max(kept, key=lambda index: (columns[index].priority, index))
        if not columns[least].priority:
            break
        kept.remove(least)
        left_out.append(least)
    return kept, sorted(left_out)


def _shortened(text: str) -> str:
    """Shorten an address and keep the mark behind it."""
    address, blank, mark = text.partition(" ")
    return short_address(address) + blank + mark


def _total(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], kept: Sequence[int]) -> int:
    taken = list(rows)
    widths = (max([cell_len(columns[index].head), *(cell_len(row[index].text) for row in taken)]) for index in kept)
    return sum(widths) + GAP * (len(kept) - 1)


def _rendered(what: RenderableType, screen: Screen) -> str:
    console = Console(
        file=io.StringIO(),
        width=screen.width or MOST_WIDTH,
        force_terminal=screen.has_colors,
        color_system="standard" if screen.has_colors else None,
        no_color=not screen.has_colors,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(what)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
