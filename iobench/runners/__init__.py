"""Workload families. A runner is a module that meets `Runner`; a new one is a file and a line below.

A runner plans, asks and reads; it prints nothing, starts nothing and opens no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from iobench.errors import ParseError, UsageError, near_miss
from iobench.model import Command, Output, Place, Reading, Work
from iobench.texts import Phrase, last_said


class Address(NamedTuple):
    """How a server that exists is named instead of a private one: `--FLAG METAVAR`, scheme SCHEME://.

    A runner that can measure one has it as its `ENDPOINT`.
    """

    flag: str
    metavar: str
    help: str
    scheme: str
    password: bool = False


class Runner(Protocol):
    """What a workload module offers. `Params` is a frozen dataclass of `params.param` fields.

    A module may have `DIRECTOR` too, the name in campaign/director.py of what makes its plan grow, and `ENDPOINT`.
    """

    NAME: str
    SUMMARY: str
    TOOLS: tuple[str, ...]
    Params: Any

    def plan(self, params: Any) -> tuple[Work, ...]:
        """Return the works of checked parameters whose size and engine are resolved."""

    def command(self, work: Work, place: Place) -> Command:
        """Return the program that does a work at a place."""

    def read(self, work: Work, output: Output) -> Reading:
        """Return what the program's output says. Raises ParseError."""


def registry() -> Mapping[str, Runner]:
    """Return the runners by name."""
    from iobench.runners import dbench, dd, kvs, oltp, rand, seq, steady, verify

    return {runner.NAME: runner for runner in (seq, rand, dd, dbench, steady, verify, oltp, kvs)}


def find(name: str) -> Runner:
    """Return a runner by name. Raises UsageError with the nearest name."""
    known = registry()
    if name not in known:
        raise UsageError(f"unknown workload {name!r}; {near_miss(name, known)}")
    return known[name]


def no_figures(program: str, error: ParseError, output: Output, said: str | None = None) -> ParseError:
    """Return the error of an output with no figures in it, with what the program said last (`said`: its own error)."""
    last = said or last_said(output.stderr)
    code = output.exit_code
    return ParseError(Phrase("failed.output", {"program": program, "what": str(error), "code": code, "said": last}))
