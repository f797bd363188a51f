"""Charts from specs: the frame around the plot (title, axis, footnotes), and the pictures' file formats."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from iobench.model import Verdict
from iobench.report.canvas import (
    AXIS,
    GRID,
    INK,
    MUTED,
    SLIDE,
    Canvas,
    Frame,
    Line,
    Surface,
    families,
    quiet,
    text_width,
    wrap,
)
from iobench.report.spec import ChartKind, ChartSpec, CurveSpec, Point

_DPI = 150  # of a SLIDE: 1920 x 1080 pixels
# Packing harder takes longer than drawing, for a tenth of the size.
_PACKED = {"compress_level": 3}
HATCH = {Verdict.SUSPECT: "//", Verdict.INVALID: "xx"}


@dataclass(frozen=True, slots=True)
class Plot:
    """Where the data stand on a canvas, in points, and how values become heights."""

    left: float
    right: float
    top: float
    bottom: float
    least: float
    most: float
    log: bool = False

    def y(self, value: float) -> float:
        """Return where a value stands."""
        if self.log:
            share = math.log(value / self.least) / math.log(self.most / self.least)
        else:
            share = (value - self.least) / (self.most - self.least)
        return self.bottom - share * (self.bottom - self.top)


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Draw in the house's style, the same bytes each time; text stays text in SVG."""
    import matplotlib

    look: dict[Any, Any] = {
        "font.family": list(families()),
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
    from iobench.report import bars, lines, scatter

    top = _head(canvas, spec)
    bottom = _foot(canvas, spec)
    if isinstance(spec, CurveSpec):
        scatter.draw(canvas, spec, top, bottom)
        return
    (bars if spec.kind is ChartKind.BAR else lines).draw(canvas, spec, top, bottom)


def png(spec: ChartSpec | CurveSpec) -> bytes:
    """Return a chart as a picture of 1920 x 1080 pixels."""
    target = io.BytesIO()
    with style(spec.id):
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
    clauses = [i for i in range(1, len(text)) if text[i - 1] in "：；" or (text[i] == "（" and "：" in text[:i])]
    for breaks in (clauses, phrases, *_between_clauses(text)):
        pairs = [[replace(line, text=part.strip()) for part in (text[:i], text[i:])] for i in breaks]
        fitting = [pair for pair in pairs if max(half.width for half in pair) <= room]
        if fitting:
            return min(fitting, key=lambda pair: max(half.width for half in pair))
    return []


def _between_clauses(text: str) -> tuple[list[int], list[int]]:
    """Where a title in words may be broken: behind a colon or semicolon or before a bracket; and at commas."""
    outside = [i for i in range(1, len(text)) if text[i] == " " and text.count("(", 0, i) == text.count(")", 0, i)]
    clauses = [i for i in outside if text[i - 1] in ":;" or text[i + 1 : i + 2] == "("]
    return clauses, [i for i in outside if text[i - 1] == ","]


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


def axis(canvas: Surface, plot: Plot, spec: ChartSpec | CurveSpec, ticks: Sequence[float]) -> None:
    """Draw the quiet horizontal grid with its figures."""
    frame = canvas.frame
    for value in ticks:
        y = plot.y(value)
        first = value == ticks[0]
        canvas.line((plot.left, plot.right), (y, y), AXIS if first else GRID, 1.1 if first else 0.9, 1)
        text = Line(spec.scale.tick(value), frame.tick, color=MUTED)
        canvas.put(plot.left - 8, y - frame.tick * 0.69, text, "right")


def tick_room(spec: ChartSpec | CurveSpec, frame: Frame, ticks: Sequence[float]) -> float:
    """Return the width that the axis' figures need, in points."""
    return max(text_width(spec.scale.tick(v), frame.tick) for v in ticks) + 8


def linear_ticks(top: float, divisor: float, most: int = 5) -> list[float]:
    """Return round values from zero up to `top`, in base units."""
    if top <= 0:
        return [0.0, divisor]
    rough = top / divisor / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * k for k in (1, 2, 2.5, 5, 10) if size * k >= rough * (1 - 1e-9))
    count = math.floor(top / divisor / step * (1 + 1e-9))
    return [round(i * step, 12) * divisor for i in range(count + 1)]


def log_ticks(least: float, most: float, divisor: float) -> list[float]:
    """Return values of 1, 2 and 5 (or only 1) times a power of ten that hold all between them."""
    low = math.floor(math.log10(least / divisor) + 1e-9) - 1
    high = math.ceil(math.log10(most / divisor) - 1e-9) + 1
    for factors in ((1, 2, 5), (1,)):
        every = [factor * 10.0**power for power in range(low, high + 1) for factor in factors]
        first = max(i for i, v in enumerate(every) if v * divisor <= least * (1 + 1e-9))
        last = min(i for i, v in enumerate(every) if v * divisor >= most * (1 - 1e-9))
        ticks = [float(f"{v:.6g}") * divisor for v in every[first : max(last, first + 1) + 1]]
        if len(ticks) <= 7:
            return ticks
    step = -(-len(ticks) // 7)
    kept = ticks[::step]
    return kept if kept[-1] == ticks[-1] else [*kept, kept[-1] * (kept[1] / kept[0])]


def ends(point: Point) -> tuple[float, float]:
    """Return a point's interval; where there is none, the value itself."""
    low = point.value if point.low is None else point.low
    high = point.value if point.high is None else point.high
    return low, high


def readable_on(color: str) -> str:
    """Return the text colour that stands out best on a colour."""
    from iobench.report.canvas import ON_DARK, ON_LIGHT

    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
    return ON_DARK if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.055 else ON_LIGHT


def names_of(spec_label: str, size: float, width: float, most: int) -> list[Line]:
    """Return a drive's name in bold, broken to a width."""
    return wrap(Line(spec_label, size, bold=True, color=INK), width, most)
