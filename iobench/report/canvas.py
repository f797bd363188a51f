"""A figure to draw on in points from the top left, with text that is measured before it is placed."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

from iobench.report import fonts
from iobench.texts import lines as breaking

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

Align = Literal["left", "center", "right"]

# A page may give each of these another value for a dark theme (svg.py gives them classes).
INK, MUTED, GRID, AXIS, PAPER, WARN = "#1a1a1a", "#595959", "#dedede", "#8f8f8f", "#ffffff", "#8a2f0b"
ON_DARK, ON_LIGHT = "#fefefe", "#111111"  # on a bar, in every theme
LINE = 1.32  # of the font size: Japanese signs need the room

# For a name in a script that our own font does not have (Korean, Thai), where this machine has one that does.
_OTHERS = ("Noto Sans CJK JP", "Noto Sans", "Noto Sans Thai", "Noto Sans Arabic", "Arial Unicode MS")
_LAST = "DejaVu Sans"  # comes with matplotlib


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a picture and of its texts, in points. `words` is whether title and footnotes are in it."""

    width: float
    height: float
    margin: float
    title: float
    subtitle: float
    axis: float
    tick: float
    label: float
    value: float
    ratio: float
    small: float
    words: bool


# 921.6 x 518.4 points are 1920 x 1080 pixels at 150 dots an inch.
SLIDE = Frame(921.6, 518.4, 34, 25, 14, 13.5, 13, 16, 19, 23, 11, words=True)
# In a page the title and the footnotes are its own text, which wraps and can be read aloud.
PAGE = Frame(880, 380, 3, 0, 0, 13, 12.5, 14.5, 16, 19, 11.5, words=False)
PHONE = Frame(360, 340, 2, 0, 0, 12, 11.5, 12.5, 13, 15, 11, words=False)


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """Return the font families to draw with, in order: the one that ships, so that every machine draws alike."""
    # A home that cannot be written is no matter of the user's: it then keeps its list of fonts elsewhere.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.font_manager import fontManager

    for bold in (False, True):
        fontManager.addfont(fonts.path(bold))
    there = {font.name for font in fontManager.ttflist}
    return (fonts.FAMILY, *(name for name in _OTHERS if name in there), _LAST)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what matplotlib says of each sign that no font has: the report says it once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


@lru_cache(maxsize=8192)
def _unit_width(text: str, bold: bool) -> float:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    properties = FontProperties(family=list(families()), size=100, weight="bold" if bold else "normal")
    new: Any = RendererAgg  # matplotlib leaves it untyped
    return float(new(8, 8, 72).get_text_width_height_descent(text, properties, False)[0]) / 100


_measure: ContextVar[Callable[[str, float, bool], float] | None] = ContextVar("measure", default=None)


@contextmanager
def measured_by(measure: Callable[[str, float, bool], float]) -> Iterator[None]:
    """Measure texts by other widths than those of this machine's fonts: (text, size, bold) -> width."""
    token = _measure.set(measure)
    try:
        yield
    finally:
        _measure.reset(token)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line of text in points, with what hinting or a reader's other font may add."""
    measure = _measure.get()
    return (measure(text, size, bold) if measure else _unit_width(text, bold) * size) * 1.04


def without_glyphs(text: str) -> str:
    """Return the signs of a text that no font here has, which a PNG would show as boxes."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    there = [get_font(findfont(FontProperties(family=[name]))) for name in families()]
    return "".join(
        dict.fromkeys(s for s in text if not s.isspace() and not any(f.get_char_index(ord(s)) for f in there))
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its look. The size is in points."""

    text: str
    size: float
    bold: bool = False
    color: str = INK

    @property
    def width(self) -> float:
        """Its width in points."""
        return text_width(self.text, self.size, self.bold)

    @property
    def height(self) -> float:
        """Its height in points, with the room to the next line."""
        return self.size * LINE


# How names that begin alike end: `(after)`, `（エミュレーション）`, `[2]`.
_TELLING = re.compile(r" ?(?:\([^()]{1,24}\)|（[^（）]{1,24}）|\[\d{1,3}\])$")


_TAIL = 0.7  # of a line, at most, for what a name ends in


def wrap(line: Line, width: float, most: int) -> list[Line]:
    """Return a line broken to a width in points, over `most` lines; what is left over ends in `…`.

    What it ends in stays if that tells it apart: on the last line behind the `…`, or where that is too narrow on a line
    of its own.
    """
    lines = _broken(line, width, most)
    tail = _TELLING.search(line.text)
    if tail and most > 1 and lines[-1].text.endswith("…"):
        alone = replace(line, text=tail[0].strip())
        if text_width(tail[0], line.size, line.bold) > _TAIL * width and alone.width <= width:
            return [*_broken(replace(line, text=line.text.removesuffix(tail[0])), width, most - 1), alone]
    return lines


def _broken(line: Line, width: float, most: int) -> list[Line]:
    lines: list[Line] = []
    rest = line.text
    while rest and len(lines) < most:
        taken, rest = breaking.taken(rest, _fits(line, width))
        if rest and len(lines) == most - 1:
            taken = _shorten(f"{taken} {rest}" if " " in line.text else taken + rest, line, width)
        lines.append(replace(line, text=taken))
    return lines


