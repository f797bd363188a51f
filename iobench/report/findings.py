"""Findings: what the numbers say as data (drives, ratio, interval, repeats, verdict), and then as sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from iobench.analysis import stability
from iobench.analysis.claims import CLAIM_ROUNDS
from iobench.analysis.throttled import throttled
from iobench.analysis.types import Comparison, Difference, DriveSummary, Estimate, Row
from iobench.model import Better, Verdict, worst
from iobench.report import labels
from iobench.texts import Words


class Kind(StrEnum):
    """What a finding says."""

    RATIO = "ratio"
    NONE_SHOWN = "none-shown"
    FIGURE = "figure"
    SHARE = "share"
    UNSOUND = "unsound"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the numbers say of a drive, before it is prose. Values in the metric's base unit.

    `load` is None where there is only one. For a SHARE, `value` is the least rate of the loads from `since` to
    `load` as a part of the greatest. `repeats` is the smaller of the two drives'.
    """

    kind: Kind
    row: Row
    drive: str
    baseline: str | None
    value: float
    interval: tuple[float, float] | None
    repeats: int
    verdict: Verdict
    reasons: tuple[str, ...]
    load: int | None = None
    since: int | None = None
    paced: bool = False  # of several offered rates: it is said at which, not at which load

    @property
    def claim(self) -> bool:
        """Whether it may be said without a reservation: enough rounds, and sound."""
        return self.repeats >= CLAIM_ROUNDS and self.verdict is Verdict.VALID


def latency_hidden(drive: DriveSummary) -> bool:
    """Whether the drive's latency was to be emulated and is not, so that its latency says nothing."""
    return drive.emulation is not None and drive.emulation.throttle_only


def flat(drive: DriveSummary) -> bool:
    """Whether only the drive's rate is emulated, so that it is stable by construction."""
    return drive.emulation is not None and drive.emulation.rate_only


def silent(comparison: Comparison, metric: str) -> frozenset[str]:
    """Return the drives that a metric says nothing of."""
    if not metric.startswith("latency"):
        return frozenset()
    return frozenset(d.name for d in comparison.drives if latency_hidden(d))


def held_back(comparison: Comparison, row: Row, drive: str) -> bool:
    """Whether a latency is made by the limit that an emulated drive is set to, and says nothing of a drive."""
    return row.metric.startswith("latency") and throttled(comparison, row, drive)


def of_row(comparison: Comparison, row: Row, one_load: bool, paced: bool = False) -> list[Finding]:
    """Return what a row says of each drive against the baseline, or of each drive without one.

    `paced` is whether it stands among rows of other offered rates, rather than of other loads.
    """
    quiet = silent(comparison, row.metric)
    names = [
        d.name
        for d in comparison.drives
        if d.name in row.targets and d.name not in quiet and not held_back(comparison, row, d.name)
    ]
    load = None if one_load else row.load
    found = []
    for name in names:
        if comparison.baseline in names and name == comparison.baseline and len(names) > 1:
            continue
        if finding := _against(comparison, row, name, load):
            found.append(replace(finding, paced=paced))
    return found


def _against(comparison: Comparison, row: Row, name: str, load: int | None) -> Finding | None:
    own, ratio = row.targets[name], row.ratios.get(name)
    other = row.targets.get(comparison.baseline or "")
    if ratio is None or other is None:
        kind = Kind.UNSOUND if own.verdict is Verdict.INVALID else Kind.FIGURE
        return Finding(kind, row, name, None, own.median, own.ci95, own.n, own.verdict, own.reasons, load=load)
    verdict, reasons = _worst((own, other))
    kind = Kind.NONE_SHOWN if ratio.difference is Difference.NONE_SHOWN else Kind.RATIO
    if verdict is Verdict.INVALID:
        kind = Kind.UNSOUND
    repeats = min(own.n, other.n)
    return Finding(kind, row, name, comparison.baseline, ratio.ratio, ratio.ci95, repeats, verdict, reasons, load=load)


