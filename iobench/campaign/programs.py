"""Which programs a plan needs, and what a runner has to know of the ones that are here before it plans."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iobench import proc, runners, servers
from iobench.errors import CannotRunError, UsageError
from iobench.model import Passport, Work
from iobench.servers import nfs
from iobench.texts import Phrase, Told
from iobench.tools import dbench


def named(runner: str, values: Mapping[str, object]) -> tuple[str, ...]:
    """Return the programs of a runner; a value named as one of them is a path to use instead (`--dbench PATH`)."""
    return tuple(_whole(str(values.get(tool) or tool)) for tool in runners.find(runner).TOOLS)


def _whole(program: str) -> str:
    """A path of any kind as a whole one, for the program is started in another folder; a plain name as it is."""
    return str(Path(program).absolute()) if "/" in program else program


def of_all(asked: Iterable[tuple[str, Mapping[str, object]]]) -> list[str]:
    """Return the programs of many runners with their values, each once.

    Raises UsageError for a path that was given and leads to no program.
    """
    found: dict[str, None] = {}
    for runner, values in asked:
        for tool, program in zip(runners.find(runner).TOOLS, named(runner, values), strict=True):
            if program != tool and proc.find(program) is None:
                raise UsageError(f"--{tool}: there is no program {program!r}")
            found[program] = None
    return list(found)


def lacking(runner: str, values: Mapping[str, object]) -> list[str]:
    """Return the programs of a runner that are not installed; a path that was given is not looked at."""
    both = zip(runners.find(runner).TOOLS, named(runner, values), strict=True)
    return [tool for tool, program in both if program == tool and proc.find(tool) is None]


def without_servers(works: Sequence[Work]) -> dict[str, list[str]]:
    """Return the workloads whose private server is not installed, with the programs that lack."""
    found: dict[str, list[str]] = {}
    for work in works:
        tools = servers.module(work.service.kind).TOOLS if work.service is not None else ()
        if missing := [tool for tool in tools if proc.find(tool) is None]:
            found[work.workload] = missing
    return found


def left_out(what: str, missing: Sequence[str]) -> Told:
    """Return the note that a workload of a suite is left out for a program that is not there."""
    key = "note.are-not-installed" if len(missing) > 1 else "note.is-not-installed"
    return Phrase(key, {"what": what, "programs": tuple(missing)})


def resolved(asked: Any, tools: Mapping[str, str], passports: Mapping[str, Passport]) -> Any:
    """Return the parameters with what depends on a program's version, and on where the targets are, filled in.

    Raises CannotRunError for a program that will not do, UsageError for a load file that is not there.
    """
    if not hasattr(asked, "load_file"):
        return asked
    program = _whole(asked.dbench or "dbench")
    found = dbench.version(tools.get(program, ""))
    if found is None:
        raise CannotRunError(f"{program} does not say that it is dbench: {tools.get(program, 'nothing')[:80]!r}")
    over = _reached(program, found[0]) if asked.nfs else _over(passports)
    load_file = asked.load_file
    if load_file or over != nfs.CLIENT:
        load_file = _load_file(load_file, found[0], program)
    return dataclasses.replace(asked, version=found[0], load_file=load_file, dbench=asked.dbench and program, over=over)


def _over(passports: Mapping[str, Passport]) -> str:
    """Whether the targets themselves are on NFS mounts: none, all or some of them."""
    on_nfs = {p.filesystem in nfs.FILESYSTEMS for p in passports.values()}
    return nfs.LOCAL if on_nfs <= {False} else nfs.MOUNT if on_nfs == {True} else nfs.MIXED


def _reached(program: str, major: int) -> str:
    """How a private NFS server is reached here: by the kernel's mount, else by a dbench that speaks NFS itself."""
    if nfs.kernel_client():
        return nfs.MOUNT
    if major >= 5 and dbench.NFS_LACKS in proc.capture((program, *dbench.NFS_PROBE), check=False).stdout:
        return nfs.CLIENT
    return nfs.NONE


def _load_file(given: str | None, major: int, program: str) -> str | None:
    if given:
        if not os.path.isfile(given):  # noqa: PTH113 - which raises nothing
            raise UsageError(f"--load-file: there is no file {given!r}")
        return str(Path(given).absolute())  # dbench works in another folder
    if major < 5:
        return None  # it knows its own
    for path in dbench.LOADS:
        if Path(path).is_file():
            return path
    raise CannotRunError(
        f"{proc.find(program) or program} is version {major}, which brings no load file to a known place; give one "
        "with --load-file (client.load of its source)"
    )
