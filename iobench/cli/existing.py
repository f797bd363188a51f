"""Servers that exist as targets: `--dsn` and the like, and the passwords they ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from iobench.drives.passport import server_target
from iobench.errors import UsageError
from iobench.model import Target
from iobench.servers import secrets

_WITH_PASSWORD = ("mysql", "mariadb")


def endpoint_target(url: str, scheme: str, taken: Sequence[str]) -> Target:
    """Return the target `server` that an address names. Raises UsageError; the address is not repeated in it."""
    target = server_target("server", url if "://" in url else f"{scheme}://{url}")
    if target.name in taken:
        raise UsageError("a target is named 'server' already; give the server as -t NAME=… with a name of its own")
    return target


def learn_passwords(targets: Iterable[Target], file: Path | None) -> None:
    """Find the passwords of targets that need one, before anything is run. Raises CannotRunError."""
    for target in targets:
        if target.kind == "server" and target.path.partition("://")[0] in _WITH_PASSWORD:
            secrets.learn(target.path, file, _ask if sys.stdin.isatty() else None)


def _ask(question: str) -> str:
    return str(click.prompt(question, hide_input=True, default="", show_default=False, err=True))
