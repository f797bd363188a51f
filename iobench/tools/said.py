"""What parsers of JSON programs share: a document, and its fields as the type they have to be, or ParseError."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from iobench.errors import ParseError

Document = Mapping[str, Any]


def document(text: str, tool: str) -> dict[str, Any]:
    """Return a program's output as a JSON object. Raises ParseError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = f"it begins {text.strip()[:60]!r}" if text.strip() else "it said nothing"
        raise ParseError(f"{tool}: its output is not JSON ({error}; {said})") from None
    if not isinstance(found, dict):
        raise ParseError(f"{tool}: its output is not a JSON object")
    return found


def flat(text: str, tool: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a util-linux JSON list; older versions nest children, and --list does not."""
    waiting: list[object] = [document(text, tool).get(key)]
    while waiting:
        rows = waiting.pop(0)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ParseError(f"{tool}: {key!r} is not a list of objects")
        for row in rows:
            yield row
            if "children" in row:
                waiting.append(row["children"])


def text_of(row: Document, key: str) -> str | None:
    """Return a text; None where there is none. Raises ParseError for anything else."""
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ParseError(f"{key} is {str(value)[:60]!r} where a text was expected")
    return value.strip() or None


def whole_of(row: Document, key: str) -> int | None:
    """Return a whole number, also one that is written as a text. Raises ParseError for anything else."""
    value = row.get(key)
    # util-linux before 2.33 writes numbers as texts
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 30:
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ParseError(f"{key} is {str(value)[:60]!r} where a whole number was expected")


def flag_of(row: Document, key: str) -> bool | None:
    """Return true or false, also one that is written as 0 or 1. Raises ParseError for anything else."""
    value = row.get(key)
    if value is None or isinstance(value, bool):
        return value
    if value in ("0", "1"):
        return bool(value == "1")
    raise ParseError(f"{key} is {str(value)[:60]!r} where true or false was expected")


def object_of(row: Document, key: str) -> dict[str, Any]:
    """Return an object, an empty one where there is none. Raises ParseError for anything else."""
    value = row.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParseError(f"{key} is {str(value)[:60]!r} where an object was expected")
    return value


def objects_of(row: Document, key: str) -> list[dict[str, Any]]:
    """Return a list of objects, an empty one where there is none. Raises ParseError for anything else."""
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ParseError(f"{key} is {str(value)[:60]!r} where a list of objects was expected")
    return value


def number_of(row: Document, key: str) -> float | None:
    """Return a finite number, also one that is written as a text, with commas or a unit behind it.

    None where there is none, or where the text says that it is not known. Raises ParseError for anything else.
    """
    value = row.get(key)
    if isinstance(value, str):
        word = value.strip().split(" ")[0].replace(",", "").rstrip("%") if value.strip() else ""
        if not word or word.lower() in ("n/a", "unknown", "unavailable", "-"):
            return None
        try:
            value = float(word)
        except ValueError:
            value = math.nan
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e25:
        raise ParseError(f"{key} is {str(row.get(key))[:60]!r} where a number was expected")
    return float(value)
