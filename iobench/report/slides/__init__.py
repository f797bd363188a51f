"""The deck: 16:9, a summary first, a slide for each chart of the talk, what else was drawn, and the appendix."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from iobench.report import labels
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.spec import Across

# The talk's charts and the two that are ours, each on one slide: what was measured of the first workload that was.
_TALK = (
    ("seq-read",),
    ("dd-write", "seq-write"),
    ("dbench",),
    ("oltp",),
    ("rand-read", "rand-mixed", "rand-write"),
    ("kvs",),
)
_PANELS = 2  # charts on a slide, at most
_PROPERTY = 255  # signs in a property of the file; python-pptx refuses more
_NARROW = 5  # drives that can be named beside a chart of half a slide


def deck(content: Content) -> bytes:
    """Return the deck as a .pptx file. Raises ResultsError."""
    from iobench.report.slides import appendix, chart, summary, theme

    presentation = theme.new()
    main, rest = arranged(content.charts)
    summary.add(presentation, content, main or rest)
    for group in main:
        chart.add(presentation, content, group)
    for results, spec in content.curves:
        chart.add_curve(presentation, content, results, spec)
    for group in rest:
        chart.add(presentation, content, group, further=bool(main))
    appendix.add(presentation, content)
    _properties(presentation, content)
    theme.finish(presentation)
    target = io.BytesIO()
    presentation.save(target)
    return _undated(target)


def _undated(written: io.BytesIO) -> bytes:
    """Return an archive whose entries carry no time of day: the same figures give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
        for entry in old.infolist():
            packed = zipfile.ZIP_STORED if entry.filename.endswith(".xlsx") else zipfile.ZIP_DEFLATED
            new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry), packed)
    return target.getvalue()


Group = tuple[Chart, ...]


def arranged(made: Sequence[Chart]) -> tuple[list[Group], list[Group]]:
    """Return the charts of the talk, a slide each, and the others, in slides of up to two."""
    main: list[Group] = []
    used: set[str] = set()
    for workloads in _TALK:
        name = next((w for w in workloads if any(c.spec.workload == w for c in made)), None)
        if name is not None:
            own = _together([c for c in made if c.spec.workload == name])
            # How it recovered from a failure is a question of its own, and wide.
            after = [(c,) for c in made if c.spec.workload == name and c.spec.across is Across.TIME]
            main += [*_slides(own), *after]
            used |= {c.spec.id for group in (own, *after) for c in group}
    rest: dict[tuple[str, str, str], list[Chart]] = {}
    for chart in made:
        if chart.spec.id not in used:
            rest.setdefault((chart.spec.workload, chart.spec.op, chart.spec.subtitle), []).append(chart)
    return main, [group for own in rest.values() for group in _slides(own)]


def _together(own: Sequence[Chart]) -> Group:
    """What stands on a workload's one slide: its rate, and beside it another way of it, else its latency."""
    own = [c for c in own if not c.spec.metric.endswith(labels.PER_PRICE) and c.spec.across is not Across.TIME] or own
    first = own[0]
    same = [c for c in own[1:] if c.spec.metric == first.spec.metric and c.spec.op == first.spec.op]
    other = [c for c in own[1:] if c.spec.metric != first.spec.metric and c.spec.op == first.spec.op]
    return (first, *(same or other)[: _PANELS - 1])


def _slides(own: Sequence[Chart]) -> list[Group]:
    """Charts in slides: side by side, or one a slide where many drives need the room for their names."""
    size = _PANELS if all(len(c.spec.series) <= _NARROW for c in own) else 1
    return [tuple(own[i : i + size]) for i in range(0, len(own), size)]


def _properties(presentation: Any, content: Content) -> None:
    """What the file says of itself; its dates are those of the campaign, so that the same figures say the same."""
    told = presentation.core_properties
    campaign = content.campaigns[0]
    told.title = _first([labels.title(campaign, content.words) or content.words("page.title")])
    told.author, told.language = "iobench", content.words.lang
    told.subject = _first([labels.clean(c.id, 100) for c in content.campaigns])
    told.comments = _first([f"sha256:{digest}" for digest in content.digests])
    told.created = told.modified = campaign.created_at.replace(tzinfo=None)
    told.last_modified_by = "iobench"


def _first(texts: Sequence[str]) -> str:
    """The first of texts, as many as a property of a file holds; the summary's notes have every one."""
    told = texts[0][:_PROPERTY]
    for text in texts[1:]:
        if len(told) + len(text) + 4 > _PROPERTY:
            return f"{told}, …"[:_PROPERTY]
        told += f", {text}"
    return told


__all__ = ["Group", "arranged", "deck"]
