"""Where text stands on the slides of a deck, measured anew in the font that ships: what overlaps, what is cut off."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from fontTools.ttLib import TTFont
from pptx.util import Pt

from iobench.report import fonts
from iobench.report.canvas import Line, measured_by, wrap

LEAST = 1.0  # points of overlap that are one


@cache
def _advances(bold: bool) -> dict[int, int]:
    with TTFont(fonts.path(bold)) as font:
        return {sign: font["hmtx"][glyph][0] for sign, glyph in font.getBestCmap().items()}


def measure(text: str, size: float, bold: bool) -> float:
    """A text's width by the font's own advances; canvas adds 4 % to it."""
    return sum(_advances(bold).get(ord(sign), 1000) for sign in text) * size / 1000


@dataclass(frozen=True)
class Box:
    what: str
    left: float
    top: float
    right: float
    bottom: float


def boxes(slide: Any) -> list[Box]:
    """The texts, charts and tables of a slide, each with the room that it really takes."""
    found = []
    for shape in slide.shapes:
        left, top = shape.left / Pt(1), shape.top / Pt(1)
        right, bottom = left + shape.width / Pt(1), top + shape.height / Pt(1)
        if shape.has_chart:
            found.append(Box(f"chart {shape.name}", left, top, right, bottom))
        elif shape.has_table:
            found.append(Box(f"table {shape.name}", left, top, right, top + _table(shape.table)))
        elif shape.has_text_frame and shape.text_frame.text.strip():
            width, height = _text(shape.text_frame, right - left)
            anchored = shape == slide.shapes.title  # at the bottom of its box
            start = bottom - height if anchored else top
            found.append(Box(shape.text_frame.text, left, start, left + width, start + height))
    return found


def overlapping(slide: Any) -> list[tuple[str, str]]:
    all_boxes = boxes(slide)
    return [
        (a.what, b.what)
        for i, a in enumerate(all_boxes)
        for b in all_boxes[i + 1 :]
        if min(a.right, b.right) - max(a.left, b.left) > LEAST and min(a.bottom, b.bottom) - max(a.top, b.top) > LEAST
    ]


def cut_off(deck: Any, slide: Any) -> list[str]:
    """What reaches over the slide's edge, and texts that do not fit the box they are in."""
    width, height = deck.slide_width / Pt(1), deck.slide_height / Pt(1)
    found = [
        b.what
        for b in boxes(slide)
        if b.left < -0.5 or b.top < -0.5 or b.right > width + 0.5 or b.bottom > height + 0.5
    ]
    for shape in slide.shapes:
        if shape.has_text_frame and shape.text_frame.text.strip():
            room = _text(shape.text_frame, shape.width / Pt(1))
            if room[1] > shape.height / Pt(1) + 1 or room[0] > shape.width / Pt(1) + 1:
                found.append(shape.text_frame.text)
    return found


def _text(frame: Any, width: float) -> tuple[float, float]:
    """The width and height that a frame's paragraphs take when they are broken at a width."""
    widest, height = 0.0, 0.0
    for paragraph in frame.paragraphs:
        size = max((run.font.size.pt for run in paragraph.runs if run.font.size), default=12.0)
        bold = any(run.font.bold for run in paragraph.runs)
        with measured_by(measure):
            lines = wrap(Line("".join(run.text for run in paragraph.runs), size, bold), width, 99)
            # Runs of several sizes that fit one line, each at its own.
            sizes = [
                (run.text, run.font.size.pt if run.font.size else size, bool(run.font.bold)) for run in paragraph.runs
            ]
            own = sum(measure(*run) * 1.04 for run in sizes)
            lines = lines[:1] if own <= width else lines
            widest = max([widest, own if own <= width else 0.0, *(line.width for line in lines if own > width)])
        height += len(lines) * (paragraph.line_spacing.pt if paragraph.line_spacing else size * 1.3)
    return min(widest, width), height


def _table(table: Any) -> float:
    """A table's height: PowerPoint makes a row higher where its text needs it."""
    total = 0.0
    for row in table.rows:
        needed = row.height / Pt(1)
        for cell, column in zip(row.cells, table.columns, strict=True):
            inside = column.width / Pt(1) - (cell.margin_left + cell.margin_right) / Pt(1)
            height = _text(cell.text_frame, inside)[1] + (cell.margin_top + cell.margin_bottom) / Pt(1)
            needed = max(needed, height)
        total += needed
    return total
