"""Cells of coloured lines beside each other: each measured once and written as it stands.

A comparison of 10,000 steps is eight thousand lines, and a table of rich's lays out each several times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from iobench.cli.tables import folded

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

GAP = 2  # cells between columns


class Piece(NamedTuple):
    """A part of a line, in one of rich's styles."""

    text: str
    style: str = ""


Cell = Sequence[Piece]  # a line each
Line = Sequence[Piece]  # beside each other


def cell(*lines: str, style: str = "") -> Cell:
    """Return a cell of lines of one style."""
    return [Piece(line, style) for line in lines]


def width(of: Cell) -> int:
    """Return how wide a cell is, in columns of a terminal."""
    from rich.cells import cell_len

    return max((cell_len(piece.text) for piece in of), default=0)


def widths(rows: Iterable[Sequence[Cell]]) -> list[int]:
    """Return how wide each column of rows of cells has to be."""
    return [max(map(width, column)) for column in zip(*rows, strict=True)]


def total(of: Sequence[int]) -> int:
    """Return how wide columns are together, with what stands between them."""
    return sum(of) + GAP * (len(of) - 1)


def beside(cells: Sequence[Cell], columns: Sequence[int]) -> Iterator[Line]:
    """Yield the lines of cells beside each other, each as wide as its column; no line ends with blanks."""
    for pieces in zip_longest(*cells, fillvalue=Piece("")):
        line: list[Piece] = []
        blanks = 0
        for piece, column in zip(pieces, columns, strict=True):
            if piece.text:
                line += [Piece(" " * blanks), piece] if blanks else [piece]
                blanks = 0
            blanks += column + GAP - width((piece,))
        yield line


def paragraph(text: str, limit: int, indent: int = 0, style: str = "") -> Iterator[Line]:
    """Yield the lines of a text that is broken to so many columns, its indent among them."""
    for line in folded(text, max(1, limit - indent)):
        yield [Piece(" " * indent + line if line else "", style)]


@dataclass(frozen=True, slots=True)
class Page:
    """Lines as rich prints them."""

    lines: Sequence[Line]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the lines as they stand: nothing is broken, cut or padded."""
        from rich.segment import Segment

        styles = {name: console.get_style(name) for name in {piece.style for line in self.lines for piece in line}}
        for line in self.lines:
            for text, style in line:
                yield Segment(text, styles[style])
            yield Segment.line()
