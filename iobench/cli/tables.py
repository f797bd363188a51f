"""Tables for people: drawn on a terminal, aligned plain text in a pipe; narrow where the window is."""

from __future__ import annotations

import itertools
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from iobench.texts import lines as breaking

_UNLIMITED = 100_000
_USUAL = 80
_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column. Where all do not fit, those with the highest `drop` go first; 0 never goes.

    A column that `shrinks` is cut, to `least` characters, before any column is dropped for it; one that `wraps`, too,
    shrinks, and loses nothing: it holds sentences, which are broken over lines.
    """

    title: str
    drop: int = 0
    right: bool = False
    shrinks: bool = False
    least: int = 8
    wraps: bool = False


def clean(text: str) -> str:
    """Return a text that cannot move the cursor or colour the screen: names come from drives and users."""
    if text.isprintable():
        return text
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output, as wide as the terminal (or COLUMNS) at the most."""
    cells = [[clean(cell) for cell in row] for row in rows]
    # A terminal that does not tell its size (a serial console) is taken to be as wide as most.
    limit = shutil.get_terminal_size((_USUAL if sys.stdout.isatty() else _UNLIMITED, 24)).columns
    kept, widths = fit(columns, cells, limit)
    shown = [columns[i] for i in kept]
    lines = [line for row in cells for line in _lines([row[i] for i in kept], shown, widths)]
    if sys.stdout.isatty():
        # Where even the last columns do not fit the terminal breaks the lines: an ID that is cut names nothing.
        _draw(shown, lines, max(limit, _total(widths)))
        return
    for line in ([c.title for c in shown], *lines):
        padded = [_pad(cell, width, c.right) for cell, width, c in zip(line, widths, shown, strict=True)]
        print((" " * _GAP).join(padded).rstrip())


def _lines(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[list[str]]:
    """A row as lines of cells: more than one where a sentence was broken."""
    of = [
        folded(cell, width) if column.wraps else [cut(cell, width)]
        for cell, column, width in zip(row, columns, widths, strict=True)
    ]
    return [list(line) for line in itertools.zip_longest(*of, fillvalue="")]


def hung(head: str, text: str) -> str:
    """Return a head and a text beside it, broken at words where a terminal is too narrow, under the text's begin."""
    from rich.cells import cell_len

    width = shutil.get_terminal_size((_USUAL, 24)).columns - cell_len(head)
    if not sys.stdout.isatty() or cell_len(text) <= width or width < _USUAL // 4:
        return head + text
    return head + f"\n{' ' * cell_len(head)}".join(folded(text, width))


def folded(text: str, width: int) -> list[str]:
    """Return the lines of a text broken to so many columns of a terminal, where its language lets it be broken."""
    from rich.cells import cell_len

    return breaking.folded(text, lambda part: cell_len(part) <= width)


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int) -> tuple[list[int], list[int]]:
    """Return the indices of the columns that fit in `limit` characters, and their widths."""
    from rich.cells import cell_len

    natural = [max([cell_len(c.title), *(cell_len(row[i]) for row in rows)]) for i, c in enumerate(columns)]
    kept = list(range(len(columns)))
    while True:
        widths = _shrunk([natural[i] for i in kept], [columns[i] for i in kept], limit)
        droppable = [i for i in kept if columns[i].drop]
        if _total(widths) <= limit or not droppable:
            return kept, widths
        kept.remove(max(droppable, key=lambda i: columns[i].drop))


def cut(text: str, width: int) -> str:
    """Return a text no wider than `width` cells, its end replaced by … where it was cut."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _shrunk(widths: list[int], columns: Sequence[Column], limit: int) -> list[int]:
    widths = list(widths)
    while _total(widths) > limit:
        able = [i for i, c in enumerate(columns) if (c.shrinks or c.wraps) and widths[i] > max(c.least, len(c.title))]
        if not able:
            break
        widths[max(able, key=lambda i: widths[i])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _pad(text: str, width: int, right: bool) -> str:
    from rich.cells import cell_len

    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _draw(columns: Sequence[Column], lines: Sequence[Sequence[str]], limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left", no_wrap=True)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console(highlight=False, width=limit).print(table)
