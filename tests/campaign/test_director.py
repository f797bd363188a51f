"""Plans that grow, run by the real engine: steps are appended, a deadline leaves steps out, a resume goes on alike."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from stored import Measured, make_campaign

from iobench import proc
from iobench.campaign import assemble, journal
from iobench.campaign import director as directors
from iobench.campaign.director import Ask, Deadline, Progress
from iobench.campaign.engine import Engine
from iobench.campaign.events import Event, PlanGrew, StepFinished, StepLeftOut
from iobench.campaign.plan import Request, Suite
from iobench.campaign.site import Permission
from iobench.campaign.steadying import SteadyDirector, states_of
from iobench.errors import InterruptedCampaign, UsageError
from iobench.model import Campaign, Target
from iobench.results import CampaignFolder, Store

WANTED = 3
SUITE = Suite(None, "grows", 1, (Request("seq", {"ops": "read", "ramp": "0", "buffered": True}, "test"),))


class Repeats:
    """Wants a work until it is finished so often."""

    def more(self, progress: Progress) -> Sequence[Ask]:
        if not progress.campaign.steps:
            return []
        first = progress.campaign.steps[0]
        return [] if len(progress.finished) >= WANTED else [Ask(first.work, first.target)]

    def remaining_s(self, progress: Progress) -> float:
        return 1.0


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Campaign, CampaignFolder]]:
    if proc.find("fio") is None:
        pytest.skip("needs fio")
    module = ModuleType("grows")
    module.director = lambda campaign: Repeats()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "grows", module)
    monkeypatch.setattr(directors, "DIRECTORS", {"grows": "grows"})
    drive = tmp_path / "drive"
    drive.mkdir()
    target = Target("here", str(drive))
    plan = assemble.assemble(SUITE, [target], {"duration": "200ms", "size": "4Mi"}, 1, ()).campaign
    plan = dataclasses.replace(plan, director={"name": "grows"})
    yield plan, Store(tmp_path / "results").create(plan)
    assert list(drive.iterdir()) == []


def _run(folder: CampaignFolder, seen: list[Event], deadline: Deadline | None = None, stop_at: int = 99) -> None:
    stop = proc.Stop()

    def observe(event: Event) -> None:
        seen.append(event)
        if sum(isinstance(e, StepFinished) for e in seen) >= stop_at:
            stop.set(15)

    stored = folder.campaign()
    left = assemble.again(stored, folder.finished())
    found = directors.of(stored)
    Engine(left.campaign, folder, left.estimate, Permission(), stop, observe, found, deadline).run()


def test_a_plan_grows_until_its_director_has_enough(campaign: tuple[Campaign, CampaignFolder]) -> None:
    folder, seen = campaign[1], list[Event]()
    _run(folder, seen)
    steps = folder.campaign().steps
    assert [step.repeat for step in steps] == [1, 2, 3] and len({step.id for step in steps}) == 3
    assert folder.finished() == {step.id for step in steps}
    assert sum(isinstance(event, PlanGrew) for event in seen) == WANTED - 1
    assert journal.status(folder.path, 3, 3) == "done"


def test_a_grown_plan_is_resumed(campaign: tuple[Campaign, CampaignFolder]) -> None:
    folder = campaign[1]
    with pytest.raises(InterruptedCampaign):
        _run(folder, [], stop_at=2)
    assert len(folder.finished()) == 2
    _run(folder, [])
    assert len(folder.finished()) == WANTED
    assert [step.repeat for step in folder.campaign().steps] == [1, 2, 3]


def test_what_does_not_fit_before_the_deadline_is_left_out(campaign: tuple[Campaign, CampaignFolder]) -> None:
    folder, seen = campaign[1], list[Event]()
    _run(folder, seen, Deadline.within(0))
    assert folder.finished() == set() and folder.campaign().steps == ()
    (left_out,) = [event for event in seen if isinstance(event, StepLeftOut)]
    assert "left" in left_out.sentence
    assert [e["step"] for e in journal.read(folder.path) if e["event"] == "left-out"] == [left_out.step.id]


def test_an_unknown_director_is_named(campaign: tuple[Campaign, CampaignFolder]) -> None:
    with pytest.raises(UsageError, match="grow"):
        directors.of(dataclasses.replace(campaign[0], director={"name": "grow"}))
    assert directors.of(dataclasses.replace(campaign[0], director=None)) is None


def test_rounds_of_before_a_preparation_that_was_redone_do_not_count(tmp_path: Path) -> None:
    rates: list[float | None] = [1000.0, 900, 800, 700, 600, 400, 400, 400, 400]
    folder = make_campaign(tmp_path, Measured("a", {"iops": rates}, workload="steady-write", op="write", load=32))
    campaign = folder.campaign()

    def begin(numbers: range) -> None:
        for step in campaign.steps:
            if step.repeat in numbers:
                journal.write(folder.path, "started", step=step.id)

    begin(range(1, 7))
    journal.write(folder.path, journal.PREPARED_AGAIN, target="another")
    assert len(states_of(campaign, folder)["a"].rounds) == 9
    journal.write(folder.path, journal.PREPARED_AGAIN, target="a")
    begin(range(6, 10))  # the sixth was begun, aborted, and measured after it
    state = states_of(campaign, folder)["a"]
    assert state.rounds == (400.0,) * 4 and state.window is None
    progress = Progress(campaign, folder, frozenset(folder.finished()), {}, {}, None)
    assert len(SteadyDirector().more(progress)) == 1
    assert SteadyDirector().remaining_s(progress) > 0
    journal.write(folder.path, "started", step=campaign.steps[4].id)  # a fifth, were it measured anew
    state = states_of(campaign, folder)["a"]
    assert state.repeats == (5, 6, 7, 8, 9) and not state.reached and state.in_window == state.repeats


@pytest.mark.parametrize("count", [24, 25])
def test_rounds_that_never_level_end_after_25(tmp_path: Path, count: int) -> None:
    rates: list[float | None] = [1000.0 * 0.9**i for i in range(count)]
    folder = make_campaign(tmp_path, Measured("a", {"iops": rates}, workload="steady-write", op="write", load=32))
    finished = frozenset(folder.finished())
    progress = Progress(folder.campaign(), folder, finished, {}, {}, None)
    assert len(SteadyDirector().more(progress)) == (1 if count < 25 else 0)
    state = states_of(folder.campaign(), folder)["a"]
    assert not state.reached and len(state.rounds) == count
