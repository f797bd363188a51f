"""What is known of each finished step, for the part of a page that lets a reader check a number."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from iobench.errors import ResultsError
from iobench.model import INVALID_REASONS, METRICS, Verdict, main_metrics
from iobench.report import labels
from iobench.results import CampaignFolder
from iobench.texts import Words, told_of
from iobench.units import format_bytes, format_count, format_seconds

if TYPE_CHECKING:
    import pyarrow as pa

_SPARK = (240, 34)  # width and height of a series' picture, in its own units
_MOST_POINTS = 80


@dataclass(frozen=True, slots=True)
class Spark:
    """A series over time as an SVG path, and what it says in words."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Why a step is not valid: the reason's id, what it makes of the number, and the sentence with the figures."""

    reason: str
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step as a page shows it: a line of cells, and the facts under it."""

    id: str
    campaign: str
    drive: str
    workload: str
    load: int
    round: int
    value: str
    verdict: str
    verdict_text: str
    reasons: tuple[str, ...]
    said: tuple[Said, ...]
    bytes_share: str
    depth: str
    cpu: str
    limited: str
    command: str
    facts: tuple[tuple[str, str], ...]
    sparks: tuple[Spark, ...]


def read(folder: CampaignFolder, words: Words) -> list[Step]:
    """Return a campaign's finished steps in the order in which they ran. Raises ResultsError."""
    samples: dict[str, list[dict[str, Any]]] = {}
    finished = folder.finished()
    for row in _rows(folder.read("samples")):
        if row["step"] in finished:  # a name from inside a file is no path until it is one of ours
            samples.setdefault(row["step"], []).append(row)
    evidence = {row["step"]: row for row in folder.read("evidence").to_pylist()}
    series = _series(folder)
    steps = [
        _step(folder, name, rows, evidence.get(name, {}), series.get(name, {}), words) for name, rows in samples.items()
    ]
    order = {name: (rows[0]["started_at"] or 0, name) for name, rows in samples.items()}
    return sorted(steps, key=lambda step: order[step.id])


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    """A table's rows, the time as microseconds: as a timestamp each would load pandas first."""
    import pyarrow as pa

    at = table.schema.get_field_index("started_at")
    rows: list[dict[str, Any]] = table.set_column(at, "started_at", table.column(at).cast(pa.int64())).to_pylist()
    return rows


def _series(folder: CampaignFolder) -> dict[str, dict[str, list[tuple[float, float]]]]:
    table = folder.read("series")
    columns = [table.column(name).to_pylist() for name in ("step", "metric", "t_s", "value")]
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for step, metric, t_s, value in zip(*columns, strict=True):
        if t_s is not None and value is not None and math.isfinite(t_s) and math.isfinite(value):
            found.setdefault(step, {}).setdefault(str(metric), []).append((t_s, value))
    return found


def _step(
    folder: CampaignFolder,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    evidence: Mapping[str, Any],
    series: Mapping[str, Sequence[tuple[float, float]]],
    words: Words,
) -> Step:
    first = rows[0]
    verdict = first["verdict"] if first["verdict"] in ("valid", "suspect", "invalid") else "suspect"
    return Step(
        id=labels.clean(name, 120),
        campaign=folder.id,
        drive=labels.clean(first["target"], 80),
        workload=str(first["workload"]),
        load=first["load"],
        round=first["repeat"],
        value=_value(rows),
        verdict=verdict,
        verdict_text=words(f"verdict.{verdict}"),
        reasons=tuple(labels.clean(reason, 40) for reason in first["reasons"]),
        said=_said(folder, name, words),
        bytes_share=_share(evidence),
        depth=_pair(evidence, "queue_depth_asked", "queue_depth_achieved", _plain),
        cpu=_one(evidence, "client_cpu", lambda v: f"{v:.2f}"),
        limited=words(f"limit.{limit}") if (limit := evidence.get("limited_by")) in _LIMITS else "",
        command=command_text(folder.command(name)),
        facts=tuple(_facts(first, evidence, words)),
        sparks=tuple(_spark(metric, points, words) for metric, points in _shown(series)),
    )


_LIMITS = ("device", "client", "server", "cpu", "link", "throttle", "unknown")


def _value(rows: Sequence[Mapping[str, Any]]) -> str:
    """The step's main figure; of several operations, each one's."""
    metric = main_metrics(str(rows[0]["workload"]), dict.fromkeys(row["metric"] for row in rows))[0]
    found = [row for row in rows if row["metric"] == metric][:3]
    return " / ".join(labels.value_text(row["value"], metric, row["unit"]) for row in found)


def verdict_of(reason: str) -> Verdict:
    """Return what a reason makes of a number."""
    return Verdict.INVALID if reason in INVALID_REASONS else Verdict.SUSPECT


def _said(folder: CampaignFolder, name: str, words: Words) -> tuple[Said, ...]:
    said = folder.findings(name)
    if not isinstance(said, list):
        raise ResultsError(f"{folder.path / 'raw' / name / 'findings.json'} is not what iobench wrote")
    return tuple(
        Said(reason, verdict_of(reason).value, labels.clean(words.tell(told_of(entry)), 600))
        for entry in said
        if isinstance(entry, dict) and (reason := labels.clean(entry.get("reason", ""), 40))
    )


