"""The steps of a campaign that were tried and gave no number: which, why, and what that means for the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iobench.campaign import journal
from iobench.errors import EXIT_CANNOT_RUN, EXIT_OK, EXIT_TOOL
from iobench.results import CampaignFolder
from iobench.texts import Phrase, told_of


def failures(folder: CampaignFolder) -> Mapping[str, Phrase]:
    """Return the steps that were tried and gave no number, with what went wrong.

    What was kept as text is said to be so in languages other than its own.
    """
    told = {step: told_of(event.get("error")) for step, event in _failed(folder).items()}
    return {
        step: each if isinstance(each, Phrase) else Phrase("failed.text", {"said": each}) for step, each in told.items()
    }


def failure_code(folder: CampaignFolder) -> int:
    """Return the exit code of the steps that gave no number: 3 where none of them can run here, else 4.

    0 where there is none.
    """
    codes = [event.get("exit_code", EXIT_TOOL) for event in _failed(folder).values()]
    if not codes:
        return EXIT_OK
    return EXIT_CANNOT_RUN if all(code == EXIT_CANNOT_RUN for code in codes) else EXIT_TOOL


def not_begun(folder: CampaignFolder) -> frozenset[tuple[str, str, int]]:
    """Return target, workload and load of the steps that were left out for want of time, and not asked for again."""
    events = (event for event in journal.read(folder.path) if event.get("event") == "left-out")
    return frozenset(
        (str(event["target"]), str(event["workload"]), int(event["load"])) for event in events if "load" in event
    )


def _failed(folder: CampaignFolder) -> dict[str, dict[str, Any]]:
    """The last failure of each step that has no number."""
    finished = folder.finished()
    failed = (event for event in journal.read(folder.path) if event.get("event") == "failed" and "step" in event)
    return {step: event for event in failed if (step := str(event["step"])) not in finished}
