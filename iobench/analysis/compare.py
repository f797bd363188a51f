"""Comparison: the stored repeats of one campaign or several, as medians, intervals and ratios to a baseline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iobench import bins as latencies
from iobench.analysis import claims, several, stats
from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Ratio, Row
from iobench.errors import ResultsError, UsageError, near_miss
from iobench.model import METRICS, PERCENTILES, Campaign, Passport, Verdict, canonical, worst
from iobench.results import CampaignFolder, decode_bins
from iobench.texts import Phrase, Told

RESOLUTION = 0.02
DEFAULT_BASELINE = "sas"


@dataclass(frozen=True, slots=True)
class WorkKey:
    """What makes numbers comparable: the same work was asked of every drive."""

    workload: str
    load: int
    rate: float | None
    params: str
    op: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """One number of one round; `bins` are the latencies of its step and operation, where they were kept."""

    round: int
    value: float
    verdict: Verdict
    reasons: tuple[str, ...]
    bins: Mapping[int, int] | None


@dataclass(slots=True)
class Stored:
    """What was read: repeats by key, metric and drive, and the drives in the order of the campaigns."""

    cells: dict[WorkKey, dict[str, dict[str, list[Repeat]]]] = field(default_factory=dict)
    drives: dict[str, DriveSummary] = field(default_factory=dict)
    notes: list[Told] = field(default_factory=list)


def compare(
    folders: Sequence[CampaignFolder],
    baseline: str | None = None,
    resolution: float = RESOLUTION,
    metrics: Collection[str] | None = None,
    rules: Sequence[claims.Rule] = (),
    *,
    pool: bool = False,
    anyway: bool = False,
    called: Sequence[str | None] = (),
) -> Comparison:
    """Return the comparison of campaigns; `resolution` is a share (0.02), `metrics` limits the rows.

    The baseline is the drive of that name, else `sas`, else the last one (of several campaigns: the first);
    None with a single drive. A name in two campaigns carries the campaign's behind it, which `called` gives, else
    the host or the id; with `pool` the repeats of one device are taken together. Campaigns that did other work,
    or by programs of another major version, are refused unless `anyway`; then no claim is made of them.
    Raises UsageError for such, and for a baseline or metric that there is not (with the nearest), and
    ResultsError where nothing was measured yet.
    """
    unknown = next((name for name in metrics or () if name not in METRICS), None)
    if unknown is not None:
        raise UsageError(f"unknown metric {unknown!r}; {near_miss(unknown, METRICS)}")
    named = [*called, *([None] * (len(folders) - len(called)))]
    once = {folder.path.resolve(): (folder, name) for folder, name in zip(folders, named, strict=True)}
    folders = [folder for folder, _ in once.values()]
    campaigns = [folder.campaign() for folder in folders]
    labels = several.labels(campaigns, [name for _, name in once.values()])
    gaps = several.gaps(campaigns, labels)
    if not anyway:
        several.refuse(gaps)
    names = several.names(campaigns, labels, pool)
    data = read(folders, campaigns, names, several.merged_params(campaigns, gaps))
    drives = tuple(data.drives[name] for name in several.ordered(campaigns, names) if name in data.drives)
    base = _baseline(baseline, [drive.name for drive in drives], len(folders) > 1)
    rows = tuple(row for key in _ordered(data.cells) for row in rows_of(key, data.cells[key], base, resolution))
    return Comparison(
        campaigns=tuple(folder.id for folder in folders),
        baseline=base,
        resolution=resolution,
        drives=drives,
        rows=rows if metrics is None else tuple(row for row in rows if row.metric in metrics),
        claims=() if gaps else claims.evaluate(rules, rows, drives),
        notes=tuple(data.notes),
        despite=tuple(gap.phrase for gap in gaps),
        labels=labels,
    )


def _baseline(asked: str | None, names: Sequence[str], several_campaigns: bool) -> str | None:
    if asked is not None and asked not in names:
        # Of several campaigns the first one's: what was there before.
        asked = next((name for name in names if name.startswith(f"{asked} (")), asked)
    if asked is not None and asked not in names:
        raise UsageError(f"no drive {asked!r} was measured, so it cannot be the baseline; {near_miss(asked, names)}")
    if len(names) < 2:
        return None
    usual = next((name for name in names if name == DEFAULT_BASELINE or name.startswith(f"{DEFAULT_BASELINE} (")), None)
    return asked or usual or (names[0] if several_campaigns else names[-1])


# --- reading -------------------------------------------------------------------------------------------


def read(
    folders: Sequence[CampaignFolder],
    campaigns: Sequence[Campaign],
    names: Mapping[tuple[str, str], str],
    passed_over: Mapping[str, frozenset[str]],
) -> Stored:
    """Return all repeats, by the drives' `names`, the parameters `passed_over` left out of what tells work apart.

    Raises ResultsError where there is none.
    """
    data = Stored()
    first_round = 0
    for folder, campaign in zip(folders, campaigns, strict=True):
        own = {t: names[campaign.id, t] for t in campaign.passports}
        measured = _read_one(folder, data, own, passed_over, first_round)
        for target, passport in campaign.passports.items():
            if target in measured:
                _add_drive(data, names[campaign.id, target], passport)
        data.notes += _notes(folder, campaign, measured)
        # Rounds of different campaigns never pair: drift of one day says nothing of another.
        first_round += max([campaign.rounds, *(step.repeat for step in campaign.steps)]) + 1
    if not data.cells:
        raise ResultsError(
            f"nothing was measured yet in {', '.join(folder.id for folder in folders)}: "
            "no step is finished; `iobench resume` goes on with a campaign"
        )
    data.notes += _pooled(names)
    return data


def _read_one(
    folder: CampaignFolder,
    data: Stored,
    names: Mapping[str, str],
    passed_over: Mapping[str, frozenset[str]],
    first_round: int,
) -> set[str]:
    """Add a campaign's repeats; return the targets that have any."""
    bins = {(row["step"], row["op"]): decode_bins(row["histogram"]) for row in folder.read("latency").to_pylist()}
    measured = set()
    # Without the time: as a timestamp each value would load pandas first.
    for row in folder.read("samples").drop_columns(["started_at"]).to_pylist():
        name = names.get(row["target"])
        if name is None or row["metric"] not in METRICS:
            raise ResultsError(
                f"{folder.path} has numbers of the target {row['target']!r} and metric {row['metric']!r}, which its "
                "campaign.json, or this iobench, does not know; restore the folder from its archive"
            )
        measured.add(row["target"])
        params = _without(row["params"], passed_over.get(row["workload"], frozenset()))
        key = WorkKey(row["workload"], row["load"], row["rate"], params, row["op"])
        repeat = Repeat(
            first_round + row["repeat"],
            row["value"],
            Verdict(row["verdict"]),
            tuple(row["reasons"]),
            bins.get((row["step"], row["op"])),
        )
        data.cells.setdefault(key, {}).setdefault(row["metric"], {}).setdefault(name, []).append(repeat)
    return measured


