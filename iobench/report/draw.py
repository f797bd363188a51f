"""Charts from specs: the frame around the plot (title, axis, footnotes), and the pictures' file formats."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from iobench.report import bars, lines, scatter
from iobench.report.canvas import (
    MUTED,
    SLIDE,
    Canvas,
    Frame,
    Line,
    Surface,
    families,
    quiet,
    wrap,
)
from iobench.report.spec import ChartKind, ChartSpec, CurveSpec

_DPI = 150  # of a SLIDE: 1920 x 1080 pixels
# Packing harder takes longer than drawing, for a tenth of the size.
_PACKED = {"compress_level": 3}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house's style, the same bytes each time; text stays text in SVG."""
    fonts = list(families())
    import matplotlib

    look: dict[Any, Any] = {
        "font.family": fonts,
        "hatch.linewidth": 1.1,
        "text.parse_math": False,
    }
    with matplotlib.rc_context(look), quiet():
        yield


def draw(spec: ChartSpec | CurveSpec, frame: Frame) -> Canvas:
    """Return a chart drawn in a frame as a picture. To be called within `style`."""
    canvas = Canvas(frame)
    paint(canvas, spec)
    return canvas


def paint(canvas: Surface, spec: ChartSpec | CurveSpec) -> None:
    """Draw a chart on a canvas, of a picture or of a page."""
    top = _head(canvas, spec)
    bottom = _foot(canvas, spec)
    if isinstance(spec, CurveSpec):
        scatter.draw(canvas, spec, top, bottom)
        return
    (bars if spec.kind is ChartKind.BAR else lines).draw(canvas, spec, top, bottom)


def png(spec: ChartSpec | CurveSpec) -> bytes:
    """Return a chart as a picture of 1920 x 1080 pixels."""
    target = io.BytesIO()
    with style():
        said = {"Title": spec.title, "Software": "iobench"}
        draw(spec, SLIDE).figure.savefig(target, format="png", dpi=_DPI, metadata=said, pil_kwargs=_PACKED)
    return target.getvalue()


def _head(canvas: Surface, spec: ChartSpec | CurveSpec) -> float:
    frame = canvas.frame
    y = frame.margin - 4 if frame.words else frame.margin
    room = frame.width - 2 * frame.margin
    if frame.words:
        y = canvas.stack(frame.margin, y, _title(spec.title, frame.title, room)) + 2
        y = canvas.stack(frame.margin, y, wrap(Line(spec.subtitle, frame.subtitle, color=MUTED), room, 2))
        y += 14
    y = canvas.stack(frame.margin, y, wrap(Line(spec.axis, frame.axis, color=MUTED), room, 2))
    return y + 4


# Japanese has no spaces to break at: a phrase ends with one of these, where what follows is not of the same word.
_ENDS = "：；、）はがのとでに"


def between_phrases(line: Line, room: float) -> list[Line]:
    """Return a title as two lines that fit, broken between phrases near its middle; else nothing."""
    text = line.text
    phrases = [
        i
        for i in range(1, len(text))
        if text[i - 1] in _ENDS and not "\u3040" <= text[i] <= "\u309f" and text[i] not in "ー、。：；）・"
    ]
    clauses = [i for i in range(1, len(text)) if text[i - 1] in "：；／" or (i == _note(text) and "：" in text[:i])]
    for breaks in (clauses, phrases, *_between_clauses(text)):
        pairs = [[replace(line, text=part.strip()) for part in (text[:i], text[i:])] for i in breaks]
        fitting = [pair for pair in pairs if max(half.width for half in pair) <= room]
        if fitting:
            return min(fitting, key=lambda pair: max(half.width for half in pair))
    return []


def _between_clauses(text: str) -> tuple[list[int], list[int]]:
    """Where a title in words may be broken: behind a colon or semicolon or before its note; and at commas."""
    outside = [i for i in range(1, len(text)) if text[i] == " " and text.count("(", 0, i) == text.count(")", 0, i)]
    clauses = [i for i in outside if text[i - 1] in ":;" or (i + 1 == _note(text) and ":" in text[:i])]
    return clauses, [i for i in outside if text[i - 1] == ","]


def _note(text: str) -> int | None:
    """Where the bracket begins in which a title ends: `(quick look, 3 rounds)`; others belong to a drive's name."""
    return max(text.rfind("("), text.rfind("（")) if text.endswith((")", "）")) else None


def _title(text: str, size: float, room: float) -> list[Line]:
    """A title on one line, smaller where it must be; else on two of about one length."""
    for part in (1.0, 0.9, 0.8):
        if (line := Line(text, size * part, bold=True)).width <= room:
            return [line]
    line = Line(text, size * 0.8, bold=True)
    if halves := between_phrases(line, room):
        return halves
    wraps = (wrap(line, room * share, 2) for share in (0.6, 0.7, 0.8, 0.9))
    return next((lines for lines in wraps if not lines[-1].text.endswith("…")), wrap(line, room, 2))


def _foot(canvas: Surface, spec: ChartSpec | CurveSpec) -> float:
    frame = canvas.frame
    if not frame.words:
        return frame.height - frame.margin
    room = frame.width - 2 * frame.margin
    notes = [n for text in spec.footnotes for n in wrap(Line(text, frame.small, color=MUTED), room, 2)][:5]
    y = frame.height - frame.margin * 0.6 - sum(note.height for note in notes)
    canvas.stack(frame.margin, y, notes)
    return y - 10