def shares(comparison: Comparison, rows: Sequence[Row]) -> list[Finding]:
    """Return, for each drive, its least rate from a load up against its greatest; none where it cannot be said.

    A drive of which only the rate is emulated is left out: it is flat by construction.
    """
    high = [row for row in rows if row.load >= stability.FROM_LOAD]
    if len(high) < 2 or high[0].better is not Better.HIGHER:
        return []
    names = [d.name for d in comparison.drives if not flat(d) and all(d.name in row.targets for row in high)]
    return [found for name in names if (found := _share_of(high, name))]


def _share_of(rows: Sequence[Row], name: str) -> Finding | None:
    estimates = [row.targets[name] for row in rows]
    verdict, reasons = _worst(estimates)
    if verdict is Verdict.INVALID or max(e.median for e in estimates) <= 0:
        return None
    share, ends = stability.least_over_most(estimates)
    n, load, since = min(e.n for e in estimates), rows[-1].load, rows[0].load
    interval = ends if n > 1 else None
    return Finding(Kind.SHARE, rows[-1], name, None, share, interval, n, verdict, reasons, load=load, since=since)


def _worst(estimates: Sequence[Estimate]) -> tuple[Verdict, tuple[str, ...]]:
    return worst(e.verdict for e in estimates), tuple(dict.fromkeys(reason for e in estimates for reason in e.reasons))


def stable(finding: Finding) -> bool:
    """Whether a SHARE may be called stable: by the whole of its interval, and over enough sound rounds."""
    return (
        finding.kind is Kind.SHARE
        and finding.claim
        and finding.interval is not None
        and finding.interval[0] >= stability.LEAST_OVER_MOST
    )


# --- prose -------------------------------------------------------------------------------------------------


def what(finding: Finding, words: Words, metric: bool = False, bare: bool = False) -> str:
    """Return the subject: `Random read, p99 latency at 64`; `bare` leaves the metric to the sentence."""
    row = finding.row
    text = labels.workload_name(row.workload, words)
    if op := labels.op_name(row, words):
        text = words("what.metric", workload=text, metric=op)
    # A store's rate goes without saying, a time of it does not.
    if metric or (row.metric.startswith(("latency", "outage")) and not bare):
        text = words("what.metric", workload=text, metric=labels.metric_name(row.metric, words))
    if finding.load is None:
        return text
    if finding.paced and row.rate is not None:
        return words("what.rate", what=text, rate=f"{row.rate:,.0f}")
    return words("what.load", what=text, load=finding.load)


def sentence(finding: Finding, words: Words, names: Mapping[str, str], detail: bool = True) -> str:
    """Return a finding as a sentence; with `detail`, its interval and repeats stand behind it."""
    text = _plain(finding, words, names)
    why = _why(finding, words, detail)
    return words("why.with", sentence=text, why=words("list.semicolon").join(why)) if why else text


def sentences(found: Sequence[Finding], words: Words, names: Mapping[str, str]) -> list[str]:
    """Return findings as sentences; what is not sound for one row is said once for all of its drives."""
    said = [sentence(finding, words, names) for finding in found]
    return list(dict.fromkeys(said))


def _plain(finding: Finding, words: Words, names: Mapping[str, str]) -> str:
    row, a = finding.row, names[finding.drive]
    b = names.get(finding.baseline or "", "")
    subject = what(finding, words)
    match finding.kind:
        case Kind.RATIO if finding.claim:
            return _ratio(finding, words, a, b)
        case Kind.RATIO:
            subject = what(finding, words, metric=row.metric == "elapsed")
            return words("say.look", what=subject, a=a, b=b, ratio=labels.times(finding.value, words))
        case Kind.NONE_SHOWN:
            return words("say.none", what=subject, drives=words.every([a, b]))
        case Kind.SHARE:
            return _share(finding, words, a)
        case Kind.UNSOUND:
            return _unsound(finding, subject, words, names)
        case Kind.FIGURE:
            value = labels.value_text(finding.value, row.metric, row.unit)
            return words("say.figure", what=subject, a=a, value=value)


def _unsound(finding: Finding, subject: str, words: Words, names: Mapping[str, str]) -> str:
    """Name the drives whose own figures are not sound: a ratio to one of them is none, whichever of the two it is."""
    own = finding.row.targets
    drives = [name for name in names if name in own and own[name].verdict is Verdict.INVALID]
    ids = dict.fromkeys(reason for name in drives for reason in own[name].reasons)
    left = words.commas([names[name] for name in drives])
    return words("say.unsound", what=subject, a=left, reasons=words.commas(reasons(list(ids))))


