"""Every error a user can meet, each with the exit code that a script sees.

Each message says what happened, with the figures, and what to do. The command line prints it as one
paragraph; nothing here carries a traceback to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_OK = 0
EXIT_VERDICT = 1
EXIT_USAGE = 2
EXIT_CANNOT_RUN = 3
EXIT_TOOL = 4
EXIT_UNDECIDED = 5
EXIT_INTERRUPTED = 130


class IobenchError(Exception):
    """The parent of all errors a user can meet."""

    exit_code = EXIT_TOOL


class UsageError(IobenchError):
    """What was typed, or written in a profile, cannot be understood."""

    exit_code = EXIT_USAGE


class CannotRunError(IobenchError):
    """It cannot run here: a tool is missing, a target is refused, a permission lacks."""

    exit_code = EXIT_CANNOT_RUN


class ToolError(IobenchError):
    """A program failed; what was measured before is saved."""

    exit_code = EXIT_TOOL


class ParseError(ToolError):
    """A program's output could not be read."""


class ResultsError(ToolError):
    """The results folder cannot be written or read."""


class InterruptedCampaign(IobenchError):
    """The user, or the system, asked to stop; the campaign can be resumed."""

    exit_code = EXIT_INTERRUPTED


_MOST_NAMED, _MOST_LETTERS = 30, 200


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return the hint that ends an "unknown name" message: the nearest name, else those that there are."""
    names = list(known)
    word = word[:_MOST_LETTERS]  # to look for a name like a text of megabytes would take long
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"known: {shown}" if names else "none is known"
