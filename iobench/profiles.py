"""Profiles: TOML files that ship with iobench, or that a user wrote, found and read with checks."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from iobench.errors import UsageError, near_miss

# What a drive's profile may say of how a report shows it.
DRIVE_LOOK = ("label", "color", "price", "currency")
_MOST, _PIECE = 4 << 20, 1 << 12  # bytes
# In a checkout the top-level folder is the source; a wheel carries a copy of it inside the package.
_FOLDERS = (Path(__file__).parent.parent / "profiles", Path(__file__).parent / "shipped")


def names(kind: str, suffix: str = ".toml") -> list[str]:
    """Return the names of the shipped profiles of a kind (`suites`, `drives`, `handover`)."""
    return sorted({path.stem for path in _shipped(kind, suffix)})


def find(kind: str, name: str, suffix: str = ".toml") -> Path:
    """Return the file of a profile: a path to a file with its suffix, or the name of a shipped one.

    Raises UsageError, with the nearest name, when there is none.
    """
    if name.endswith(suffix):
        if os.path.isfile(name):  # noqa: PTH113 - which raises nothing
            return Path(name)
        raise UsageError(f"there is no profile file {name!r}")
    for path in _shipped(kind, suffix):
        if path.stem == name:
            return path
    raise UsageError(f"unknown profile {name!r}; {near_miss(name, names(kind, suffix))}")


def begin(path: Path, most: int) -> bytes:
    """Return what a file that a user gave says, up to some `most` bytes and a piece: a device has no end.

    Raises OSError. In pieces: whoever asks for so many at once has to hold them, however few there are.
    """
    with path.open("rb") as file:
        return b"".join(islice(iter(partial(file.read, _PIECE), b""), most // _PIECE + 1))


def load(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises UsageError, with the line, when it is not TOML."""
    try:
        content = begin(path, _MOST)
        if len(content) > _MOST:
            raise UsageError(f"{path} is no profile: it has more than {_MOST >> 20} MiB")
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} is not a TOML file that can be read: {error}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def check_keys(table: object, known: Iterable[str], where: str) -> dict[str, Any]:
    """Return a part of a profile as the table it has to be, all its keys known.

    Raises UsageError, which begins with `where`, for anything else; an unknown key is told with the nearest.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where}: {table!r} is not a table")
    names = list(known)
    for key in table:
        if key not in names:
            raise UsageError(f"{where}: unknown key {key!r}; {near_miss(key, names)}")
    return table


def shipped_file(name: str) -> Path:
    """Return the path of a file that ships beside the profiles, as `loads/x.load`; it need not be there."""
    return next((folder / name for folder in _FOLDERS if (folder / name).is_file()), _FOLDERS[-1] / name)


def _shipped(kind: str, suffix: str) -> Iterator[Path]:
    for folder in _FOLDERS:
        if (folder / kind).is_dir():
            yield from sorted((folder / kind).glob(f"*{suffix}"))
            return
