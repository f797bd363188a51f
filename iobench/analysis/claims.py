"""Claims: what others said of drives, from a TOML file, held against what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iobench import profiles
from iobench.analysis import stability, stats
from iobench.analysis.types import Claim, ClaimResult, DriveSummary, Estimate, Row
from iobench.errors import UsageError, near_miss
from iobench.model import MAIN_METRICS, METRICS, Better, Emulation, Verdict
from iobench.texts import Amount, Figure, Phrase, Words

# With fewer rounds no rank test reaches p < 0.05: figures are shown, nothing is claimed.
CLAIM_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Within:
    """The target's rate lies in [low, high], in B/s."""

    target: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Times:
    """The rate of `of` over that of `to` lies in [low, high]."""

    of: str
    to: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Stable:
    """From a load up, the least of the target's rates over the greatest is at least so much."""

    target: str
    over: str
    from_load: int
    least_over_most: float


@dataclass(frozen=True, slots=True)
class Zero:
    """These counts are nought, on every target."""

    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One claim of a file: what was said, and how it is held against numbers."""

    id: str
    workload: str
    statement: str
    test: Within | Times | Stable | Zero
    statement_ja: str | None = None


_Found = tuple[ClaimResult, tuple[Phrase, ...]]
_NOT_MEASURED = ClaimResult.NOT_MEASURED


# --- the file ------------------------------------------------------------------------------------------


def names() -> list[str]:
    """Return the names of the claims that ship."""
    return profiles.names("claims")


def load(name: str) -> tuple[Rule, ...]:
    """Return the claims of a file: a path to a .toml file, or the name of one that ships.

    Raises UsageError, with the nearest name, for an unknown file, key or workload, a value of the wrong
    kind, or a range that is upside down.
    """
    path = profiles.find("claims", name)
    content = profiles.load(path)
    profiles.check_keys(content, ("claim",), path.name)
    entries = content.get("claim", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path.name}: claims are written as [[claim]] tables")
    rules = tuple(_rule(entry, f"{path.name}: claim {number}") for number, entry in enumerate(entries, 1))
    ids = [rule.id for rule in rules]
    twice = next((id for id in ids if ids.count(id) > 1), None)
    if twice is not None:
        raise UsageError(f"{path.name}: the id {twice!r} is given to two claims; rename one")
    return rules


def _rule(entry: Mapping[str, Any], where: str) -> Rule:
    makers: Mapping[str, Callable[[Mapping[str, Any], str], Within | Times | Stable | Zero]] = {
        "throughput_mb_s": _within,
        "ratio": _times,
        "stable": _stable,
        "zero": _zero,
    }
    profiles.check_keys(entry, ("id", "workload", "statement", "statement_ja", "target", *makers), where)
    id = _text(entry, "id", where)
    where = f"{where} ({id})"
    workload = _text(entry, "workload", where)
    if workload not in MAIN_METRICS:
        raise UsageError(f"{where}: unknown workload {workload!r}; {near_miss(workload, MAIN_METRICS)}")
    tests = [key for key in makers if key in entry]
    if len(tests) != 1:
        raise UsageError(f"{where}: give exactly one of {', '.join(makers)}; it has {len(tests)}")
    if ("target" in entry) != (tests[0] == "throughput_mb_s"):
        raise UsageError(f"{where}: target is given beside throughput_mb_s, and nowhere else")
    in_japanese = _text(entry, "statement_ja", where) if "statement_ja" in entry else None
    return Rule(id, workload, _text(entry, "statement", where), makers[tests[0]](entry, where), in_japanese)


def _within(entry: Mapping[str, Any], where: str) -> Within:
    part = _table(entry, "throughput_mb_s", ("low", "high"), where)
    low, high = _range(part, where)
    return Within(_text(entry, "target", where), low * 1e6, high * 1e6)


def _times(entry: Mapping[str, Any], where: str) -> Times:
    part = _table(entry, "ratio", ("of", "to", "low", "high"), where)
    return Times(_text(part, "of", where), _text(part, "to", where), *_range(part, where))


def _stable(entry: Mapping[str, Any], where: str) -> Stable:
    part = _table(entry, "stable", ("target", "over", "from_load", "least_over_most"), where)
    share = _number(part, "least_over_most", where)
    if not 0 < share <= 1:
        raise UsageError(f"{where}: least_over_most is {share:g}; it is a share, above 0 and at most 1")
    from_load = round(_number(part, "from_load", where))
    return Stable(_text(part, "target", where), _text(part, "over", where), from_load, share)


def _zero(entry: Mapping[str, Any], where: str) -> Zero:
    metrics = entry["zero"]
    if not isinstance(metrics, list) or not metrics or not all(isinstance(m, str) for m in metrics):
        raise UsageError(f"{where}: zero is a list of metrics")
    for metric in metrics:
        if metric not in METRICS:
            raise UsageError(f"{where}: unknown metric {metric!r}; {near_miss(metric, METRICS)}")
    return Zero(tuple(metrics))


def _table(entry: Mapping[str, Any], key: str, known: Sequence[str], where: str) -> Mapping[str, Any]:
    part = entry[key]
    if not isinstance(part, dict):
        raise UsageError(f"{where}: {key} is a table with the keys {', '.join(known)}")
    profiles.check_keys(part, known, f"{where}: {key}")
    return part


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{where}: {key} is missing or is not a text")
    return value


def _number(table: Mapping[str, Any], key: str, where: str) -> float:
    value = table.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e18:
        raise UsageError(f"{where}: {key} is missing or is not a number")
    return float(value)


def _range(table: Mapping[str, Any], where: str) -> tuple[float, float]:
    low, high = _number(table, "low", where), _number(table, "high", where)
    if not 0 <= low < high:
        raise UsageError(f"{where}: the range is {low:g} to {high:g}; low is below high, and not below 0")
    return low, high


# --- held against numbers ------------------------------------------------------------------------------


def evaluate(rules: Sequence[Rule], rows: Sequence[Row], drives: Sequence[DriveSummary]) -> tuple[Claim, ...]:
    """Return what the rows say of each claim, with a sentence that holds the figures.

    Reproduced: the interval lies inside the range, at every load that was measured; not reproduced: wholly
    outside at every one. Figures that are not valid, or of fewer than CLAIM_ROUNDS repeats, decide nothing.
    """
    emulated = {drive.name: drive.emulation for drive in drives if drive.emulation is not None}
    english, found = Words("en"), []
    for rule in rules:
        result, phrases = _several(rule, rows, drives) or _judge(rule, rows, emulated)
        sentence = english.said(phrases)
        found.append(Claim(rule.id, rule.statement, result, sentence, rule.statement_ja, phrases))
    return tuple(found)


def _several(rule: Rule, rows: Sequence[Row], drives: Sequence[DriveSummary]) -> _Found | None:
    """Return that a claim is not decided, where the drive that it is of is one of each campaign."""
    names = [drive.name for drive in drives]
    for needed in _needed(rule.test):
        own = tuple(name for name in names if name.startswith(f"{needed} ("))
        ran = any(row.workload == rule.workload and name in row.targets for row in rows for name in own)
        if needed not in names and len(own) > 1 and ran:
            return ClaimResult.UNDECIDED, (Phrase("held.several", {"drive": needed, "drives": own}),)
    return None


def _needed(test: Within | Times | Stable | Zero) -> tuple[str, ...]:
    """The drives that a claim is of; none where it is of any."""
    if isinstance(test, Zero):
        return ()
    return (test.of, test.to) if isinstance(test, Times) else (test.target,)


def metrics_of(rules: Sequence[Rule]) -> set[str]:
    """Return the metrics by which claims are judged."""
    return {metric for r in rules for metric in (r.test.metrics if isinstance(r.test, Zero) else (_rate(r.workload),))}


def _judge(rule: Rule, rows: Sequence[Row], emulated: Mapping[str, Emulation]) -> _Found:
    test = rule.test
    if isinstance(test, Zero):
        return _judge_zero(test, [row for row in rows if row.workload == rule.workload])
    needed = _needed(test)
    measured = _main(rule.workload, rows, needed)
    if not measured:
        return _NOT_MEASURED, (Phrase("held.not-measured", {"workload": rule.workload, "drives": needed}),)
    if isinstance(test, Stable):
        result, phrases = _judge_stable(rule.workload, test, measured, emulated)
    else:
        result, phrases = _together([_sound(row, needed) or _judge_row(test, row) for row in measured])
    return result, phrases + _set_so(needed, emulated)


def _main(workload: str, rows: Sequence[Row], needed: Sequence[str]) -> list[Row]:
    """Return the rows of the workload's main rate that have all the drives; sums before their parts."""
    metric = _rate(workload)
    found = [r for r in rows if r.workload == workload and r.metric == metric and all(n in r.targets for n in needed)]
    sums = [row for row in found if row.op == "all"]
    return sums or found


