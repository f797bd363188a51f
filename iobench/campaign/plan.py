"""What will be done: a suite and its targets to works, works to interleaved steps, steps to an estimate."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iobench import params, profiles, runners, servers
from iobench.campaign import programs, source
from iobench.errors import CannotRunError, UsageError, near_miss
from iobench.model import Passport, Service, Step, Work
from iobench.units import format_bytes, parse_duration, parse_size

MOST_SIZE = 4 * 10**9
# Beyond a step's own time: starting the program, reading counters, keeping the result.
STEP_OVERHEAD_S = 0.7
SETUP_OVERHEAD_S = 1.0
# Where nothing is known of a drive: slow enough for a disk, so that the estimate errs to the long side.
ASSUMED_RATE = 100e6
_MIB = 1 << 20
_PAGE = 4096
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Request:
    """A workload family with the parameters asked of it, not yet checked."""

    runner: str
    values: Mapping[str, object]
    where: str


@dataclass(frozen=True, slots=True)
class Suite:
    """What a campaign measures: requests, and how often."""

    name: str | None
    title: str
    rounds: int
    requests: tuple[Request, ...]


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


# --- suites --------------------------------------------------------------------------------------------


def load_suite(name: str) -> Suite:
    """Return a suite from profiles/suites/NAME.toml, or from a path to such a file.

    Raises UsageError for an unknown suite, key or workload, with the nearest name.
    """
    path = profiles.find("suites", name)
    data = profiles.load(path)
    profiles.check_keys(data, ("suite", "workload"), path.name)
    head = profiles.check_keys(data.get("suite", {}), ("title", "rounds"), path.name)
    rounds = head.get("rounds", 5)
    if not isinstance(rounds, int) or isinstance(rounds, bool) or rounds < 1:
        raise UsageError(f"{path.name}: rounds is {rounds!r}; it is a whole number from 1 on")
    entries = data.get("workload", [])
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path.name}: it names no [[workload]]")
    requests = tuple(_request(entry, path) for entry in entries)
    return Suite(path.stem, str(head.get("title", path.stem)), rounds, requests)


def _request(entry: dict[str, Any], path: Path) -> Request:
    name = entry.get("run") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise UsageError(f'{path.name}: a [[workload]] has no `run = "…"`; {near_miss("", runners.registry())}')
    if name not in runners.registry():
        raise UsageError(f"{path.name}: unknown workload {name!r}; {near_miss(name, runners.registry())}")
    values = {key: value for key, value in entry.items() if key != "run"}
    return Request(name, values, f"{path.name}, {name}")


# --- works ---------------------------------------------------------------------------------------------


def works(
    suite: Suite,
    passports: Mapping[str, Passport],
    engine: str,
    overrides: Mapping[str, object],
    tools: Mapping[str, str] | None = None,
) -> tuple[Work, ...]:
    """Return the works of a suite. `overrides` (duration, size) hold where a workload knows them.

    The engine `auto` becomes `engine`, and a size that is not given becomes the smaller of 4 GB and a
    tenth of the least room. `tools` are the programs that are here, with their versions. Raises UsageError.
    """
    _check_overrides(overrides)
    found: list[Work] = []
    for request in suite.requests:
        runner = runners.find(request.runner)
        known = {p.name for p in params.describe(runner.Params)}
        if "max_rate" in overrides and "max_rate" not in known:
            raise UsageError(f"{request.where}: the rate of {request.runner} cannot be capped; leave out --max-rate")
        values = {**request.values, **{k: v for k, v in overrides.items() if k in known}}
        asked = params.build(runner.Params, values, request.where)
        asked = _resolved(asked, passports, engine)
        found += runner.plan(asked if tools is None else programs.resolved(asked, tools, passports))
    if len(set(map(_key, found))) != len(found):
        raise UsageError(f"{suite.title}: the same measurement is asked for twice")
    _check_servers(found, passports)
    _check_blocks(found, passports)
    _check_layouts(found, passports)
    for work in found:
        if work.source is not None:
            source.check(work.source.size)
    return tuple(found)


def _check_servers(plan: Sequence[Work], passports: Mapping[str, Passport]) -> None:
    """Raise UsageError for work that cannot be done on a server that exists."""
    for name, passport in passports.items():
        if passport.target.kind != "server":
            continue
        scheme = passport.target.path.partition("://")[0]
        for work in plan:
            if work.service is None:
                continue
            module = servers.module(work.service.kind)
            known = getattr(module, "SCHEMES", (scheme,))
            if scheme not in known:
                able = f"it takes {', '.join(f'{each}://' for each in known)}"
                raise UsageError(
                    f"target {name} is a server, {passport.target.path}, and {work.workload} cannot be measured "
                    f"there: {able}"
                )
            if (check := getattr(module, "check", None)) is not None:
                check(passport.target.path)


def _check_layouts(plan: Sequence[Work], passports: Mapping[str, Passport]) -> None:
    """Raise UsageError for files that would not be what the works say."""
    layouts = {file.layout for work in plan for file in work.files}
    if len(layouts) > 1:
        raise UsageError("layout write and layout fallocate share one file; give them in two campaigns")
    blocks = [name for name, p in passports.items() if p.target.kind == "block"]
    if not blocks or not layouts:
        return
    if "fallocate" in layouts:
        raise UsageError(
            f"target {blocks[0]} is a block device, where nothing can be left unwritten; use --layout write"
        )
    if any(work.params.get("source") == "zero" for work in plan):
        raise UsageError(
            f"target {blocks[0]} is a block device, where dd's zeros would replace what is read afterwards; use "
            "--source random, or --ops write alone"
        )


def _check_overrides(overrides: Mapping[str, object]) -> None:
    """Raise UsageError for a value that cannot be read, even where no workload of the suite would use it."""
    for name, parse in (("duration", parse_duration), ("size", parse_size), ("max_rate", parse_size)):
        value = overrides.get(name)
        if isinstance(value, str):
            try:
                parse(value)
            except UsageError as error:
                raise UsageError(f"--{name.replace('_', '-')}: {error}") from None


def _check_blocks(plan: Sequence[Work], passports: Mapping[str, Passport]) -> None:
    """Raise UsageError for direct I/O in blocks that a drive cannot do: it moves whole sectors."""
    for name, passport in passports.items():
        sector = (passport.device.logical_sector if passport.device else None) or _SECTOR
        for work in plan:
            if work.service is None and passport.target.kind == "server":
                raise UsageError(
                    f"target {name} is a server, and {work.workload} works on files; give a folder on a drive: "
                    f"-t {name}=/mnt/{name}"
                )
            if not fits(work, passport) and not any(fits(work, other) for other in passports.values()):
                raise UsageError(
                    f"target {name} is a block device, and {work.workload} needs a file system; make one on it, mount "
                    f"it, and give a folder: -t {name}=/mnt/{name}"
                )
            block = work.params.get("block_size")
            if work.params.get("direct") and isinstance(block, int) and block % sector:
                raise UsageError(
                    f"block_size {block} is no multiple of {sector} bytes, the sector of target {name}, and direct "
                    "I/O moves whole sectors; give a multiple"
                )


def fits(work: Work, passport: Passport) -> bool:
    """Whether a work can be done on a target: what needs a file system cannot on a bare device."""
    return passport.target.kind != "block" or (work.service is None and work.tree is None)


def _key(work: Work) -> tuple[str, int, str]:
    return work.workload, work.load, repr((work.rate, sorted(work.params.items())))


def _resolved(asked: Any, passports: Mapping[str, Passport], engine: str) -> Any:
    changes: dict[str, object] = {}
    if getattr(asked, "engine", None) == "auto":
        changes["engine"] = engine
    if not hasattr(asked, "size"):
        return dataclasses.replace(asked, **changes)
    if asked.size is None:
        changes["size"] = min(default_size(passports), getattr(asked, "SIZE_MOST", MOST_SIZE))
        if getattr(asked, "source", None) == "random":
            changes["size"] = _whole_blocks(min(default_size(passports), source.largest()))
    else:
        changes["size"] = _whole_blocks(asked.size)
    return dataclasses.replace(asked, **changes)


def _whole_blocks(size: int) -> int:
    """Return a size cut to whole MiB, or to whole 4 KiB where it is less than one.

    Direct I/O moves whole blocks: of 4*10^9 bytes, the last 0.7 MiB could not be laid out.
    """
    unit = _MIB if size >= _MIB else _PAGE
    if size < unit:
        raise UsageError(f"size {size} is too small; the least is {_PAGE} bytes")
    return size // unit * unit


def default_size(passports: Mapping[str, Passport]) -> int:
    """Return the size of the test file: the smaller of 4 GB and a tenth of what is free, whole MiB."""
    rooms = [room for p in passports.values() if (room := _room(p)) is not None]
    size = min([MOST_SIZE, *(room // 10 for room in rooms)])
    return max(_MIB, size // _MIB * _MIB)


def _room(passport: Passport) -> int | None:
    if passport.target.kind == "block":
        return passport.device.size_bytes if passport.device else None
    return passport.free_bytes


# --- steps ---------------------------------------------------------------------------------------------


def interleave(plan: Sequence[Work], targets: Sequence[str], rounds: int) -> tuple[Step, ...]:
    """Return the steps in the order they run: by rounds, each work on all targets in a rotated order.

    Rounds go A B C, C A B, B C A, so that drift falls on all targets alike.
    """
    steps: list[Step] = []
    for repeat in range(1, rounds + 1):
        shift = (1 - repeat) % len(targets)
        order = [*targets[shift:], *targets[:shift]]
        for work in (work for work in plan if repeat == 1 or not work.once):
            for target in order:
                steps.append(Step(step_id(len(steps) + 1, repeat, work, target), target, repeat, work))
    return tuple(steps)


def step_id(number: int, repeat: int, work: Work, target: str) -> str:
    """Return a step's id; it names a folder."""
    # A target's name may hold anything, so only plain letters of it are kept.
    plain = re.sub(r"[^A-Za-z0-9]+", "-", target).strip("-") or "target"
    return f"{number:04d}-r{repeat}-{work.workload}-{work.load}-{plain[:24]}"


# --- room and time -------------------------------------------------------------------------------------


def needed(plan: Sequence[Work]) -> int:
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


def services(plan: Sequence[Work]) -> list[Service]:
    """Return the distinct servers that works need on each target."""
    return list(dict.fromkeys(work.service for work in plan if work.service is not None))


def check_room(plan: Sequence[Work], passports: Mapping[str, Passport]) -> None:
    """Raise CannotRunError, with the figures, when there is too little room for the works' files.

    Targets on one file system fill it together.
    """
    for names in _sharing(passports):
        first = passports[names[0]]
        need = _needed_on_device(plan) if first.target.kind == "block" else needed(plan) * len(names)
        room = _room(first)
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
