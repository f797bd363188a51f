"""Where a line of text may be broken, in English and in Japanese: at blanks, between wide signs, at a hyphen last."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

_OPENING = "([{（［｛「『【〈《"
_NOT_FIRST = "ーっゃゅょゎぁぃぅぇぉッャュョヮァィゥェォヵヶ、。"


def taken(text: str, fits: Callable[[str], bool]) -> tuple[str, str]:
    """Return the first line of a text, and the rest. `fits` says whether a beginning of it is narrow enough."""
    if fits(text):
        return text, ""
    count = longest(text, fits)
    places = [at for at in range(count, 0, -1) if may_break(text, at)]
    # At a hyphen only where there is no other place: `background-io` is one word.
    at = next((i for i in places if text[i - 1] not in "-/"), next(iter(places), 0)) or count
    return text[:at].rstrip(), text[at:].lstrip()


def folded(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Return all lines of a text; an empty one of none."""
    lines: list[str] = []
    rest = text
    while rest or not lines:
        line, rest = taken(rest, fits)
        lines.append(line)
    return lines


def longest(text: str, fits: Callable[[str], bool]) -> int:
    """Return how many characters fit, one at the least."""
    low, high = 1, max(1, len(text))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low


def may_break(text: str, at: int) -> bool:
    """Whether a line may end before the character at `at`."""
    if at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if before == " " or after == " " or before in "-/":
        return True
    wide = unicodedata.east_asian_width(before) in "WF" or unicodedata.east_asian_width(after) in "WF"
    closing = unicodedata.category(after) in ("Pe", "Pf", "Po", "Lm") or after in _NOT_FIRST
    return wide and not closing and before not in _OPENING
