"""What will be done: a suite and its targets to works, works to interleaved steps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iobench import params, profiles, runners, servers
from iobench.campaign import programs, source
from iobench.campaign.needs import room_of
from iobench.errors import UsageError, near_miss
from iobench.model import Passport, Step, Work
from iobench.units import parse_duration, parse_size

MOST_SIZE = 4 * 10**9
_MIB = 1 << 20
_PAGE = 4096
_SECTOR = 512
_MOST_ROUNDS = 1000  # as of --repeats: each is planned step by step


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
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= _MOST_ROUNDS:
        raise UsageError(f"{path.name}: rounds is {rounds!r}; it is a whole number from 1 to {_MOST_ROUNDS}")
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
    rooms = [room for p in passports.values() if (room := room_of(p)) is not None]
    size = min([MOST_SIZE, *(room // 10 for room in rooms)])
    return max(_MIB, size // _MIB * _MIB)


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
