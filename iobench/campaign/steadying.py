"""The director of `steady`: rounds are asked for, on each target, until steady state is reached or 25 are done."""

from __future__ import annotations

from collections.abc import Sequence

from iobench.analysis import steady
from iobench.campaign import remains
from iobench.campaign.director import Ask, Director, Progress
from iobench.model import Campaign, Step
from iobench.results import CampaignFolder
from iobench.runners.steady import ROUND


class SteadyDirector:
    """Asks for rounds. It keeps nothing: the rounds that are finished say how to go on."""

    def __init__(self, most: int = steady.MOST_ROUNDS) -> None:
        self._most = most

    def more(self, progress: Progress) -> Sequence[Ask]:
        """Return a round for each target that is not steady yet, and has not failed."""
        states = states_of(progress.campaign, progress.folder)
        asks = []
        for target, state in states.items():
            mine = _rounds(progress.campaign, target)
            gone = any(step.id in progress.failed or step.id in progress.left_out for step in mine)
            if mine and not gone and not state.reached and len(state.rounds) < self._most:
                asks.append(Ask(mine[-1].work, target))
        return asks

    def remaining_s(self, progress: Progress) -> float:
        """Return the time up to the first window of each target: where it ends nobody knows."""
        states = states_of(progress.campaign, progress.folder)
        lacking = [max(0, steady.WINDOW - len(state.rounds)) for state in states.values()]
        lengths = [step.work.duration_s or 0.0 for step in progress.campaign.steps if step.work.workload == ROUND]
        return sum(lacking) * max(lengths, default=0.0)


def states_of(campaign: Campaign, folder: CampaignFolder) -> dict[str, steady.Steady]:
    """Return, by target, the finished rounds since it was last prepared, and whether they are steady."""
    values: dict[str, dict[int, float]] = {step.target: {} for step in campaign.steps if step.work.workload == ROUND}
    if not values:
        return {}
    stale = remains.stale(campaign, folder)
    for row in folder.read("samples").to_pylist():
        tracked = (row["workload"], row["metric"], row["op"]) == (ROUND, "iops", "write")
        if tracked and row["step"] not in stale:
            values.setdefault(row["target"], {})[row["repeat"]] = row["value"]
    return {name: steady.judge([of[number] for number in sorted(of)], sorted(of)) for name, of in values.items()}


def _rounds(campaign: Campaign, target: str) -> list[Step]:
    return [step for step in campaign.steps if step.target == target and step.work.workload == ROUND]


def director(campaign: Campaign) -> Director:
    """Return the director of a campaign."""
    return SteadyDirector()
