"""The sheet that PowerPoint opens to edit a chart: figures, ends of intervals, and error bars that point there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from iobench.report.canvas import INK
from iobench.report.plot import ends
from iobench.report.slides.parts import CHART, line_look, new, reference, rounded
from iobench.report.spec import Point


def fill(
    chart: Any,
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[Point | None]]],
    divisor: float,
    upper: str | None,
) -> None:
    """Write the sheet that PowerPoint opens to edit the chart: figures, and the intervals about them."""
    import xlsxwriter

    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(1980, 1, 1)})  # the same figures give the same bytes
    sheet = book.add_worksheet("Sheet1")
    columns: list[tuple[str, Sequence[object]]] = [("", list(names))]
    columns += [(name, [rounded(p.value, divisor) if p else None for p in points]) for name, points in series]
    if upper is not None:
        columns.append((upper, [rounded(ends(p)[1], divisor) if p else None for p in series[0][1]]))
    for name, points in series:
        columns += [(f"{name} −", _minus(points, divisor)), (f"{name} +", _plus(points, divisor))]
    for c, (head, values) in enumerate(columns):
        sheet.write(0, c, head)
        for r, value in enumerate(values, 1):
            if value is not None:
                sheet.write(r, c, value)
    book.close()
    chart.part.chart_workbook.update_from_xlsx_blob(target.getvalue())


def error_bars(series: Any, points: Sequence[Point | None], divisor: float, column: int, color: str = INK) -> None:
    """Put c:errBars before c:cat; its ends stand in two columns of the chart's workbook, from `column` (0 is A)."""
    if not any(p and p.low is not None for p in points):
        return
    element = series._element
    bars = new("errBars")
    bars.append(new("errBarType", val="both"))
    bars.append(new("errValType", val="cust"))
    bars.append(new("noEndCap", val="0"))
    for tag, offset, ways in (("plus", 1, _plus(points, divisor)), ("minus", 0, _minus(points, divisor))):
        letter = _letter(column + offset)
        bars.append(reference(tag, f"Sheet1!${letter}$2:${letter}${len(points) + 1}", ways))
    bars.append(line_look(color, 1.25))
    element.find(f"{{{CHART}}}cat").addprevious(bars)


def _minus(points: Sequence[Point | None], divisor: float) -> list[float]:
    return [rounded(p.value - ends(p)[0], divisor) if p else 0.0 for p in points]


def _plus(points: Sequence[Point | None], divisor: float) -> list[float]:
    return [rounded(ends(p)[1] - p.value, divisor) if p else 0.0 for p in points]


def _letter(column: int) -> str:
    """A column's name in a sheet: 0 is A."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
