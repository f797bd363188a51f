"""Passwords of servers that exist: from a file, the environment or a prompt; kept in memory and nowhere else."""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Callable
from pathlib import Path

from iobench import profiles
from iobench.errors import CannotRunError

VARIABLE = "IOBENCH_DSN_PASSWORD"
_known: dict[str, str] = {}
_MOST = 1 << 20  # bytes


def learn(url: str, file: Path | None, ask: Callable[[str], str] | None) -> None:
    """Find the password of the server at `url`: in an option file, else the environment, else by asking.

    The variable is taken out of the environment, so that no program we start has it. Raises CannotRunError
    where there is none to be had, or for a file that others can read.
    """
    if file is not None:
        _known[url] = from_file(file)
    elif (value := os.environ.pop(VARIABLE, None)) is not None:
        _known[url] = value
    elif url not in _known:
        if ask is None:
            raise CannotRunError(
                f"the password for {url} is not known, and there is no terminal to ask for it; give it in the "
                f"environment variable {VARIABLE}, or in an option file with --dsn-file"
            )
        _known[url] = ask(f"Password for {url}")


def password(url: str) -> str:
    """Return the password that `learn` found. Raises CannotRunError where it did not."""
    if url not in _known:
        learn(url, None, None)
    return _known[url]


def from_file(path: Path) -> str:
    """Return the password in a MySQL option file, section [client].

    Raises CannotRunError, never with the file's words in it.
    """
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise CannotRunError(f"{path} can be read by others, and it holds a password; `chmod 600 {path}`")
        text = profiles.begin(path, _MOST).decode()
    except OSError as error:
        raise CannotRunError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CannotRunError(f"{path} is not a text, so no MySQL option file") from None
    # What MySQL includes by a line `!include` is not followed.
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("!")]
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False, delimiters=("=",))
    try:
        parser.read_string("\n".join(lines))
    except configparser.Error:
        raise CannotRunError(
            f"{path} is not a MySQL option file: sections like [client], lines like key=value"
        ) from None
    found = parser.get("client", "password", fallback=None)
    if found is None:
        raise CannotRunError(f"{path} has no line password=… in a section [client]")
    quoted = len(found) >= 2 and found[0] == found[-1] and found[0] in "\"'"
    return found[1:-1] if quoted else found
