"""The page: one file that opens from a mail, with charts, tables, drives, evidence and method."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from iobench import __version__
from iobench.analysis.claims import CLAIM_ROUNDS
from iobench.analysis.types import Comparison
from iobench.report import beginning, drives, evidence, labels, listing, repeat, sections, steps, template
from iobench.report.content import Content
from iobench.report.evidence import Packed
from iobench.report.steps import Step
from iobench.texts import Words

if TYPE_CHECKING:
    from markupsafe import Markup


def page(content: Content, drawn: Callable[[], None] = lambda: None) -> str:
    """Return the page as text; `drawn` is called after each chart. Raises ResultsError."""
    from markupsafe import Markup

    comparison, words = content.comparison, content.words
    groups = listing.groups([step for folder in content.folders for step in steps.read(folder, words)], content)
    taken = [step for group in groups for step in group.steps]
    packed = Packed([evidence.inside(step, words) for step in taken])
    style, script = ((template.FOLDER / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return template.render(
        "report.html",
        filters={"whole": _whole(comparison, taken)},
        signs=packed.parts,
        t=words,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(script),
        head=beginning.head(content),
        glance=beginning.glance(content),
        findings=beginning.summary(content),
        claims=beginning.claims(content),
        sections=sections.every(content, drawn),
        drives=drives.sheets(comparison, words),
        hosts=drives.hosts(content.campaigns, comparison.labels, words),
        notes=_notes(content),
        groups=groups,
        packed=packed,
        repeats=repeat.all_of(content.folders, content.campaigns, comparison.labels, words, content.digests),
        unsound=listing.unsound(taken, words),
        published=[
            (p.drive, labels.workload_name(p.workload, words), p.conditions, p.figure, p.source)
            for p in content.published
        ],
        method=_method(comparison, words),
        any_rows=bool(comparison.rows),
    )


def _whole(comparison: Comparison, taken: Sequence[Step]) -> Callable[[str], Markup]:
    """A filter that keeps the names of reasons in one piece: a browser would break `background-io` at its hyphen."""
    from markupsafe import Markup

    found = {reason for row in comparison.rows for e in row.targets.values() for reason in e.reasons}
    found |= {reason for step in taken for reason in step.reasons}
    ids = "|".join(re.escape(labels.clean(reason, 40)) for reason in sorted(found) if re.fullmatch(r"[a-z-]+", reason))
    known = re.compile(rf"(?<![\w-])({ids})(?![\w-])") if ids else None

    def whole(text: str) -> Markup:
        safe = evidence.coded(text)
        return Markup(known.sub(r'<span class="id">\1</span>', safe) if known else safe)

    return whole


def _policy(script: str) -> str:
    """A content policy under which nothing but our own script runs, and nothing is fetched."""
    digest = base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; font-src data:"


def _notes(content: Content) -> list[str]:
    # What stands on a drive's own card is not said again.
    comparison, words = content.comparison, content.words
    texts = [*comparison.notes, *(note for c in content.campaigns for note in c.notes)]
    told = {f"{sheet.name}: {note}" for sheet in drives.sheets(comparison, words) for note in sheet.notes}
    said = dict.fromkeys(labels.clean(words.tell(text), 800) for text in texts)
    return [text for text in said if text not in told]


def _method(comparison: Comparison, words: Words) -> list[str]:
    resolution = f"{comparison.resolution * 100:g} %"
    return [
        words(f"method.{part}", resolution=resolution, claim=CLAIM_ROUNDS)
        for part in ("repeats", "ratio", "claims", "percentiles", "evidence", "units")
    ]
