"""Figures that others published, from a CSV file: shown beside what was measured as theirs, never as measured."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iobench import profiles
from iobench.errors import UsageError
from iobench.report import labels
from iobench.units import format_value

_COLUMNS = ("drive", "workload", "conditions", "figure", "unit", "source")
# As a file may write a unit: what the figure is multiplied by, and the base unit it then is in.
_UNITS = {"MB/s": (1e6, "B/s"), "B/s": (1.0, "B/s"), "1/s": (1.0, "1/s"), "s": (1.0, "s"), "ms": (1e-3, "s")}


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of someone else: on which drive, of what, under which conditions, and where it stands."""

    drive: str
    workload: str
    conditions: str
    figure: str
    source: str


def load(name: str) -> tuple[Published, ...]:
    """Return the figures of a CSV file: a path, or the name of one that ships (`2011`).

    Its columns are drive, workload, conditions, figure, unit and source. Raises UsageError for a file that is
    not there or is not so.
    """
    path = profiles.find("published", name, suffix=".csv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise UsageError(f"{path.name}: the first line names the columns {', '.join(_COLUMNS)}, in this order")
            return tuple(_row(row, path, number) for number, row in enumerate(reader, 2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as a CSV file: {error}") from error


def of_workloads(figures: Sequence[Published], workloads: Sequence[str]) -> tuple[Published, ...]:
    """Return the figures of what was measured, in the order of the file; all of them where none is of that."""
    own = tuple(figure for figure in figures if figure.workload in workloads)
    return own or tuple(figures)


def _row(row: dict[str, str], path: Path, number: int) -> Published:
    if None in row or any(value is None for value in row.values()):
        raise UsageError(f"{path.name}, line {number}: it has not {len(_COLUMNS)} fields")
    try:
        value = float(row["figure"])
        if not math.isfinite(value):
            raise ValueError
    except ValueError:
        raise UsageError(f"{path.name}, line {number}: {row['figure']!r} is not a number") from None
    scale, unit = _UNITS.get(row["unit"], (1.0, ""))
    text = format_value(value * scale, unit) if unit else f"{value:,g} {labels.clean(row['unit'], 20)}"
    said = {name: labels.clean(row[name], 120) for name in ("drive", "workload", "conditions", "source")}
    return Published(**said, figure=text)
