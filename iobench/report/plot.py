"""Where data stand in a chart: the plot's scale, its ticks and grid, and what bars, lines and points share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from iobench.model import Verdict
from iobench.report.canvas import (
    AXIS,
    GRID,
    INK,
    MUTED,
    ON_DARK,
    ON_LIGHT,
    Frame,
    Line,
    Surface,
    text_width,
    wrap,
)
from iobench.report.spec import ChartSpec, CurveSpec, Point

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


def axis(canvas: Surface, plot: Plot, spec: ChartSpec | CurveSpec, ticks: Sequence[float]) -> None:
    """Draw the quiet horizontal grid with its figures; a low plot has fewer."""
    frame, last = canvas.frame, math.inf
    for value in ticks:
        y = plot.y(value)
        if last - y < frame.tick * 1.15:
            continue
        last = y
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
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
    return ON_DARK if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.055 else ON_LIGHT


def names_of(spec_label: str, size: float, width: float, most: int) -> list[Line]:
    """Return a drive's name in bold, broken to a width."""
    return wrap(Line(spec_label, size, bold=True, color=INK), width, most)