def command_text(kept: Mapping[str, Any]) -> str:
    """Return a command as a shell would take it; nothing where it was not kept (an import)."""
    argv = kept.get("argv")
    return labels.clean(shlex.join(map(str, argv)), 4000) if isinstance(argv, list) else ""


# --- facts ---------------------------------------------------------------------------------------------------


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _one(row: Mapping[str, Any], key: str, write: Any) -> str:
    value = row.get(key)
    return "" if value is None else str(write(value))


def _pair(row: Mapping[str, Any], first: str, last: str, write: Any) -> str:
    texts = [_one(row, key, write) or "–" for key in (first, last)]
    return "" if texts == ["–", "–"] else " / ".join(texts)


def _share(row: Mapping[str, Any]) -> str:
    """Device bytes over the tool's own, for the directions that the tool claims."""
    pairs = [(row.get(f"device_bytes_{way}"), row.get(f"tool_bytes_{way}")) for way in ("read", "written")]
    claimed = [(device, tool) for device, tool in pairs if tool and device is not None]
    tool = sum(t for _, t in claimed)
    return f"{sum(d for d, _ in claimed) / tool:.3f}" if tool else ""


def _facts(sample: Mapping[str, Any], row: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    facts = [
        ("step.params", _asked(sample["params"], words)),
        ("step.tool", labels.clean(sample["tool"], 120)),
        ("step.started", _when(sample["started_at"])),
        ("step.duration", _one(sample, "duration_s", format_seconds)),
        ("step.device", labels.clean(row.get("device_name") or "", 80)),
        ("step.tool-bytes", _pair(row, "tool_bytes_read", "tool_bytes_written", format_bytes)),
        ("step.device-bytes", _pair(row, "device_bytes_read", "device_bytes_written", format_bytes)),
        ("step.depth", _pair(row, "queue_depth_asked", "queue_depth_achieved", _plain)),
        ("step.client-cpu", _one(row, "client_cpu", lambda v: f"{v:.2f}")),
        ("step.system-cpu", _one(row, "system_cpu", labels.percent)),
        ("step.busy", _one(row, "device_busy", lambda v: f"{v:.3f}")),
        ("step.cv", _one(row, "rate_cv", lambda v: f"{v * 100:.2f} %")),
        ("step.drift", _one(row, "rate_drift", lambda v: f"{v * 100:+.2f} %")),
        ("step.background", _one(row, "background_bytes", format_bytes)),
        ("step.unwritten", _one(row, "unwritten_bytes", format_bytes)),
        ("step.temperature", _one(row, "temperature_c", _plain)),
        ("step.requests", _pair(row, "device_reads", "device_writes", format_count)),
        ("step.cache-hits", _one(row, "cache_hit_ratio", lambda v: f"{v * 100:.2f} %")),
        ("step.server-io", _pair(row, "server_reads", "server_writes", format_count)),
        ("step.server-fsyncs", _one(row, "server_fsyncs", format_count)),
        ("step.server-cpu", _one(row, "server_cpu", lambda v: f"{v:.2f}")),
        ("step.settled", _one(row, "settled_s", format_seconds)),
    ]
    return [(words(key), text) for key, text in facts if text]


def _when(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # a year that no clock says
        return ""


@lru_cache(maxsize=1024)
def _asked(text: str, words: Words) -> str:
    try:
        params = json.loads(text)
    except (ValueError, RecursionError):
        return labels.clean(text)
    return labels.all_params(params, words) if isinstance(params, dict) else labels.clean(text)


# --- series --------------------------------------------------------------------------------------------------


def _spark(metric: str, points: Sequence[tuple[float, float]], words: Words) -> Spark:
    """A series as a line over its time, from zero, so that a flat rate looks flat."""
    points = _thinned(sorted(points))
    width, height = _SPARK
    start, end = points[0][0], points[-1][0]
    top = max(value for _, value in points) or 1.0
    marks = [
        f"{(t - start) / (end - start or 1) * width:.0f} {height - 1 - value / top * (height - 3):.0f}"
        for t, value in points
    ]
    values = [value for _, value in points]
    text = words(
        "step.series",
        metric=words.or_name(f"series.{metric}", labels.metric_name(metric, words).replace("_", " ")),
        low=_amount(metric, min(values)),
        high=_amount(metric, max(values)),
        time=format_seconds(end - start),
    )
    return Spark("M" + "L".join(marks), text)


def _shown(series: Mapping[str, Sequence[tuple[float, float]]]) -> list[tuple[str, Sequence[tuple[float, float]]]]:
    """The series that say something: not a direction in which nothing went."""
    return [(m, points) for m, points in series.items() if len(points) > 1 and any(v for _, v in points)][:4]


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most so many points; of each bunch, its lowest and highest, so that no dip is lost."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    size = math.ceil(len(points) / (_MOST_POINTS // 2))
    bunches = [points[i : i + size] for i in range(0, len(points), size)]
    return [p for b in bunches for p in sorted({min(b, key=lambda p: p[1]), max(b, key=lambda p: p[1])})]


def _amount(metric: str, value: float) -> str:
    kind = metric.rpartition("_")[2]
    return labels.value_text(value, kind, METRICS[kind].unit) if kind in METRICS else format_count(value)
