"""What a report is made of, read once: campaigns, their comparison, the charts; pages, pictures and slides share it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iobench.analysis.types import Comparison
from iobench.model import Campaign
from iobench.report import charts, curves, labels, outage
from iobench.report.charts import Chart
from iobench.results import CampaignFolder
from iobench.texts import Words

if TYPE_CHECKING:
    from iobench.analysis.capacity import Result
    from iobench.report.published import Published
    from iobench.report.spec import CurveSpec


# What an appendix tells of the evidence; a page reads all of it for each step.
_EVIDENCE = (
    "step",
    "tool_bytes_read",
    "tool_bytes_written",
    "device_bytes_read",
    "device_bytes_written",
    "limited_by",
)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished step as an appendix counts it: what ran on which drive, and what the evidence says of it."""

    campaign: CampaignFolder
    step: str
    drive: str
    workload: str
    op: str
    load: int
    round: int
    verdict: str
    reasons: tuple[str, ...]
    tool: str
    evidence: Mapping[str, Any]

    def command(self) -> str:
        """Return the command as a shell would take it; nothing where it was not kept (an import)."""
        argv = self.campaign.command(self.step).get("argv")
        return labels.clean(shlex.join(map(str, argv)), 4000) if isinstance(argv, list) else ""


class Content:
    """All that a report says. What not every format needs is read when it is first asked for."""

    def __init__(
        self,
        folders: Sequence[CampaignFolder],
        comparison: Comparison,
        words: Words,
        published: Sequence[Published] = (),
        redacted: bool = False,
    ) -> None:
        self.folders = tuple(folders)
        self.comparison = comparison
        self.words = words
        self.published = tuple(published)
        self.redacted = redacted

    @cached_property
    def charts(self) -> tuple[Chart, ...]:
        """The charts, in the order of the comparison's rows."""
        outages = outage.charts(self.folders, self.comparison, self.words)
        searched = frozenset(result.slo.workload for results in self.searches for result in results)
        return (*charts.charts(self.comparison, self.words, searched), *outages)

    @cached_property
    def searches(self) -> tuple[tuple[Result, ...], ...]:
        """The searches of capacity campaigns, those of one objective together. Raises ResultsError."""
        return tuple(curves.found(self.folders, self.comparison))

    @cached_property
    def curves(self) -> tuple[tuple[tuple[Result, ...], CurveSpec], ...]:
        """The searches that can be drawn, each with its curve."""
        made = ((results, curves.spec(results, self.comparison, self.words)) for results in self.searches)
        return tuple((results, spec) for results, spec in made if spec is not None)

    @cached_property
    def campaigns(self) -> tuple[Campaign, ...]:
        """The campaigns, as planned."""
        return tuple(folder.campaign() for folder in self.folders)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each campaign's measurements."""
        return tuple(folder.digest() for folder in self.folders)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The finished steps, as they were planned. Raises ResultsError."""
        found: dict[tuple[str, str], Run] = {}
        called = labels.drive_labels(self.comparison)
        for folder in self.folders:
            evidence = {row["step"]: row for row in folder.read("evidence").select(list(_EVIDENCE)).to_pylist()}
            names = ("step", "target", "workload", "op", "load", "repeat", "verdict", "reasons", "tool")
            columns = folder.read("samples").select(list(names)).to_pydict()
            for step, target, workload, op, load, round_, verdict, reasons, tool in zip(
                *(columns[name] for name in names), strict=True
            ):
                if (folder.id, step) not in found:
                    found[folder.id, step] = Run(
                        folder,
                        step,
                        called.get(self.comparison.drive_of(folder.id, target), labels.clean(target, 80)),
                        workload,
                        op,
                        load,
                        round_,
                        verdict,
                        tuple(labels.clean(reason, 40) for reason in reasons),
                        labels.clean(tool, 80),
                        evidence.get(step, {}),
                    )
        return tuple(found.values())