def _rate(workload: str) -> str:
    return next(m for m in MAIN_METRICS[workload] if METRICS[m].better is Better.HIGHER)


def _sound(row: Row, needed: Sequence[str]) -> _Found | None:
    """Return why a row decides nothing, if so: too few repeats, or figures that failed their evidence."""
    for name in needed:
        estimate = row.targets[name]
        where: dict[str, Figure] = {"drive": name, "load": row.load}
        if estimate.verdict is not Verdict.VALID:
            reasons = ", ".join(estimate.reasons) or Phrase("held.no-reason")
            verdict = Phrase(f"verdict.{estimate.verdict.value}")
            unsound = Phrase("held.unsound", {**where, "verdict": verdict, "reasons": reasons})
            return ClaimResult.UNDECIDED, (unsound,)
        if estimate.n < CLAIM_ROUNDS:
            few = Phrase("held.few", {**where, "n": estimate.n, "claim": CLAIM_ROUNDS})
            return ClaimResult.UNDECIDED, (few,)
    return None


def _together(found: Sequence[_Found]) -> _Found:
    """Return what all loads say: their result where they agree, else undecided."""
    results = {result for result, _ in found}
    result = results.pop() if len(results) == 1 else ClaimResult.UNDECIDED
    said: list[Phrase] = []
    for _, phrases in found:
        said += [phrase for phrase in phrases if phrase not in said]
    return result, tuple(said)


