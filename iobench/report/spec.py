"""Chart specs: what a chart shows, as data, with every text resolved; pictures, slides and tables are drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from iobench.analysis.types import Difference, Ratio
from iobench.model import Better, Verdict
from iobench.report import labels

# Colour-blind safe, told apart by lightness too; the first three are the house's.
COLORS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#7a5195",
    "#8c8c8c",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


def look_of(place: int, color: str | None = None) -> tuple[str, str]:
    """Return the colour (one that was asked for, else the house's) and the marker of the drive at a place.

    Where colours come again, each has another marker.
    """
    count = len(COLORS)
    return color or COLORS[place % count], MARKERS[(place + place // count) % len(MARKERS)]


class ChartKind(StrEnum):
    """How a chart is drawn: a bar a drive, or a line a drive against the load."""

    BAR = "bar"
    LINE = "line"


class Across(StrEnum):
    """What runs along a line chart: the load, the rate that was offered, or the time."""

    LOAD = "load"
    RATE = "rate"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Point:
    """A drive's figure at a load (or rate, 1/s, or moment, ms), in the base unit, with the texts beside it."""

    load: int
    value: float
    low: float | None
    high: float | None
    repeats: int
    verdict: Verdict
    reasons: tuple[str, ...]
    text: str
    ratio: Ratio | None = None
    ratio_text: str = ""  # as it is written on a bar
    note: str = ""  # a second figure of the same step: MB/s beside seconds
    mark: str = ""  # names what is not valid: `page-cache`

    @property
    def none_shown(self) -> bool:
        """Whether the data show no difference from the baseline."""
        return self.ratio is not None and self.ratio.difference is Difference.NONE_SHOWN


@dataclass(frozen=True, slots=True)
class Series:
    """A drive on a chart. `tags` are words that always stand beside its name; `marks` name unsound points."""

    drive: str
    label: str
    color: str
    marker: str
    tags: tuple[str, ...]
    points: tuple[Point, ...]
    marks: tuple[str, ...] = ()
    emulated: bool = False
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """One chart, as data. `shared` are the reasons that every result on it carries alike."""

    id: str
    kind: ChartKind
    workload: str
    op: str
    metric: str
    unit: str
    better: Better
    title: str
    subtitle: str
    axis: str
    x_axis: str
    scale: labels.Scale
    log: bool
    series: tuple[Series, ...]
    footnotes: tuple[str, ...]
    shared: tuple[str, ...] = ()
    none_shown: str = ""  # what stands under a ratio that shows no difference
    across: Across = Across.LOAD
    moments: tuple[tuple[int, str], ...] = ()  # what happened when, on a chart along the time

    @property
    def loads(self) -> tuple[int, ...]:
        """The loads on the chart (or rates, or moments), rising."""
        return tuple(sorted({p.load for s in self.series for p in s.points}))

    def x_text(self, load: int) -> str:
        """Return how a place along the chart is written; a moment in seconds."""
        return f"{load / 1000:g}" if self.across is Across.TIME else f"{load:,}"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of a curve: throughput (1/s) and latency (seconds), whether it held, and what is said of it."""

    x: float
    y: float
    held: bool
    random: bool
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A drive's curve. `line` are the points that the line goes through; `best` and `knee` are marked by name."""

    drive: str
    label: str
    color: str
    marker: str
    points: tuple[CurvePoint, ...]
    line: tuple[CurvePoint, ...]
    best: CurvePoint | None
    knee: CurvePoint | None
    best_text: str
    knee_text: str


@dataclass(frozen=True, slots=True)
class CurveSpec:
    """A chart of latency against throughput, as data; `limit` is the SLO's, in seconds."""

    id: str
    title: str
    subtitle: str
    axis: str
    x_axis: str
    x_log: bool
    scale: labels.Scale
    curves: tuple[Curve, ...]
    limit: float
    limit_text: str
    footnotes: tuple[str, ...]
