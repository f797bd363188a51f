"""Where text stands on a drawn picture, as matplotlib has it: what overlaps, what is cut off."""

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from iobench.report.canvas import quiet


def texts_of(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return every text that is drawn on a figure, with its box in pixels."""
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves it untyped
    renderer = canvas.get_renderer()
    found = (t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible() and t.get_text().strip())
    with quiet():
        return [(t.get_text(), t.get_window_extent(renderer)) for t in found]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that lie over each other."""
    boxes = texts_of(figure)
    return [
        (a, b)
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
    ]


def cut_off(figure: Figure) -> list[str]:
    """Return the texts that reach over the edge of the picture."""
    width, height = figure.canvas.get_width_height()
    return [
        text
        for text, box in texts_of(figure)
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]
