"""A slide being laid out: texts that are measured before they are placed, tables, and what is said of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from iobench.report import widths
from iobench.report.canvas import GRID, INK, MUTED, Line, measured_by, wrap
from iobench.report.draw import between_phrases
from iobench.report.slides import theme

LEADING = 1.25  # of the font size; set in points, since Japanese fonts ask for up to 1.7 of it
# What another font than the one measured with may add: Arial's capitals are wider than Noto's.
_WIDER = 1.12
_LANGUAGES = {"en": ("en-US", "ja-JP"), "ja": ("ja-JP", "en-US")}


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a slide, in points from its top left."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text with its look; sizes in points."""

    text: str
    size: float
    bold: bool = False
    color: str = INK


Paragraph = tuple[Run, ...]


def width_of(text: str, size: float, bold: bool = False) -> float:
    """Return the width that a text may need in the reader's font, in points."""
    return widths.text_width(text, size, bold) * _WIDER


def broken(text: str, size: float, bold: bool, width: float, most: int = 99) -> list[str]:
    """Return a text as the lines it will be broken into at a width."""
    with measured_by(lambda t, s, b: width_of(t, s, b) / 1.04):
        return [line.text for line in wrap(Line(text, size, bold), width, most)]


def fitted(text: str, sizes: Sequence[float], bold: bool, width: float, lines: int) -> Run:
    """Return a text at the largest of sizes at which it takes so few lines; cut with `…` at the smallest."""
    for size in sizes:
        if len(broken(text, size, bold, width)) <= lines:
            return Run(text, size, bold)
    kept = broken(text, sizes[-1], bold, width, lines)
    joint = " " if " " in text else ""
    return Run(joint.join(kept), sizes[-1], bold)


def height_of(paragraphs: Sequence[Paragraph], width: float) -> float:
    """Return the height that paragraphs take at a width."""
    total = 0.0
    for paragraph in paragraphs:
        size = max(run.size for run in paragraph)
        bold = any(run.bold for run in paragraph)
        # Runs of several sizes on one line need only what each needs.
        one = sum(width_of(run.text, run.size, run.bold) for run in paragraph) <= width
        lines = 1 if one else len(broken("".join(run.text for run in paragraph), size, bold, width))
        total += lines * size * LEADING
    return total


def _title(text: str) -> Paragraph:
    """A title on one line or two; a Japanese one is broken between phrases, a little smaller where it must be."""
    room, sizes = theme.WIDTH - 2 * theme.MARGIN, (28.0, 26.0, 24.0, 22.0, 20.0)
    run = fitted(text, sizes, True, room, 2)
    wide = any(unicodedata.east_asian_width(sign) == "W" for sign in text)
    with measured_by(lambda t, s, b: width_of(t, s, b) / 1.04):
        for size in sizes if wide else sizes[:3]:
            line = Line(text, size, True)
            if line.width <= room:
                return (Run(text, size, True),)
            if halves := between_phrases(line, room):
                return tuple(Run(half.text, size, True) for half in halves)
    # Broken here: a reader's program would leave a word alone on the second line, and break Japanese before `ー`.
    tries = (broken(run.text, run.size, True, room * share) for share in (0.55, 0.65, 0.75, 0.85, 1.0))
    return tuple(replace(run, text=line) for line in next((lines for lines in tries if len(lines) <= 2), [run.text]))


