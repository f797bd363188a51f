"""The rounds of a preparation as SVG: the window, its mean, how far a round may lie from it, the fitted line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iobench.analysis import steady
from iobench.analysis.steady import Steady, Window
from iobench.report.plot import linear_ticks
from iobench.texts import Words
from iobench.units import format_count

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 640, 240, 64, 12, 40, 26
_INK, _REACHED, _OPEN, _GRID = "#1f4e8c", "#2b7a4b", "#8a8a8a", "#ddd"


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where a round and a value stand in the drawing."""

    count: int
    top: float

    def x(self, round_: float) -> float:
        return _LEFT + (round_ - 0.5) * (_WIDTH - _LEFT - _RIGHT) / self.count

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _BOTTOM - _TOP)


def picture(state: Steady, words: Words) -> str:
    """Return the drawing of at least one round; grey where steady state was not reached."""
    ticks = linear_ticks(max(state.rounds) * 1.1 or 1.0, 1.0)
    plot = _Plot(len(state.rounds), max(ticks[-1], max(state.rounds) * 1.1) or 1.0)
    parts = [
        *_axes(plot, ticks, words),
        *(_window(plot, state.window, _REACHED if state.reached else _OPEN) if state.window else ()),
        *_line(plot, state.rounds),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{words("handover.steady")}" class="rounds">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11">{text}</text>'


def _rule(x1: float, x2: float, y1: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" {style}/>'


def _axes(plot: _Plot, ticks: Sequence[float], words: Words) -> Iterator[str]:
    for value in ticks:
        yield _rule(_LEFT, _WIDTH - _RIGHT, plot.y(value), plot.y(value), f'stroke="{_GRID}"')
        yield _text(_LEFT - 6, plot.y(value) + 4, "end", format_count(value))
    for round_ in range(1, plot.count + 1):
        yield _text(plot.x(round_), _HEIGHT - _BOTTOM + 14, "middle", str(round_))
    yield _text(_LEFT - 6, 12, "end", words("metric.iops"))
    yield _text((_LEFT + _WIDTH) / 2, _HEIGHT - 8, "middle", words("handover.steady.axis"))


def _window(plot: _Plot, window: Window, colour: str) -> Iterator[str]:
    left, right = plot.x(window.first) - 10, plot.x(window.last) + 10
    yield (
        f'<rect x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{_HEIGHT - _BOTTOM - _TOP}" '
        f'fill="{colour}" fill-opacity="0.10" stroke="{colour}"/>'
    )
    half = steady.EXCURSION_MOST / 2
    for share, dashes in ((1.0, ""), (1 - half, ' stroke-dasharray="2 3"'), (1 + half, ' stroke-dasharray="2 3"')):
        at = plot.y(share * window.average)
        yield _rule(left, right, at, at, f'stroke="{colour}"{dashes}')
    fit = plot.y(window.fit[0]), plot.y(window.fit[1])
    style = f'stroke="{colour}" stroke-width="2" stroke-dasharray="6 3"'
    yield _rule(plot.x(window.first), plot.x(window.last), *fit, style)


def _line(plot: _Plot, rounds: Sequence[float]) -> Iterator[str]:
    points = [(plot.x(i), plot.y(value)) for i, value in enumerate(rounds, 1)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{_INK}" stroke-width="2"/>'
    yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{_INK}"/>' for x, y in points)
