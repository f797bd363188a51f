"""What happens in a campaign, told to whoever looks: the terminal, the log and a page are observers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iobench.model import Campaign, Step, StepResult


@dataclass(frozen=True, slots=True)
class SetupStarted:
    """A target is being made ready (`what` is being done), expected to take `expected_s` seconds."""

    target: str
    what: str
    expected_s: float


@dataclass(frozen=True, slots=True)
class SetupFinished:
    """A target is ready."""

    target: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins; `number` of `total`, counted over the whole campaign."""

    step: Step
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passes in a set-up or a step; seconds since it began."""

    elapsed_s: float


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step is whole on disk."""

    result: StepResult


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step gave no number; the campaign goes on."""

    step: Step
    sentence: str


@dataclass(frozen=True, slots=True)
class StepLeftOut:
    """A step is not run, for the reason in the sentence; the campaign goes on."""

    step: Step
    sentence: str


@dataclass(frozen=True, slots=True)
class FilesStayed:
    """A target was let go of, and these paths stay: somebody else was at our folder, or the target is `silent`."""

    target: str
    paths: tuple[str, ...]
    silent: bool = False

    @property
    def sentence(self) -> str:
        """What happened, and what to do."""
        if self.silent:
            clean = "`iobench clean` removes it once it answers"
            return f"left on {self.target}, which does not answer: {', '.join(self.paths)}; {clean}"
        return f"left on {self.target}, as iobench's marker is gone: {', '.join(self.paths)}; look, and remove by hand"


@dataclass(frozen=True, slots=True)
class PlanGrew:
    """Steps were added; `seconds` is the whole estimate now, `step_s` that of each step."""

    campaign: Campaign
    seconds: float
    step_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ended:
    """The campaign is over, all its steps run."""

    campaign: Campaign


Event = (
    SetupStarted
    | SetupFinished
    | StepStarted
    | Ticked
    | StepFinished
    | StepFailed
    | StepLeftOut
    | FilesStayed
    | PlanGrew
    | Ended
)
Observer = Callable[[Event], None]