def flow(items: Sequence[str], look: Line, width: float) -> list[Line]:
    """Return items set one after the other with `·` between, broken to a width between items only.

    An item that is wider by itself is set smaller, down to three quarters, before it is cut.
    """
    lines: list[Line] = []
    for item in items:
        joined = replace(lines[-1], text=f"{lines[-1].text} · {item}") if lines else None
        if joined and joined.width <= width:
            lines[-1] = joined
            continue
        alone = replace(look, text=item)
        part = max(0.75, min(1.0, width / alone.width))
        lines += wrap(replace(alone, size=look.size * part * 0.999), width, 1)
    return lines


def _fits(line: Line, width: float) -> Callable[[str], bool]:
    return lambda text: text_width(text, line.size, line.bold) <= width


def _shorten(text: str, line: Line, width: float) -> str:
    """A text cut to a width, but for what it ends in if that tells it apart: `Samsung MZ7… (after)`."""
    if text_width(text, line.size, line.bold) <= width:
        return text
    found = _TELLING.search(text)
    tail = found[0] if found and text_width(found[0], line.size, line.bold) <= _TAIL * width else ""
    room = width - text_width("…" + tail, line.size, line.bold)
    head = text.removesuffix(tail)
    return head[: breaking.longest(head, _fits(line, max(room, 1.0)))].rstrip() + "…" + tail


class Surface(Protocol):
    """What bars and lines are drawn on: the canvas of a picture (below) or of a page (svg.py)."""

    frame: Frame  # its size, and the sizes of its texts

    def put(self, x: float, y: float, line: Line, align: Align = "left") -> None:
        """Place a line of text; y is its top."""

    def stack(self, x: float, y: float, lines: Sequence[Line], align: Align = "left") -> float:
        """Place lines under each other; return the y under the last."""
        for line in lines:
            self.put(x, y, line, align)
            y += line.height
        return y

    def box(self, x: float, y: float, width: float, height: float, z: float, **look: Any) -> Any:
        """Draw a rectangle; return what `tip` takes."""

    def area(self, xs: Sequence[float], tops: Sequence[float], bottoms: Sequence[float], **look: Any) -> None:
        """Fill what lies between two lines over the same xs."""

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, width: float, z: float) -> None:
        """Draw a line through points."""

    def marker(self, x: float, y: float, sign: str, color: str, size: float, z: float, hollow: bool = False) -> Any:
        """Draw a drive's marker; return what `tip` takes."""

    def tip(self, drawn: Any, text: str) -> None:
        """Give something drawn a text that is shown under the pointer."""


class Canvas(Surface):
    """A figure of a frame's size with one plain surface; x and y are points from its top left."""

    def __init__(self, frame: Frame) -> None:
        from matplotlib.figure import Figure as New

        self.frame = frame
        self.figure: Figure = New(figsize=(frame.width / 72, frame.height / 72), dpi=72, facecolor=PAPER)
        self._surface = self.figure.add_axes((0, 0, 1, 1), xlim=(0, frame.width), ylim=(frame.height, 0))
        self._surface.set_axis_off()
        self.tips: dict[str, str] = {}  # an artist's id -> what is said of it under the pointer

    def put(self, x: float, y: float, line: Line, align: Align = "left") -> None:
        """Place a line of text; y is its top."""
        self._surface.text(
            x,
            y + line.size * 1.04,
            line.text,
            size=line.size,
            weight="bold" if line.bold else "normal",
            color=line.color,
            ha=align,
            va="baseline",
            parse_math=False,
            zorder=10,
        )

    def box(self, x: float, y: float, width: float, height: float, z: float, **look: Any) -> Rectangle:
        """Draw a rectangle whose top left is (x, y)."""
        from matplotlib.patches import Rectangle as New

        box = New((x, y), width, height, zorder=z, clip_on=False, **look)
        self._surface.add_patch(box)
        return box

    def area(self, xs: Sequence[float], tops: Sequence[float], bottoms: Sequence[float], **look: Any) -> None:
        """Fill what lies between two lines over the same xs."""
        from matplotlib.patches import Polygon

        outline = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
        self._surface.add_patch(Polygon(outline, closed=True, clip_on=False, **look))

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, width: float, z: float) -> None:
        """Draw a line through points."""
        from matplotlib.lines import Line2D

        self._surface.add_line(Line2D(xs, ys, color=color, lw=width, zorder=z, solid_capstyle="butt", clip_on=False))

    def marker(self, x: float, y: float, sign: str, color: str, size: float, z: float, hollow: bool = False) -> Line2D:
        """Draw a drive's marker, centred."""
        from matplotlib.lines import Line2D as New

        face, edge = (PAPER, color) if hollow else (color, PAPER)
        dot = New([x], [y], ls="", marker=sign, ms=size, mfc=face, mec=edge, clip_on=False)
        dot.set_markeredgewidth(size * 0.22 if hollow else size * 0.1)
        dot.set_zorder(z)
        self._surface.add_line(dot)
        return dot

    def tip(self, artist: Artist, text: str) -> None:
        """Give an artist a text that a page shows under the pointer."""
        name = f"tip-{len(self.tips) + 1}"
        artist.set_gid(name)
        self.tips[name] = text
