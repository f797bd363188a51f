"""What a plan needs, before anything is done: the time, the bytes that are written, the room on the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iobench.errors import CannotRunError
from iobench.model import Passport, Service, Step, Work
from iobench.units import format_bytes

# Beyond a step's own time: starting the program, reading counters, keeping the result.
STEP_OVERHEAD_S = 0.7
SETUP_OVERHEAD_S = 1.0
# Where nothing is known of a drive: slow enough for a disk, so that the estimate errs to the long side.
ASSUMED_RATE = 100e6


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long it takes (seconds) and what is written (bytes a target), before anything is.

    `steps_written` is the part of `written` that steps write; `rates` are the write rates (B/s) it was made with.
    """

    seconds: float
    written: Mapping[str, int]
    step_s: Mapping[str, float]
    setup_s: Mapping[str, float]
    warm_up_s: Mapping[str, float]
    steps_written: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)


def estimate(steps: Sequence[Step], passports: Mapping[str, Passport], rates: Mapping[str, float]) -> Estimate:
    """Return the time and the bytes of a plan. `rates` are write rates in B/s by target, where known."""
    step_s = {step.id: _step_seconds(step, passports, rates) for step in steps}
    setup_s: dict[str, float] = {}
    warm_up_s: dict[str, float] = {}
    written: dict[str, int] = {}
    steps_written: dict[str, int] = {}
    for name in passports:
        mine = [step.work for step in steps if step.target == name]
        layout = sum({(f.name, f.size): f.size for work in mine for f in work.files}.values())
        servers_here = services(mine) if passports[name].target.kind != "server" else []
        layout += sum(service.room if service.laid is None else service.laid for service in servers_here)
        tried = sum({id(work): work.fixed_bytes for work in mine if work.warm_up}.values())
        rate = rates.get(name, ASSUMED_RATE)
        setup_s[name] = SETUP_OVERHEAD_S + layout / rate + sum(service.setup_s for service in servers_here)
        warm_up_s[name] = tried / rate + STEP_OVERHEAD_S if tried else 0.0
        # What a server that exists writes is not known, and not to a drive of ours.
        here = passports[name].target.kind != "server"
        steps_written[name] = sum(_written(work, rate) for work in mine) if here else 0
        written[name] = layout + tried + steps_written[name]
    once_s = sum(service.once_s for service in services([step.work for step in steps]))
    total = once_s + sum(step_s.values()) + sum(setup_s.values()) + sum(warm_up_s.values())
    return Estimate(total, written, step_s, setup_s, warm_up_s, steps_written, dict(rates))


def _step_seconds(step: Step, passports: Mapping[str, Passport], rates: Mapping[str, float]) -> float:
    work = step.work
    if work.duration_s is not None:
        return work.ramp_s + work.duration_s + STEP_OVERHEAD_S
    emulation = passports[step.target].emulation
    rate = rates.get(step.target, ASSUMED_RATE)
    if emulation is not None and not work.writes and emulation.read_bps:
        rate = emulation.read_bps
    return (work.passes + work.reads_back) * work.fixed_bytes / rate + STEP_OVERHEAD_S


def _written(work: Work, rate: float) -> int:
    if not work.writes:
        return 0
    return work.passes * work.fixed_bytes or int((work.ramp_s + (work.duration_s or 0)) * rate * work.write_share)


def services(plan: Sequence[Work]) -> list[Service]:
    """Return the distinct servers that works need on each target."""
    return list(dict.fromkeys(work.service for work in plan if work.service is not None))


def file_bytes(plan: Sequence[Work]) -> int:
    """Return the bytes that the works' files take on each target at the same time."""
    files = {(file.name, file.size): file.size for work in plan for file in work.files}
    largest: dict[str, int] = {}
    for (name, _), size in files.items():
        largest[name] = max(size, largest.get(name, 0))
    for work in plan:
        for name in work.fresh:
            largest[name] = max(work.fixed_bytes, largest.get(name, 0))
        if work.tree is not None:
            largest[work.tree.name] = max(work.tree.size, largest.get(work.tree.name, 0))
    return sum(largest.values()) + sum(service.room for service in services(plan))


def check_room(plan: Sequence[Work], passports: Mapping[str, Passport]) -> None:
    """Raise CannotRunError, with the figures, when there is too little room for the works' files.

    Targets on one file system fill it together.
    """
    for names in _sharing(passports):
        first = passports[names[0]]
        need = _needed_on_device(plan) if first.target.kind == "block" else file_bytes(plan) * len(names)
        room = room_of(first)
        if room is not None and need > room:
            who = f"target {names[0]} has" if len(names) == 1 else f"targets {', '.join(names)} together have"
            raise CannotRunError(
                f"{who} too little room: the files take {format_bytes(need)} and "
                f"{format_bytes(room)} are free; give {_smaller(plan)} or make room. Nothing was written"
            )


def _smaller(plan: Sequence[Work]) -> str:
    """What makes a plan smaller: the test file, or where dbench's clients take more than that, fewer of them."""
    trees = max((work.tree.size for work in plan if work.tree is not None), default=0)
    files = max((file.size for work in plan for file in work.files), default=0)
    return "fewer --clients (each takes 26 MB)" if trees > files else "a smaller --size"


def _sharing(passports: Mapping[str, Passport]) -> list[list[str]]:
    """The targets' names, those on one file system together."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, p in passports.items():
        place = p.device.number if p.device else p.mount_point
        alone = name if p.target.kind == "block" or place is None else None
        groups.setdefault((place, alone), []).append(name)
    return list(groups.values())


def _needed_on_device(plan: Sequence[Work]) -> int:
    """The bytes of a device that are used: a file to be made takes the place of the one that is laid out."""
    return max([0, *(file.size for work in plan for file in work.files), *(work.fixed_bytes for work in plan)])


def room_of(passport: Passport) -> int | None:
    """Return the bytes that files of ours may take on a target; None where that is not known."""
    if passport.target.kind == "block":
        return passport.device.size_bytes if passport.device else None
    return passport.free_bytes
