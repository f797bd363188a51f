"""SVG of a chart for a page, written by ourselves: text as text, colours that a dark theme can change.

A canvas of the same kind as the one for pictures (canvas.py), on which the same bars and lines are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from iobench.report import canvas as look
from iobench.report import fonts
from iobench.report.canvas import Align, Frame, Line, measured_by
from iobench.report.draw import paint
from iobench.report.spec import ChartSpec, CurveSpec
from iobench.report.widths import text_width

_CLASSES = {
    look.INK: "ink",
    look.MUTED: "muted",
    look.GRID: "grid",
    look.AXIS: "axis",
    look.PAPER: "paper",
    look.WARN: "warn",
}
_FAMILY = f"'{fonts.FAMILY}', 'Noto Sans', 'Segoe UI', Arial, 'Hiragino Sans', 'Yu Gothic', Meiryo, sans-serif"
_ANCHORS = {"left": "", "center": ' text-anchor="middle"', "right": ' text-anchor="end"'}
# How far a hatching's lines stand apart, in points.
_APART = {1: 7.0, 2: 4.0}
# Markers as paths about their middle, for a size of 1.
_MARKERS = {
    "s": "M-.5-.5H.5V.5H-.5Z",
    "^": "M0-.5L.5.5H-.5Z",
    "v": "M0 .5L.5-.5H-.5Z",
    "D": "M0-.68L.68 0L0 .68L-.68 0Z",
    "P": "M-.18-.5H.18V-.18H.5V.18H.18V.5H-.18V.18H-.5V-.18H-.18Z",
    "X": "M-.5-.25L-.25-.5L0-.25L.25-.5L.5-.25L.25 0L.5 .25L.25 .5L0 .25L-.25 .5L-.5 .25L-.25 0Z",
    "h": "M0-.5L.433-.25V.25L0 .5L-.433 .25V-.25Z",
}
_REACH = 13.0  # of a marker under the pointer, in points


def svg(spec: ChartSpec | CurveSpec, frame: Frame, alt: str) -> str:
    """Return a chart as an `<svg>` element for a page: the same bytes for the same spec, on every machine."""
    surface = SvgCanvas(frame, f"{spec.id}-{frame.width:.0f}")
    with measured_by(text_width):
        paint(surface, spec)
    return surface.text(alt)


class SvgCanvas(look.Surface):
    """What bars and lines are drawn on for a page; x and y are points from the top left."""

    def __init__(self, frame: Frame, name: str) -> None:
        self.frame = frame
        self._name = name
        self._drawn: list[tuple[float, int, str]] = []  # height, order, element
        self._hatchings: dict[str, str] = {}  # a pattern's element by its id
        self._centres: dict[int, tuple[float, float]] = {}  # of markers

    # --- drawing ---------------------------------------------------------------------------------------

    def put(self, x: float, y: float, line: Line, align: Align = "left") -> None:
        """Place a line of text; y is its top."""
        weight = ' font-weight="700"' if line.bold else ""
        place = f'x="{_n(x)}" y="{_n(y + line.size * 1.04)}" font-size="{_n(line.size)}"'
        text = escape(line.text, quote=False)
        self._add(10, f"<text {place}{weight}{_ANCHORS[align]}{_paint('fill', line.color)}>{text}</text>")

    def box(self, x: float, y: float, width: float, height: float, z: float, **style: Any) -> int:
        """Draw a rectangle whose top left is (x, y)."""
        place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
        return self._shape(f"rect {place}", z, style)

    def area(self, xs: Sequence[float], tops: Sequence[float], bottoms: Sequence[float], **style: Any) -> None:
        """Fill what lies between two lines over the same xs."""
        outline = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
        self._shape(f'path d="{_path(outline)}Z"', style.pop("zorder", 2), style)

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, width: float, z: float) -> None:
        """Draw a line through points."""
        path = _path(list(zip(xs, ys, strict=True)))
        self._add(z, f'<path d="{path}" fill="none"{_paint("stroke", color)} stroke-width="{_n(width)}"/>')

    def marker(self, x: float, y: float, sign: str, color: str, size: float, z: float, hollow: bool = False) -> int:
        """Draw a drive's marker, centred."""
        fill, edge = (look.PAPER, color) if hollow else (color, look.PAPER)
        stroke = size * (0.22 if hollow else 0.1)
        colors = f'{_paint("fill", fill, edge)} stroke-width="{_n(stroke if sign == "o" else stroke / size)}"'
        if sign == "o":
            return self._add(z, f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size / 2)}"{colors}/>', (x, y))
        at = f'transform="translate({_n(x)} {_n(y)}) scale({_n(size)})"'
        return self._add(z, f'<path d="{_MARKERS[sign]}" {at}{colors}/>', (x, y))

    def tip(self, drawn: int, text: str) -> None:
        """Give something drawn a text that is shown under the pointer, and read to who does not see it."""
        z, order, element = self._drawn[drawn]
        said = f"<title>{escape(text, quote=False)}</title>"
        whole = f'<g class="tip">{said}{element}{self._reach(drawn)}</g>'
        self._drawn[drawn] = (z, order, whole)

    # --- the element -----------------------------------------------------------------------------------

    def text(self, alt: str) -> str:
        """Return the whole element; `alt` is the chart in words."""
        size = f"0 0 {_n(self.frame.width)} {_n(self.frame.height)}"
        patterns = "".join(self._hatchings.values())
        content = "".join(element for _, _, element in sorted(self._drawn, key=lambda d: d[:2]))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="group" aria-label="{escape(alt)}" '
            f'font-family="{_FAMILY}">'
            f"{f'<defs>{patterns}</defs>' if patterns else ''}{content}</svg>"
        )

    def _add(self, z: float, element: str, centre: tuple[float, float] | None = None) -> int:
        self._drawn.append((z, len(self._drawn), element))
        if centre is not None:
            self._centres[len(self._drawn) - 1] = centre
        return len(self._drawn) - 1

    def _reach(self, drawn: int) -> str:
        """A ground about a marker that takes the pointer: a dot of eight points is hard to hit."""
        if (centre := self._centres.get(drawn)) is None:
            return ""
        x, y = centre
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(_REACH)}" fill="none" pointer-events="all"/>'

    def _shape(self, element: str, z: float, style: Any) -> int:
        """Add a shape by the look that the picture's canvas knows too: fc, ec, lw, alpha and hatch."""
        fill, edge, width = style.get("fc", "none"), style.get("ec", "none"), style.get("lw", 0)
        alpha = f' opacity="{_n(style["alpha"])}"' if "alpha" in style else ""
        line = _paint("stroke", edge) + f' stroke-width="{_n(width)}"' if width else ""
        shapes = [] if fill == "none" and not width else [f"<{element}{_paint('fill', fill)}{line}{alpha}/>"]
        if hatch := style.get("hatch"):
            shapes.append(f'<{element} fill="url(#{self._hatching(hatch, edge)})"{alpha}/>')
        return self._add(z, "".join(shapes))

    def _hatching(self, hatch: str, color: Any) -> str:
        """Return the id of a pattern: `//` are lines one way, `xx` both ways, doubled they stand closer."""
        apart = _APART[len(hatch) // 2]
        key = f"{self._name}-{'x' if 'x' in hatch else 'd'}{len(hatch)}-{_key(color)}"
        if key not in self._hatchings:
            lines = f"M0 0V{_n(apart)}" + (f"M0 0H{_n(apart)}" if "x" in hatch else "")
            size = f'width="{_n(apart)}" height="{_n(apart)}" patternUnits="userSpaceOnUse"'
            drawn = f'<path d="{lines}"{_paint("stroke", color)} stroke-width="2.2"/>'
            self._hatchings[key] = f'<pattern id="{key}" {size} patternTransform="rotate(45)">{drawn}</pattern>'
        return key


def _n(value: float) -> str:
    """A number as short as it can be said: a hundredth of a point is not seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _paint(what: str, color: Any, edge: Any = None) -> str:
    """The attributes that paint: a plain colour, and a class where a theme may give it another."""
    if isinstance(color, tuple):
        rgb = "#" + "".join(f"{round(part * 255):02x}" for part in color[:3])
        return f' {what}="{rgb}" {what}-opacity="{_n(color[3])}"'
    names = [f"{what[0]}-{_CLASSES[color]}"] if color in _CLASSES else []
    both = f' {what}="{color}"'
    if edge is not None:
        names += [f"s-{_CLASSES[edge]}"] if edge in _CLASSES else []
        both += f' stroke="{edge}"'
    return both + (f' class="{" ".join(names)}"' if names else "")


def _key(color: Any) -> str:
    parts = color if isinstance(color, tuple) else (color,)
    return "".join(c for part in parts for c in str(part) if c.isalnum())
