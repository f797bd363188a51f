"""SVG of a chart for a page: text as text, ids of its own, colours that a dark theme can change."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from iobench.report import canvas as look
from iobench.report.canvas import Canvas, Frame
from iobench.report.draw import draw, style
from iobench.report.spec import ChartSpec

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_VARIABLES = {
    look.INK: "ink",
    look.MUTED: "muted",
    look.GRID: "grid",
    look.AXIS: "axis",
    look.PAPER: "paper",
    look.WARN: "warn",
}
_COLOR = re.compile("|".join(re.escape(color) for color in _VARIABLES))
_FAMILY = re.compile(r"font-family: [^;]*")
# Whoever opens the page has other fonts than the machine that made it.
_FONTS = (
    "font-family: 'Noto Sans', 'Segoe UI', 'Helvetica Neue', Arial, 'Noto Sans CJK JP', 'Hiragino Sans', "
    "'Yu Gothic', Meiryo, 'DejaVu Sans', sans-serif"
)


def svg(spec: ChartSpec, frame: Frame, alt: str) -> str:
    """Return a chart as an `<svg>` element for a page: the same bytes for the same spec."""
    name = f"{spec.id}-{frame.width:.0f}"
    with style(name):
        drawn = draw(spec, frame)
        target = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        drawn.figure.patch.set_alpha(0)
        drawn.figure.savefig(target, format="svg", metadata=nothing)
    return _element(target.getvalue(), name, drawn, alt)


def _element(text: str, name: str, drawn: Canvas, alt: str) -> str:
    # The text is what matplotlib has just written: no foreign XML is parsed here.
    root = ElementTree.fromstring(text)
    for element in root.iter():
        _own(element, name)
    for element in list(root.iter(f"{{{_SVG}}}g")):
        key = (element.get("id") or "").removeprefix(f"{name}-")
        if key in drawn.tips:
            tip = ElementTree.Element(f"{{{_SVG}}}title")
            tip.text = drawn.tips[key]
            element.insert(0, tip)
    for style_element in root.findall(f"{{{_SVG}}}defs/{{{_SVG}}}style"):
        style_element.text = ""  # `*{…}` would hold for the whole page
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", alt)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _own(element: ElementTree.Element, name: str) -> None:
    """Make an element's ids its chart's own, and its colours variables with the plain one behind."""
    if identity := element.get("id"):
        element.set("id", f"{name}-{identity}")
    if link := element.get(_LINK):
        element.set(_LINK, link.replace("#", f"#{name}-", 1))
    for attribute in ("clip-path", "style"):
        if value := element.get(attribute):
            value = value.replace("url(#", f"url(#{name}-")
            value = _COLOR.sub(lambda m: f"var(--{_VARIABLES[m[0]]}, {m[0]})", value)
            element.set(attribute, _FAMILY.sub(_FONTS, value))
