"""The appendix: what was measured and how to repeat it, the drives, the evidence, the claims, published figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from iobench.analysis.claims import CLAIM_ROUNDS
from iobench.analysis.types import ClaimResult
from iobench.model import INVALID_REASONS, Verdict
from iobench.report import drives, labels, repeat
from iobench.report.canvas import INK, MUTED, WARN
from iobench.report.content import Content
from iobench.report.content import Run as Step
from iobench.report.slides import theme
from iobench.report.slides.chart import source
from iobench.report.slides.sheet import CELL_SIZE, LEADING, Box, Paragraph, Run, Sheet, broken, table_heights, width_of
from iobench.texts import Words

_TEXT = 13.0
_TOP = theme.TITLE_TOP + theme.TITLE_HEIGHT + 14
_BOTTOM = theme.HEIGHT - 38
_WIDTH = theme.WIDTH - 2 * theme.MARGIN


def add(presentation: Any, content: Content) -> None:
    """Add the appendix's slides; a table that is long goes on on the next."""
    _measured(presentation, content)
    _drives(presentation, content)
    _evidence(presentation, content)
    _unsound(presentation, content)
    _claims(presentation, content)
    _published(presentation, content)
    _method(presentation, content)


def _sheet(presentation: Any, content: Content, title: str) -> Sheet:
    return Sheet(presentation, content.words("deck.appendix", title=title), content.words.lang)


def _cell(text: str, color: str = INK, bold: bool = False) -> Paragraph:
    return (Run(text or "–", CELL_SIZE, bold, color),)


def _paged(
    presentation: Any,
    content: Content,
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Paragraph]],
    parts: Sequence[float],
    lead: str = "",
) -> None:
    """Slides with one table, as many as its rows need."""
    lines = broken(lead, _TEXT, False, _WIDTH, 3) if lead else []
    tall = len(lines) * _TEXT * LEADING
    top = _TOP + tall + (8 if lines else 0)
    head, *heights = table_heights(heads, rows, parts, _WIDTH)
    first = 0
    for count in _pages(heights, _BOTTOM - top - head):
        sheet = _sheet(presentation, content, title)
        if lines:
            sheet.text(Box(theme.MARGIN, _TOP, _WIDTH, tall), [(Run(line, _TEXT, color=MUTED),) for line in lines])
        sheet.table(Box(theme.MARGIN, top, _WIDTH, 0), heads, rows[first : first + count], parts, title)
        sheet.foot(source(content))
        first += count


def _pages(heights: Sequence[float], room: float) -> list[int]:
    """Return how many rows stand on each page: as few pages as they fit on, about alike in height."""
    fewest = len(_filled(heights, room))
    even = sum(heights) / max(fewest, 1)
    tries = (even + (room - even) * part / 4 for part in range(5))
    return next((counts for most in tries if len(counts := _filled(heights, most)) <= fewest), [])


def _filled(heights: Sequence[float], room: float) -> list[int]:
    counts: list[int] = []
    left = 0.0
    for height in heights:
        if not counts or height > left:
            counts.append(0)
            left = room
        counts[-1] += 1
        left -= height
    return counts


def _measured(presentation: Any, content: Content) -> None:
    """What was measured, and how to repeat it: profile, versions, host, hash, the command."""
    words = content.words
    told = repeat.all_of(content.folders, content.campaigns, content.comparison.labels, words, content.digests)
    for campaign, host in zip(told, drives.hosts(content.campaigns, content.comparison.labels, words), strict=True):
        rows = [*campaign.facts, (words("page.host"), words("list.semicolon").join(f"{k} {v}" for k, v in host.facts))]
        rows += [
            (measured.workload, words("list.semicolon").join(part for part in _of(measured, words) if part))
            for measured in campaign.measured
        ]
        rows.append((words("page.repeat"), campaign.command or words("deck.no-profile")))
        cells = [[_cell(name, MUTED), _cell(value)] for name, value in rows if value]
        heads = [words("deck.what"), words("col.value")]
        _paged(presentation, content, words("deck.measured"), heads, cells, (1.0, 4.4))


def _of(measured: repeat.Measured, words: Words) -> tuple[str, ...]:
    loads = words("deck.loads", loads=measured.loads)
    return (
        measured.params,
        loads,
        measured.drives,
        words("deck.rounds", n=measured.rounds) if measured.rounds > 1 else words("deck.round"),
    )


def _drives(presentation: Any, content: Content) -> None:
    words = content.words
    rows = []
    for sheet in drives.sheets(content.comparison, words):
        name = " · ".join((sheet.name, *sheet.tags))
        facts = words("list.semicolon").join(f"{k} {v}" for k, v in sheet.facts)
        rows.append(
            [
                _cell(name, bold=True),
                _cell(facts),
                _cell(words("list.semicolon").join(note.rstrip(".。") for note in sheet.notes), MUTED),
            ]
        )
    heads = [words("col.drive"), words("deck.facts"), words("page.notes")]
    _paged(presentation, content, words("deck.drives"), heads, rows, (1.2, 3.4, 2.2))


