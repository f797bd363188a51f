"""The steps as a page lists them: by workload, and by the reasons for which they are not sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iobench.model import Verdict
from iobench.report import labels, steps
from iobench.report.content import Content
from iobench.report.steps import Step
from iobench.texts import Words

_MOST_SENTENCES = 8  # of a reason; each step's own stands with its evidence


@dataclass(frozen=True, slots=True)
class StepGroup:
    """The steps of a workload in a campaign."""

    name: str
    summary: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Unsound:
    """A reason, how often it was found, and sentences with the figures."""

    reason: str
    verdict: str
    count: str
    sentences: tuple[str, ...]


def groups(taken: Sequence[Step], content: Content) -> list[StepGroup]:
    """Return steps by campaign and workload, in the order in which they ran."""
    words, called = content.words, content.comparison.labels
    several = len({step.campaign for step in taken}) > 1
    found: dict[tuple[str, str], list[Step]] = {}
    for step in taken:
        found.setdefault((step.campaign, step.workload), []).append(step)
    made = []
    for (campaign, workload), own in found.items():
        marked = sum(step.verdict != Verdict.VALID for step in own)
        parts = [words("page.steps", n=len(own))]
        parts.append(words("page.steps-marked", n=marked) if marked else words("page.steps-valid"))
        name = labels.workload_name(workload, words)
        whose = labels.clean(called.get(campaign, campaign), 100) if several else ""
        made.append(StepGroup(words.noted(name, whose), words.commas(parts), tuple(own)))
    return made


def unsound(taken: Sequence[Step], words: Words) -> list[Unsound]:
    """Return what was not sound: by reason, the most frequent first; a few sentences each stand for the rest."""
    by_reason: dict[str, list[Step]] = {}
    for step in taken:
        for reason in step.reasons:
            by_reason.setdefault(reason, []).append(step)
    found = []
    for reason, own in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        said: dict[str, list[str]] = {}  # a sentence -> the steps that it was said of
        for step in own:
            for one in step.said:
                if one.reason == reason:
                    said.setdefault(one.sentence, []).append(step.id)
        texts = [words("page.said-of", sentence=text, steps=_few(ids, words)) for text, ids in said.items()]
        verdict, count = steps.verdict_of(reason).value, words("page.steps", n=len(own))
        found.append(Unsound(reason, verdict, count, tuple(texts[:_MOST_SENTENCES])))
    return found


def _few(ids: Sequence[str], words: Words) -> str:
    return ids[0] if len(ids) == 1 else words("page.and-more", first=ids[0], n=len(ids) - 1)