def _add_drive(data: Stored, name: str, passport: Passport) -> None:
    data.drives.setdefault(name, DriveSummary(name, passport.kind, passport.emulation, passport))


def _notes(folder: CampaignFolder, campaign: Campaign, measured: Collection[str]) -> Iterator[Told]:
    yield from campaign.notes
    done, planned = len(folder.finished()), len(campaign.steps)
    if done < planned:
        yield Phrase("note.unfinished", {"campaign": campaign.id, "done": done, "planned": planned})
    if campaign.imported:
        yield Phrase("note.without-evidence", {"campaign": campaign.id})
    for target in campaign.passports:
        if target not in measured:
            yield Phrase("note.not-yet", {"campaign": campaign.id, "drive": target})


def _pooled(names: Mapping[tuple[str, str], str]) -> Iterator[Told]:
    for name in dict.fromkeys(names.values()):
        sources = [campaign for (campaign, _), called in names.items() if called == name]
        if len(sources) > 1:
            yield Phrase("note.pooled", {"drive": name, "campaigns": tuple(sources)})


def _ordered(cells: Mapping[WorkKey, object]) -> list[WorkKey]:
    """Return the keys by workload as planned, then by load, rate, parameters and operation."""
    workloads = {name: i for i, name in enumerate(dict.fromkeys(key.workload for key in cells))}
    ops = {name: i for i, name in enumerate(("read", "write", "get", "set", "all"))}
    return sorted(
        cells,
        key=lambda k: (workloads[k.workload], k.load, k.rate or 0.0, k.params, ops.get(k.op, len(ops)), k.op),
    )


# --- rows ----------------------------------------------------------------------------------------------


def rows_of(
    key: WorkKey, by_metric: Mapping[str, Mapping[str, list[Repeat]]], base: str | None, resolution: float
) -> Iterator[Row]:
    """Return a row for each metric of one work, from its repeats by metric and drive."""
    cells: dict[str, dict[str, _Cell]] = {}
    for name in dict.fromkeys(name for of in by_metric.values() for name in of):
        own = {metric: _in_rounds(of[name]) for metric, of in by_metric.items() if name in of}
        for metric, cell in _cells(own).items():
            cells.setdefault(metric, {})[name] = cell
    for metric in (known for known in METRICS if known in cells):
        figures = {name: figure for name, (figure, _) in cells[metric].items()}
        estimates = {name: _estimate(figure, repeats) for name, (figure, repeats) in cells[metric].items()}
        yield Row(
            workload=key.workload,
            op=key.op,
            metric=metric,
            unit=METRICS[metric].unit,
            better=METRICS[metric].better,
            load=key.load,
            rate=key.rate,
            params=_params(key.params),
            targets=estimates,
            ratios=_ratios(figures, estimates, base, resolution),
        )