def _evidence(presentation: Any, content: Content) -> None:
    """A line for each workload on each drive: steps, how many are valid, what the device counted, who was the limit."""
    words = content.words
    groups: dict[tuple[str, str], list[Step]] = {}
    for run in content.runs:
        groups.setdefault((run.workload, run.drive), []).append(run)
    workloads = list(dict.fromkeys(workload for workload, _ in groups))
    names = list(labels.drive_labels(content.comparison).values())
    order = sorted(groups.items(), key=lambda item: (workloads.index(item[0][0]), _place(item[0][1], names)))
    rows = []
    for (workload, drive), runs in order:
        valid = sum(run.verdict == "valid" for run in runs)
        reasons = list(dict.fromkeys(reason for run in runs for reason in run.reasons))
        shares = sorted(share for run in runs if (share := _share(run)) is not None)
        limits = list(dict.fromkeys(run.evidence.get("limited_by") or "unknown" for run in runs))
        said = [words.or_name(f"limit.{limit}", labels.clean(limit, 30)) for limit in limits]
        count = words("deck.valid", valid=valid, steps=len(runs))
        rows.append(
            [
                _cell(labels.workload_name(workload, words)),
                _cell(drive),
                _cell(count, INK if valid == len(runs) else WARN, valid != len(runs)),
                _cell(words.commas(reasons), WARN if reasons else MUTED),
                _cell(f"{median(shares):.3f} ({shares[0]:.3f} – {shares[-1]:.3f})" if shares else ""),
                _cell(words.commas(said)),
            ]
        )
    heads = [
        words(k) for k in ("deck.workload", "col.drive", "deck.sound", "deck.reasons", "col.device", "col.limited")
    ]
    _paged(
        presentation,
        content,
        words("page.evidence"),
        heads,
        rows,
        (1.7, _share_of(names), 0.9, 1.3, 1.6, 1.8),
        words("deck.evidence"),
    )


def _place(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else len(names)


def _share_of(names: Sequence[str]) -> float:
    """The part of a table's width for drives' names, in tenths of the widest one's."""
    return min(2.2, max(0.9, max(width_of(name, CELL_SIZE) for name in names) / 100))


def _unsound(presentation: Any, content: Content) -> None:
    """Each reason that was found, on how many steps, and what it means; nothing where all were sound."""
    words = content.words
    found: dict[str, list[Step]] = {}
    for run in content.runs:
        for reason in run.reasons:
            found.setdefault(reason, []).append(run)
    rows = []
    for reason, runs in sorted(found.items(), key=lambda item: -len(item[1])):
        verdict = Verdict.INVALID if reason in INVALID_REASONS else Verdict.SUSPECT
        drives_ = words.commas(list(dict.fromkeys(run.drive for run in runs)))
        rows.append(
            [
                _cell(reason, WARN, True),
                _cell(words(f"verdict.{verdict.value}")),
                _cell(words("page.steps", n=len(runs))),
                _cell(drives_),
                _cell(words.or_name(f"reason.{reason}", "")),
            ]
        )
    heads = [words(k) for k in ("deck.reasons", "col.verdict", "deck.sound-steps", "col.drive", "deck.means")]
    _paged(presentation, content, words("deck.unsound"), heads, rows, (1.3, 0.8, 0.8, 1.2, 4.0))


def _share(run: Step) -> float | None:
    """Device bytes over the tool's own, for the directions that the tool claims."""
    ways = [
        (run.evidence.get(f"device_bytes_{way}"), run.evidence.get(f"tool_bytes_{way}")) for way in ("read", "written")
    ]
    known = [(device, tool) for device, tool in ways if tool and device is not None]
    total = sum(tool for _, tool in known)
    return sum(device for device, _ in known) / total if total else None


def _claims(presentation: Any, content: Content) -> None:
    words = content.words
    colors = {ClaimResult.NOT_REPRODUCED: WARN, ClaimResult.NOT_MEASURED: MUTED, ClaimResult.UNDECIDED: MUTED}
    rows = [
        [
            _cell(labels.claimed(claim, words)[0]),
            _cell(words(f"claim.{claim.result.value}"), colors.get(claim.result, INK), True),
            _cell(labels.claimed(claim, words)[1]),
        ]
        for claim in content.comparison.claims
    ]
    heads = [words("deck.claim"), words("deck.result"), words("deck.figures")]
    _paged(presentation, content, words("page.claims"), heads, rows, (2.0, 0.9, 3.6))


def _published(presentation: Any, content: Content) -> None:
    words = content.words
    rows = [
        [
            _cell(p.drive, bold=True),
            _cell(labels.workload_name(p.workload, words)),
            _cell(p.conditions, MUTED),
            _cell(p.figure),
            _cell(p.source, MUTED),
        ]
        for p in content.published
    ]
    heads = [words(k) for k in ("col.drive", "deck.workload", "deck.conditions", "deck.figure", "deck.whose")]
    _paged(
        presentation,
        content,
        words("deck.published"),
        heads,
        rows,
        (1.6, 1.6, 1.9, 1.1, 2.2),
        words("deck.published-why"),
    )


def _method(presentation: Any, content: Content) -> None:
    words = content.words
    sheet = _sheet(presentation, content, words("page.method"))
    resolution = f"{content.comparison.resolution * 100:g} %"
    texts = [
        words(f"method.{part}", resolution=resolution, claim=CLAIM_ROUNDS)
        for part in ("repeats", "ratio", "claims", "percentiles", "evidence")
    ]
    y = _TOP
    for text in texts:
        lines = len(broken(text, 15, False, _WIDTH))
        sheet.text(Box(theme.MARGIN, y, _WIDTH, lines * 15 * LEADING), [(Run(text, 15),)])
        y += lines * 15 * LEADING + 9
    sheet.foot(source(content))
