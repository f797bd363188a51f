"""What the end-to-end tests share: iobench as a program of its own, and what it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from iobench.campaign import journal as story
from iobench.results import CampaignFolder, Store

ONCE = ("--repeats", "1")
SHORT = ("--duration", "300ms", "--ramp", "0", *ONCE)
SMALL = ("--size", "16Mi")


@dataclass(frozen=True)
class Result:
    """How iobench ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Drive:
    """A folder on a file system of its own; `device` is None where no loop device can be had."""

    path: Path
    device: str | None

    @property
    def name(self) -> str:
        return Path(self.device or "").name

    def leftovers(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir() if entry.name != "lost+found")


class Iobench:
    """Runs iobench in a folder of its own, so that nothing of this machine's user is met."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.results = home / "results"
        self.environment = {
            **os.environ,
            "IOBENCH_RESULTS": str(self.results),
            "IOBENCH_LAB_STATE": str(home / "lab"),
            "COLUMNS": "200",
        }
        self.environment.pop("NO_COLOR", None)

    def start(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "iobench.cli.main", *argv],
            cwd=self.home,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *argv: str, env: Mapping[str, str] | None = None) -> Result:
        return finish(self.start(*argv, env=env))

    def folder(self, results: Path | None = None) -> CampaignFolder:
        """The one campaign that is stored."""
        ids = Store(results or self.results).ids()
        assert len(ids) == 1, ids
        return CampaignFolder((results or self.results) / ids[0])

    def folder_soon(self) -> CampaignFolder:
        wait_for(lambda: bool(Store(self.results).ids()))
        return self.folder()


def finish(process: subprocess.Popen[str], timeout_s: float = 90) -> Result:
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException:
        process.send_signal(signal.SIGINT)  # it takes its programs with it
        process.communicate()
        raise
    return Result(process.returncode, out, err)


def wait_for(what: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def journal(folder: CampaignFolder) -> list[tuple[str, str]]:
    """The journal as (event, step) pairs."""
    return [(event["event"], event.get("step", "")) for event in story.read(folder.path)]


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.to_pylist()


def reasons(folder: CampaignFolder) -> dict[str, set[str]]:
    """The reasons of each finished step."""
    return {row["step"]: set(row["reasons"]) for row in rows(folder.read("samples"))}


def programs(results: Path, name: str = "fio") -> list[int]:
    """The processes of that name which write into a results folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if Path(argv[0].decode(errors="replace")).name == name and str(results).encode() in b" ".join(argv):
                found.append(int(entry.name))
    return found
