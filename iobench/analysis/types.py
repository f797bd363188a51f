"""What analysis makes of stored numbers: the shapes that the terminal, JSON and the report draw from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from iobench.model import Better, Emulation, Params, Passport, Verdict
from iobench.texts import Phrase, Told


class Difference(StrEnum):
    """Whether the data show a drive to be different from the baseline."""

    HIGHER = "higher"
    LOWER = "lower"
    NONE_SHOWN = "none-shown"


class ClaimResult(StrEnum):
    """What a measurement says of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not-reproduced"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A target's figure in a row: median and 95 % interval over n repeats, in the metric's base unit.

    The interval is None with fewer than two repeats. `values` are the single repeats, in order of rounds.
    """

    n: int
    median: float
    ci95: tuple[float, float] | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    rounds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """A target's figure over the baseline's: median over median, with its 95 % interval."""

    ratio: float
    ci95: tuple[float, float] | None
    difference: Difference


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity, compared over the targets. The baseline has no ratio."""

    workload: str
    op: str
    metric: str
    unit: str
    better: Better
    load: int
    rate: float | None
    params: Params
    targets: Mapping[str, Estimate]
    ratios: Mapping[str, Ratio]


@dataclass(frozen=True, slots=True)
class DriveSummary:
    """A target as charts name it; `emulation` is None for a real drive."""

    name: str
    kind: str
    emulation: Emulation | None
    passport: Passport | None
    label: str | None = None  # what a profile has it called, coloured and priced at
    color: str | None = None
    price: float | None = None
    currency: str | None = None

    @property
    def emulated(self) -> bool:
        """Whether the drive is one that `iobench lab` made."""
        return self.emulation is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """What the data say of one claim, with a sentence that holds the figures (`phrases` are it before it is prose)."""

    id: str
    statement: str
    result: ClaimResult
    sentence: str
    statement_ja: str | None = None
    phrases: tuple[Phrase, ...] = ()


# A work and an operation of it on a drive: workload, load, rate, parameters as canonical JSON, operation, drive.
Limited = tuple[str, int, float | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of the campaigns compared. `baseline` is None with one target.

    `limited` is where emulated drives reached a limit of their own, also by metrics that are not in the rows.
    """

    campaigns: tuple[str, ...]
    baseline: str | None
    resolution: float
    drives: tuple[DriveSummary, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    notes: tuple[Told, ...] = ()
    despite: tuple[Phrase, ...] = ()  # what differs between campaigns that were compared all the same
    limited: frozenset[Limited] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)  # what each campaign is called, by its id
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)  # its drive, by a campaign's id and target

    def drive_of(self, campaign: str, target: str) -> str:
        """Return the name of the drive that a campaign's target is here: of several campaigns it may have another."""
        return self.names.get((campaign, target), target)

    def shown_ratio(self, row: Row, drive: str) -> Ratio | None:
        """Return a row's ratio as a person may see it: none of or to an invalid figure, which reads like a claim."""
        both = (row.targets.get(drive), row.targets.get(self.baseline or ""))
        return None if any(e and e.verdict is Verdict.INVALID for e in both) else row.ratios.get(drive)
