"""What stands below a comparison on a terminal: what the marks mean, what came of claims, what is noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from iobench.analysis.types import ClaimResult, Comparison, Row
from iobench.model import Verdict, of_drive
from iobench.texts import Words

Remark = tuple[int, str]  # the indent of a line, and what it says


def remarks(comparison: Comparison, rows: Sequence[Row], words: Words) -> Iterator[Remark]:
    """Yield what is said of the rows that are shown, of claims and of the campaigns."""
    yield from _legend(comparison, rows, words)
    yield from _claims(comparison, words)
    yield from _notes(comparison, words)


def _legend(comparison: Comparison, rows: Sequence[Row], words: Words) -> Iterator[Remark]:
    """Yield what the figures are and what the marks mean, each with its indent."""
    counts = {estimate.n for row in rows for estimate in row.targets.values()}
    if not counts:
        yield 0, words("term.nothing")
        return
    if max(counts) == 1:
        yield 0, words("term.single")
    else:
        both = {"least": min(counts), "most": max(counts)}
        yield 0, words("term.medians", repeats=words("term.range", **both) if len(counts) > 1 else min(counts))
    if comparison.baseline is not None:
        resolution = f"{comparison.resolution * 100:g} %"
        yield 0, words("term.ratios", baseline=comparison.baseline, resolution=resolution)
    for verdict in (Verdict.SUSPECT, Verdict.INVALID):
        reasons = _reasons(rows, verdict)
        if reasons is not None:
            yield 0, words(f"term.{verdict.value}", mark=verdict.mark, reasons=reasons)
    held = [
        words("term.at", drive=d.name, load=r.load)
        for r in rows
        for d in comparison.drives
        if _held_back(comparison, r, d.name)
    ]
    if held:
        yield 0, words("term.held", which=words.commas(held))
    if any(estimate.reasons for row in rows for estimate in row.targets.values()):
        yield 0, words("term.explain")


def _held_back(comparison: Comparison, row: Row, drive: str) -> bool:
    from iobench.analysis.throttled import throttled

    return row.metric.startswith("latency") and throttled(comparison, row, drive)


def _notes(comparison: Comparison, words: Words) -> Iterator[Remark]:
    """Yield the notes; how an emulated drive is set stands in `iobench show`, and only that it is one here."""
    if comparison.despite:
        yield 0, words("page.despite")
        yield from ((2, words.say(phrase)) for phrase in comparison.despite)
    emulated = {d.name: d.emulation for d in comparison.drives if d.emulation is not None}
    own = [(name, note) for name, emulation in emulated.items() for note in emulation.notes]
    known = {of_drive(name, note) for name, note in own} | {f"{name}: {note}" for name, note in own}
    if emulated:
        where = " ".join(comparison.campaigns[:1])
        yield 0, words("term.emulated", drives=words.commas(list(emulated)), campaign=where)
    for note in comparison.notes:
        if note not in known:
            yield 0, words("term.note", note=words.tell(note))


def _reasons(rows: Sequence[Row], verdict: Verdict) -> str | None:
    """Return the reasons of a verdict with the number of figures that have each; None where none has it."""
    marked = [estimate for row in rows for estimate in row.targets.values() if estimate.verdict is verdict]
    counted = Counter(reason for estimate in marked for reason in estimate.reasons)
    return ", ".join(f"{reason} ({n})" for reason, n in counted.most_common()) if marked else None


def _claims(comparison: Comparison, words: Words) -> Iterator[Remark]:
    """Yield each claim with its figures, and a line for all that were not measured, each with its indent."""
    from iobench.report.labels import claimed

    if not comparison.claims:
        return
    yield 0, ""
    yield 0, words("term.claims")
    for claim in comparison.claims:
        if claim.result is not ClaimResult.NOT_MEASURED:
            statement, sentence = claimed(claim, words)
            result = claim.result.value if words.lang == "en" else words(f"claim.{claim.result.value}")
            yield 2, f"{result}{words('list.colon')}{statement} ({claim.id})"
            yield 6, sentence
    missing = [claim.id for claim in comparison.claims if claim.result is ClaimResult.NOT_MEASURED]
    if missing:
        yield 2, words("term.not-measured", ids=words.commas(missing))