class Sheet:
    """A slide. Its title is a placeholder, so that outlines and screen readers have it."""

    def __init__(self, deck: Any, title: str, lang: str) -> None:
        self.deck = deck
        self.lang = lang
        self.slide: Any = deck.slides.add_slide(deck.slide_layouts[0])
        _write(self.slide.shapes.title.text_frame, [_title(title)], lang, keep_color=True)

    def text(self, box: Box, paragraphs: Sequence[Paragraph], align: str = "left", anchor: str = "top") -> None:
        """Place paragraphs in a box, which they fill from the top with no inset."""
        from pptx.enum.text import MSO_ANCHOR, MSO_AUTO_SIZE
        from pptx.util import Pt

        shape = self.slide.shapes.add_textbox(Pt(box.x), Pt(box.y), Pt(box.width), Pt(box.height))
        frame = shape.text_frame
        frame.word_wrap, frame.auto_size = True, MSO_AUTO_SIZE.NONE
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        frame.vertical_anchor = {"top": MSO_ANCHOR.TOP, "middle": MSO_ANCHOR.MIDDLE, "bottom": MSO_ANCHOR.BOTTOM}[
            anchor
        ]
        _write(frame, paragraphs, self.lang, align)

    def line(self, x0: float, y0: float, x1: float, y1: float, color: str = GRID) -> None:
        """Draw a thin line."""
        from pptx.enum.shapes import MSO_CONNECTOR
        from pptx.util import Pt

        line = self.slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, Pt(x0), Pt(y0), Pt(x1), Pt(y1))
        line.line.color.rgb, line.line.width = rgb(color), Pt(0.75)

    def table(
        self, box: Box, heads: Sequence[str], rows: Sequence[Sequence[Paragraph]], parts: Sequence[float], alt: str
    ) -> float:
        """Place a table; `parts` are the columns' shares of the width. Return the y under it."""
        from pptx.util import Pt

        lines = table_heights(heads, rows, parts, box.width)
        frame = self.slide.shapes.add_table(
            len(rows) + 1, len(heads), Pt(box.x), Pt(box.y), Pt(box.width), Pt(sum(lines))
        )
        frame._element.nvGraphicFramePr.cNvPr.set("descr", alt)
        table = frame.table
        _plain_table(frame)
        for column, part in zip(table.columns, parts, strict=True):
            column.width = Pt(box.width * part / sum(parts))
        for row, height in zip(table.rows, lines, strict=True):
            row.height = Pt(height)
        for i, head in enumerate(heads):
            self._cell(table.cell(0, i), (Run(head, HEAD_SIZE, True, MUTED),), head=True)
        for r, row in enumerate(rows, 1):
            for i, paragraph in enumerate(row):
                self._cell(table.cell(r, i), paragraph)
        return box.y + sum(lines)

    def _cell(self, cell: Any, paragraph: Paragraph, head: bool = False) -> None:
        from pptx.util import Pt

        cell.margin_left, cell.margin_right = Pt(CELL_X), Pt(CELL_X)
        cell.margin_top = cell.margin_bottom = Pt(CELL_Y)
        _write(cell.text_frame, [paragraph], self.lang)
        _under(cell, "8F8F8F" if head else "DEDEDE")

    def notes(self, text: str) -> None:
        """Set what the speaker reads."""
        self.slide.notes_slide.notes_text_frame.text = text

    def foot(self, left: str) -> None:
        """Place the line at the bottom: where the figures come from, and the slide's number."""
        y, number = theme.HEIGHT - 26, len(self.deck.slides)
        run = fitted(left, (9,), False, theme.WIDTH - 2 * theme.MARGIN - 60, 1)
        self.text(Box(theme.MARGIN, y, theme.WIDTH - 2 * theme.MARGIN - 60, 12), [(replace(run, color=MUTED),)])
        right = Box(theme.WIDTH - theme.MARGIN - 40, y, 40, 12)
        self.text(right, [(Run(str(number), 9, color=MUTED),)], align="right")


HEAD_SIZE, CELL_SIZE = 11.0, 11.5
CELL_X, CELL_Y = 5.0, 3.5


def table_heights(
    heads: Sequence[str], rows: Sequence[Sequence[Paragraph]], parts: Sequence[float], width: float
) -> list[float]:
    """Return the height of each row of a table, its head first."""
    every: list[Sequence[Paragraph]] = [[(Run(head, HEAD_SIZE, True),) for head in heads], *rows]
    rooms = [width * part / sum(parts) - 2 * CELL_X for part in parts]
    return [
        max(height_of([cell], room) for cell, room in zip(row, rooms, strict=True)) + 2 * CELL_Y + 1 for row in every
    ]


def rgb(color: str) -> Any:
    """Return a colour as python-pptx has it."""
    from pptx.dml.color import RGBColor

    return RGBColor.from_string(color.lstrip("#").upper())


def _write(
    frame: Any, paragraphs: Sequence[Paragraph], lang: str, align: str = "left", keep_color: bool = False
) -> None:
    from pptx.enum.text import PP_ALIGN
    from pptx.util import Pt

    sides = {"left": None, "center": PP_ALIGN.CENTER, "right": PP_ALIGN.RIGHT}
    for i, paragraph in enumerate(paragraphs):
        target = frame.paragraphs[0] if i == 0 else frame.add_paragraph()
        target.alignment = sides[align]
        target.line_spacing = Pt(max(piece.size for piece in paragraph) * LEADING)
        for number, piece in enumerate(paragraph):
            if keep_color and number:  # a title's second line, broken where its words end
                target.add_line_break()
            run = target.add_run()
            run.text = piece.text
            run.font.size, run.font.bold = Pt(piece.size), piece.bold
            if not keep_color:
                run.font.color.rgb = rgb(piece.color)
            own, other = _LANGUAGES[lang]
            properties = run._r.get_or_add_rPr()
            properties.set("lang", own)
            properties.set("altLang", other)


def _plain_table(frame: Any) -> None:
    """Take the stripes and fills off a table: lines under its rows are enough."""
    properties = frame._element.find(".//{*}tblPr")
    properties.attrib.pop("bandRow", None)
    properties.set("firstRow", "1")
    style = properties.find("{*}tableStyleId")
    if style is not None:
        style.text = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"  # PowerPoint's "No Style, No Grid"


def _under(cell: Any, color: str) -> None:
    from lxml import etree

    properties = cell._tc.get_or_add_tcPr()
    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    line = etree.SubElement(properties, f"{{{main}}}lnB", w="9525")
    fill = etree.SubElement(line, f"{{{main}}}solidFill")
    etree.SubElement(fill, f"{{{main}}}srgbClr", val=color)