def _without(text: str, names: frozenset[str]) -> str:
    return canonical({name: v for name, v in _params(text).items() if name not in names}) if names else text


def _params(text: str) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"the parameters {text[:60]!r} in the results are not JSON: {error}") from error
    return loaded


def _in_rounds(repeats: Sequence[Repeat]) -> list[Repeat]:
    return sorted(repeats, key=lambda repeat: repeat.round)


_Cell = tuple[stats.Figure, Sequence[Repeat]]


def _cells(own: Mapping[str, list[Repeat]]) -> dict[str, _Cell]:
    """Return a drive's figures by metric, each with the repeats that it is of.

    Where bins were kept, percentiles come from the bins of every round, also of one that was too short to
    have that percentile by itself.
    """
    binned = max(([r for r in repeats if r.bins] for repeats in own.values()), key=len)
    merged = _merged(own, binned) if binned else {}
    kept = {metric: repeats for metric, repeats in own.items() if not binned or metric not in PERCENTILES}
    cells: dict[str, _Cell] = {metric: (_figure(metric, repeats), repeats) for metric, repeats in kept.items()}
    return cells | {metric: (figure, binned) for metric, figure in merged.items()}


def _merged(own: Mapping[str, list[Repeat]], binned: Sequence[Repeat]) -> dict[str, stats.Figure]:
    """Return the percentiles of merged bins, each only where the sum has enough operations beyond it."""
    bins = [repeat.bins or {} for repeat in binned]
    operations = sum(sum(part.values()) for part in bins)
    carried = {metric: q for metric, q in PERCENTILES.items() if latencies.carries(operations, q)}
    values = {}
    for metric, q in carried.items():
        said = {repeat.round: repeat.value for repeat in own.get(metric, ())}
        # A round's own value only feeds the interval: one of few operations makes it wider, as it should.
        values[q] = [
            said.get(repeat.round) or latencies.percentile(part, q) for repeat, part in zip(binned, bins, strict=True)
        ]
    figures = stats.percentile_figures(bins, values, [repeat.round for repeat in binned])
    return {metric: figures[q] for metric, q in carried.items()}


def _figure(metric: str, repeats: Sequence[Repeat]) -> stats.Figure:
    ordered = _in_rounds(repeats)
    values, rounds = [r.value for r in ordered], [r.round for r in ordered]
    if metric == "latency_max":
        return stats.greatest_figure(values, rounds)
    counts = [sum((r.bins or {}).values()) for r in ordered]
    if metric == "latency_mean" and all(counts):
        return stats.mean_figure(values, counts, rounds)
    return stats.median_figure(values, rounds)


def _estimate(figure: stats.Figure, repeats: Sequence[Repeat]) -> Estimate:
    reasons = Counter(reason for repeat in repeats for reason in repeat.reasons)
    return Estimate(
        n=len(figure.values),
        median=figure.point,
        ci95=stats.interval(figure),
        verdict=worst(repeat.verdict for repeat in repeats),
        reasons=tuple(reason for reason, _ in reasons.most_common()),
        values=figure.values,
        rounds=figure.rounds,
    )


def _ratios(
    figures: Mapping[str, stats.Figure], estimates: Mapping[str, Estimate], base: str | None, resolution: float
) -> dict[str, Ratio]:
    """Return each drive's ratio to the baseline; none where the baseline has no figure, or nought."""
    if base is None or base not in figures or figures[base].point <= 0:
        return {}
    found = {}
    for name in (name for name in figures if name != base):
        ratio = figures[name].point / figures[base].point
        ends = stats.ratio_ci(figures[name], figures[base])
        sound = Verdict.INVALID not in (estimates[name].verdict, estimates[base].verdict)
        found[name] = Ratio(ratio, ends, difference(ratio, ends if sound else None, resolution))
    return found


def difference(ratio: float, ends: stats.Interval | None, resolution: float) -> Difference:
    """Return whether a ratio shows a difference: its interval excludes 1, and it is beyond the resolution."""
    if ends is None or ends[0] <= 1 <= ends[1] or abs(ratio - 1) <= resolution:
        return Difference.NONE_SHOWN
    return Difference.HIGHER if ratio > 1 else Difference.LOWER