def _placed(ends: stats.Interval, low: float, high: float) -> ClaimResult:
    if low <= ends[0] and ends[1] <= high:
        return ClaimResult.REPRODUCED
    return ClaimResult.NOT_REPRODUCED if ends[1] < low or ends[0] > high else ClaimResult.UNDECIDED


def _judge_row(test: Within | Times, row: Row) -> _Found:
    return _judge_times(test, row) if isinstance(test, Times) else _judge_within(test, row)


def _judge_within(test: Within, row: Row) -> _Found:
    estimate = row.targets[test.target]
    ends = estimate.ci95 or (estimate.median, estimate.median)
    figures: dict[str, Figure] = {
        name: Amount(value, row.unit)
        for name, value in zip(
            ("value", "low", "high", "from", "to"), (estimate.median, *ends, test.low, test.high), strict=True
        )
    }
    where: dict[str, Figure] = {"drive": test.target, "load": row.load, "n": estimate.n}
    return _placed(ends, test.low, test.high), (Phrase("held.within", {**figures, **where}),)


def _judge_times(test: Times, row: Row) -> _Found:
    of, to = _figure(row.targets[test.of]), _figure(row.targets[test.to])
    where: dict[str, Figure] = {"of": test.of, "to": test.to, "load": row.load}
    ends = stats.ratio_ci(of, to)
    if ends is None:
        return ClaimResult.UNDECIDED, (Phrase("held.no-ratio", where),)
    figures: dict[str, Figure] = {"ratio": float(of.point / to.point), "low": ends[0], "high": ends[1]}
    asked: dict[str, Figure] = {"from": f"{test.low:g}", "until": f"{test.high:g}"}
    n = min(len(of.values), len(to.values))
    return _placed(ends, test.low, test.high), (Phrase("held.times", {**where, **figures, **asked, "n": n}),)