def _ratio(finding: Finding, words: Words, a: str, b: str) -> str:
    row = finding.row
    keys = [f"say.ratio.{row.workload}.{row.metric}", f"say.ratio.{row.metric}", "say.ratio.other"]
    if finding.load is not None:
        del keys[0]  # those sentences have no place for a load
    metric = labels.metric_name(row.metric.removesuffix(labels.PER_PRICE), words)
    if row.metric.endswith(labels.PER_PRICE):
        keys = ["say.ratio.cost"]
    subject = what(finding, words, bare=True)
    return words.first(*keys, what=subject, a=a, b=b, r=labels.ratio_number(finding.value), metric=metric)


def _share(finding: Finding, words: Words, a: str) -> str:
    row = finding.row
    return words(
        "say.stable" if stable(finding) else "say.share",
        what=labels.workload_name(row.workload, words),
        a=a,
        metric=labels.metric_name(row.metric, words),
        load=finding.load,
        since=finding.since,
        share=labels.percent(finding.value),
    )


def _why(finding: Finding, words: Words, detail: bool) -> list[str]:
    if finding.kind is Kind.UNSOUND:
        return []
    row, why = finding.row, []
    if detail and finding.interval is not None:
        low, high = finding.interval
        if finding.kind is Kind.FIGURE:
            ends = [labels.value_text(v, row.metric, row.unit) for v in (low, high)]
        else:
            write = labels.percent if finding.kind is Kind.SHARE else labels.ratio_number
            ends = [write(v) for v in (low, high)]
        why.append(words("why.interval", low=ends[0], high=ends[1]))
    if finding.repeats < CLAIM_ROUNDS:
        why.append(words("why.look-one" if finding.repeats == 1 else "why.look", n=finding.repeats))
    elif detail:
        why.append(words("why.repeats", n=finding.repeats))
    if finding.verdict is not Verdict.VALID:
        why.append(words("why.marked", reasons=words.commas(reasons(finding.reasons))))
    return why


def reasons(ids: Sequence[str]) -> list[str]:
    """Return reason ids as they may be shown."""
    return [labels.clean(reason, 40) for reason in ids]


def headline(found: Sequence[Finding], words: Words, names: Mapping[str, str]) -> str:
    """Return the sentence that heads a chart: the largest difference that may be said, else what there is."""
    if not found:
        return ""
    ratios = [f for f in found if f.kind is Kind.RATIO and f.value > 0]
    ratios = [f for f in ratios if f.claim] or ratios
    ratios = [f for f in ratios if _better(f)] or ratios
    if ratios:
        return sentence(max(ratios, key=lambda f: abs(math.log(f.value))), words, names, detail=False)
    if none := [f for f in found if f.kind is Kind.NONE_SHOWN]:
        return _none_headline(none, words, names)
    if figures := [f for f in found if f.kind is Kind.FIGURE]:
        return _figures_headline(figures, words, names)
    ids = dict.fromkeys(reason for f in found for reason in f.reasons)
    return words("say.all-unsound", what=what(found[0], words), reasons=words.commas(reasons(list(ids))))


def _better(finding: Finding) -> bool:
    return (finding.value > 1) == (finding.row.better is Better.HIGHER)


def _none_headline(found: Sequence[Finding], words: Words, names: Mapping[str, str]) -> str:
    drives = [*(names[f.drive] for f in found), names.get(found[0].baseline or "", "")]
    text = words("say.none", what=what(found[0], words), drives=words.every(drives))
    why = _why(min(found, key=lambda f: f.repeats), words, detail=False)
    return words("why.with", sentence=text, why=words("list.semicolon").join(why)) if why else text


def _figures_headline(found: Sequence[Finding], words: Words, names: Mapping[str, str]) -> str:
    if len(found) == 1:
        return sentence(found[0], words, names, detail=False)
    if len(found) > 3:
        return words("say.nothing", what=what(found[0], words, metric=True))
    figures = [
        words("say.figure-of", a=names[f.drive], value=labels.value_text(f.value, f.row.metric, f.row.unit))
        for f in found
    ]
    return words("say.figures", what=what(found[0], words), figures=words.commas(figures))
