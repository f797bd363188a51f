"""What a capacity campaign found, in words and rows: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence

from iobench.analysis.capacity import Judged, Result
from iobench.analysis.loadpoints import ACHIEVED_LEAST, LoadPoint, at_machine_end
from iobench.analysis.search import End
from iobench.analysis.slo import Slo
from iobench.report import labels
from iobench.texts import Words
from iobench.units import format_count, format_seconds

_UNITS = {"oltp": "transactions", "rand-read": "iops", "rand-write": "iops", "rand-mixed": "iops"}


def slo_text(objective: Slo, words: Words) -> str:
    """Return an SLO as people read it: `random reads: p99 latency below 1 ms`."""
    name = labels.workload_name(objective.workload, words)
    return words("capacity.slo", workload=name, limits=limits_text(objective, words))


def limits_text(objective: Slo, words: Words) -> str:
    """Return an SLO's limits as people read them: `p99 latency below 1 ms`."""
    limits = [
        words("capacity.limit", metric=labels.metric_name(limit.metric, words), time=format_seconds(limit.seconds))
        for limit in objective.limits
    ]
    return words.commas(limits)


def rate_text(value: float, workload: str = "") -> str:
    """Return a rate with its unit: `733 IOPS`, `120/s`."""
    return labels.value_text(value, _UNITS.get(workload, "ops"), "1/s")


def why(judged: Judged, objective: Slo, words: Words) -> str:
    """Return why a point does not hold, with the figures."""
    point, parts = judged.point, []
    for reason in judged.judgement.why:
        metric, time, limit = objective.metric, 0.0, 0.0
        if judged.judgement.limit is not None:
            metric = judged.judgement.limit.metric
            time, limit = point.latencies[metric], judged.judgement.limit.seconds
        parts.append(
            words(
                f"capacity.why.{reason}",
                metric=labels.metric_name(metric, words),
                time=format_seconds(time),
                limit=format_seconds(limit),
                share=_percent(point.share or 0.0),
                least=_percent(ACHIEVED_LEAST),
                growth=f"{format_count(point.growth or 0.0)}/s",
                reasons=words.commas(point.reasons),
            )
        )
    return words.commas(parts)


def sentences(result: Result, words: Words, drive: str | None = None) -> list[str]:
    """Return what was found, in sentences; `drive` is the target's name for people."""
    name, objective = drive or labels.clean(result.target, 60), result.slo
    slo, best = slo_text(objective, words), result.best
    failed = words_of_failed(result, words)
    if result.end is End.UNDECIDED:
        return [words("capacity.undecided", drive=name, slo=slo)]
    if result.end is End.FAILS_AT_LOWEST:
        reason = why(result.failed, objective, words) if result.failed else "?"
        rate = _x(result.failed.point, result) if result.failed else "?"
        return [words("capacity.fails-at-lowest", drive=name, slo=slo, rate=rate, why=reason)]
    if result.end is End.OPEN or best is None:
        if result.even is None:
            return [words("capacity.open", drive=name, slo=slo)]
        return [words("capacity.open-at", drive=name, slo=slo, rate=_x(result.even, result))]
    rate, latency = _x(best, result), latency_text(best, objective, words)
    achieved = rate_text(best.achieved, objective.workload)
    if result.by == "load":
        said = [words("capacity.load", drive=name, slo=slo, load=best.load, achieved=achieved, latency=latency)]
        said += [words("capacity.holds-at-most", drive=name, slo=slo, rate=rate)] if result.end is not End.FOUND else []
    else:
        said = [words("capacity.found", drive=name, slo=slo, rate=rate, achieved=achieved, latency=latency)]
        said.append(_arrivals(result, words))
        if result.end is End.HOLDS_AT_MOST and result.even is not None:
            ended = result.failed is not None and at_machine_end(result.failed.point)
            key = "capacity.machine-end" if ended else "capacity.holds-at-most"
            said = [words(key, drive=name, slo=slo, rate=_x(result.even, result)), *said[1:]]
    if best.reasons:
        said.append(words("capacity.marked", reasons=words.commas(best.reasons)))
    if failed:
        said.append(failed)
    if result.knee is not None:
        bend = result.curve[result.knee]
        rate = rate_text(bend.achieved, objective.workload)
        said.append(words("capacity.knee", rate=rate, latency=latency_text(bend, objective, words)))
    return said


def _arrivals(result: Result, words: Words) -> str:
    even, best = result.even, result.best
    assert even is not None and best is not None
    if result.confirmed:
        return words("capacity.confirmed", even=_x(even, result), rate=_x(best, result))
    if any(judged.point.arrival == "poisson" for judged in result.points):
        if even.arrival == "poisson":
            return words("capacity.random")
        return words("capacity.not-confirmed", rate=_x(even, result))
    return words("capacity.even")


def words_of_failed(result: Result, words: Words) -> str:
    """Return the sentence of the first point that failed; nothing where there is none."""
    if result.failed is None:
        return ""
    rate = _x(result.failed.point, result)
    return words("capacity.first-failed", rate=rate, why=why(result.failed, result.slo, words))


def latency_text(point: LoadPoint, objective: Slo, words: Words) -> str:
    """Return a point's latency by the objective's metric: `p99 latency 0.8 ms`."""
    return f"{labels.metric_name(objective.metric, words)} {format_seconds(point.latencies[objective.metric])}"


def _x(point: LoadPoint, result: Result) -> str:
    return str(point.load) if result.by == "load" else rate_text(point.x, result.slo.workload)


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def columns(result: Result, words: Words) -> list[str]:
    """Return the heads of the table of points: the same for every workload."""
    keys = ("arrival", "load", "offered", "achieved", "share")
    heads = [words(f"capacity.col.{key}") for key in keys]
    latency = [labels.metric_name(limit.metric, words) for limit in result.slo.limits]
    return [*heads, *latency, words("capacity.col.behind"), words("col.verdict"), words("capacity.col.holds")]


def row(judged: Judged, result: Result, words: Words) -> list[str]:
    """Return a point's cells."""
    point = judged.point
    reasons = words.commas([words(f"capacity.why.short.{reason}") for reason in judged.judgement.why])
    return [
        words.or_name(f"capacity.arrival.{point.arrival}", point.arrival),
        str(point.load),
        "–" if point.offered is None else rate_text(point.offered, point.workload),
        rate_text(point.achieved, point.workload),
        "–" if point.share is None else _percent(point.share),
        *(
            format_seconds(point.latencies[limit.metric]) if limit.metric in point.latencies else "–"
            for limit in result.slo.limits
        ),
        "–" if point.backlog is None else format_count(point.backlog),
        words.commas(point.reasons) or words("verdict.valid"),
        words("capacity.yes") if judged.judgement.holds else words("capacity.no", why=reasons),
    ]


def in_order(points: Sequence[Judged]) -> list[Judged]:
    """Return points as they are read: closed loops first, then by rate, evenly spaced before random."""
    return sorted(points, key=lambda j: (j.point.offered is not None, j.point.x, j.point.arrival == "poisson"))