def _figure(estimate: Estimate) -> stats.Figure:
    return stats.median_figure(estimate.values, estimate.rounds)


def _judge_stable(workload: str, test: Stable, rows: Sequence[Row], emulated: Mapping[str, Emulation]) -> _Found:
    high = [row for row in rows if row.load >= test.from_load]
    over = Phrase(f"load.{test.over}") if test.over in _COUNTED else test.over
    if len({row.load for row in high}) < 2:
        said: dict[str, Figure] = {"workload": workload, "drive": test.target, "n": len(high), "over": over}
        return _NOT_MEASURED, (Phrase("held.few-loads", {**said, "since": test.from_load}),)
    emulation = emulated.get(test.target)
    if emulation is not None and emulation.rate_only:
        return ClaimResult.UNDECIDED, (Phrase("held.flat", {"drive": test.target}),)
    unsound = [why for row in high if (why := _sound(row, (test.target,)))]
    if unsound:
        return _together(unsound)
    estimates = [row.targets[test.target] for row in high]
    point, ends = stability.least_over_most(estimates)
    phrase = Phrase(
        "held.stable",
        {
            "drive": test.target,
            "since": test.from_load,
            "over": over,
            "share": point,
            "low": ends[0],
            "high": ends[1],
            "n": min(e.n for e in estimates),
            "least": f"{test.least_over_most:g}",
        },
    )
    return _placed(ends, test.least_over_most, 1.0), (phrase,)


_COUNTED = ("clients", "threads", "connections")


def _judge_zero(test: Zero, rows: Sequence[Row]) -> _Found:
    found = {metric: [row for row in rows if row.metric == metric] for metric in test.metrics}
    missing = tuple(metric for metric, of in found.items() if not of)
    if missing:
        return _NOT_MEASURED, (Phrase("held.no-count", {"metrics": missing}),)
    for metric, of in found.items():
        for row in of:
            for name, estimate in row.targets.items():
                # One loss is enough, whatever else is wrong with the figure.
                if max(estimate.values, default=0) > 0:
                    said: dict[str, Figure] = {"drive": name, "load": row.load, "metric": metric, "n": estimate.n}
                    counted = Phrase("held.counted", {**said, "count": f"{sum(estimate.values):g}"})
                    return ClaimResult.NOT_REPRODUCED, (counted,)
    unsound = [why for of in found.values() for row in of if (why := _sound(row, tuple(row.targets)))]
    if unsound:
        return _together(unsound)
    return ClaimResult.REPRODUCED, (Phrase("held.none", {"metrics": test.metrics}),)


def _set_so(needed: Sequence[str], emulated: Mapping[str, Emulation]) -> tuple[Phrase, ...]:
    """Return the reservation of emulated drives: their speed is a setting."""
    parts = tuple(
        Phrase("held.set-drive", {"drive": name, "settings": _settings(emulated[name])})
        for name in needed
        if name in emulated
    )
    return (Phrase("held.set", {"drives": parts}),) if parts else ()


def _settings(emulation: Emulation) -> Figure:
    limits = (
        ("read", emulation.read_bps, "B/s"),
        ("write", emulation.write_bps, "B/s"),
        ("read", emulation.read_iops, "1/s"),
        ("write", emulation.write_iops, "1/s"),
        ("latency", emulation.latency_s, "s"),
    )
    said = tuple(Phrase(f"held.set-{what}", {"value": Amount(v, unit)}) for what, v, unit in limits if v is not None)
    return said or Phrase("held.no-limit")
