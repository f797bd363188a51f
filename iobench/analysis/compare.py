"""The comparison of drives, of one campaign or of several: medians, intervals and ratios to a baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from iobench.analysis import claims, repeats, several
from iobench.analysis.repeats import Repeats, WorkKey
from iobench.analysis.rows import RESOLUTION, rows_of
from iobench.analysis.throttled import LIMITED, limited
from iobench.analysis.types import Comparison
from iobench.errors import UsageError, near_miss
from iobench.model import METRICS, PERCENTILES, main_metrics
from iobench.results import CampaignFolder

DEFAULT_BASELINE = "sas"


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
    main: bool = False,
) -> Comparison:
    """Return the comparison of campaigns; `resolution` is a share (0.02), `metrics` limits the rows.

    With `main` no more is worked out than what workloads are looked at by, and what claims and limits are told of.

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
    data = repeats.read(folders, campaigns, names, several.merged_params(campaigns, gaps))
    drives = tuple(data.drives[name] for name in several.ordered(campaigns, names) if name in data.drives)
    base = _baseline(baseline, [drive.name for drive in drives], len(folders) > 1)
    wanted = METRICS if not main and metrics is None else _wanted(data.works, metrics, rules)
    rows = tuple(rows_of(data.works, base, resolution, wanted))
    return Comparison(
        campaigns=tuple(folder.id for folder in folders),
        baseline=base,
        resolution=resolution,
        drives=drives,
        rows=rows if metrics is None else tuple(row for row in rows if row.metric in metrics),
        claims=() if gaps else claims.evaluate(rules, rows, drives),
        notes=tuple(data.notes),
        despite=tuple(gap.phrase for gap in gaps),
        limited=limited(rows, drives),
        labels=labels,
        names=names,
    )


def _wanted(
    works: Mapping[WorkKey, Repeats], metrics: Collection[str] | None, rules: Sequence[claims.Rule]
) -> set[str]:
    """Return the metrics that are shown (None: the main ones of each workload), and those by which others are told."""
    there: dict[str, dict[str, None]] = {}
    for key, by_metric in works.items():
        # Percentiles may be there in the latencies alone.
        there.setdefault(key.workload, {}).update(dict.fromkeys((*by_metric, *PERCENTILES)))
    main = {metric for workload, of in there.items() for metric in main_metrics(workload, of)}
    shown = set(main if metrics is None else metrics)
    return shown | LIMITED | claims.metrics_of(rules)


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
