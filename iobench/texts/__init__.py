"""Every sentence that reports, findings, claims and sheets say, in each language; data before it is prose.

A room that finds something out makes a `Phrase`: a key of the table and its figures. `Words(lang)` makes a
sentence of it when it is read. A new language is one more file with the same keys as `en.py`. What an iobench
before this kept, and what programs say themselves, is text in one language: `Told` is either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from iobench.errors import UsageError, near_miss
from iobench.texts import en, ja
from iobench.units import format_seconds, format_value

_AFTER_BRACKET = re.compile("(?<=）) (?=[ぁ-ヿ一-鿿])")
TEXTS: Mapping[str, Mapping[str, str]] = {"en": en.TEXTS, "ja": ja.TEXTS}
LANGUAGES = tuple(TEXTS)


@dataclass(frozen=True, slots=True)
class Amount:
    """A value in a base unit: `B`, `B/s`, `s`, `1/s`, `1`, or `%` for a share of one."""

    value: float
    unit: str

    def __str__(self) -> str:
        if self.unit == "%":
            return f"{self.value * 100:.3g} %"
        return format_seconds(self.value) if self.unit == "s" else format_value(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a profile or a file says in several languages, by language; English is always there."""

    texts: Mapping[str, str]

    def __str__(self) -> str:
        return self.texts["en"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence as data: a key of the texts, and its figures by the names of the key's fields.

    A figure is a name, a number (shown with three digits, or as the text's field says: `{n:,}`), an Amount, a Quoted,
    another Phrase, or a tuple of those, which is said as a list.
    """

    key: str
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the phrase as JSON holds it."""
        return {"key": self.key, "figures": {name: _as_json(figure) for name, figure in self.figures.items()}}

    def __str__(self) -> str:
        return Words("en").say(self)

    def __hash__(self) -> int:
        return hash((self.key, repr(self.figures)))

    @staticmethod
    def of_json(kept: object) -> Phrase | None:
        """Return the phrase that JSON holds; None for what is not one, or has a key of a later iobench."""
        if not isinstance(kept, dict) or kept.get("key") not in en.TEXTS or not isinstance(kept.get("figures"), dict):
            return None
        return Phrase(kept["key"], {str(name): _of_json(figure) for name, figure in kept["figures"].items()})


Figure = str | int | float | Amount | Quoted | Phrase | tuple["Figure", ...]
Told = str | Phrase  # a sentence: as data, or as text that has one language only


def joined(told: Sequence[Told]) -> Told:
    """Return sentences as one, `a; b; c`; an empty text where there is none."""
    return reduce(lambda a, b: Phrase("list.also", {"a": a, "b": b}), told) if told else ""


def kept(told: Told) -> str | dict[str, Any]:
    """Return a sentence as results hold it: in English for whoever looks there, and as data for `told_of`."""
    return told if isinstance(told, str) else {"sentence": str(told), **told.as_json()}


def told_of(held: object) -> Told:
    """Return what `kept` gave: of a later iobench's key, or of a time when only text was kept, the English text."""
    if isinstance(held, dict):
        return Phrase.of_json(held) or str(held.get("sentence", ""))
    return held if isinstance(held, str) else ""


def said_by(error: Exception) -> Told:
    """Return what an error says: as data where it was raised with a phrase."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Phrase) else str(error)


def last_said(text: str) -> str | Phrase:
    """Return the last line of what a program said, or that it said nothing."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else Phrase("failed.nothing")


def _as_json(figure: Figure) -> Any:
    if isinstance(figure, Amount):
        return {"value": figure.value, "unit": figure.unit}
    if isinstance(figure, Phrase):
        return figure.as_json()
    if isinstance(figure, Quoted):
        return {"texts": dict(figure.texts)}
    return [_as_json(part) for part in figure] if isinstance(figure, tuple) else figure


def _of_json(kept: Any) -> Figure:
    if isinstance(kept, list):
        return tuple(_of_json(part) for part in kept)
    if isinstance(kept, dict):
        value = kept.get("value")
        if isinstance(value, int | float) and isinstance(kept.get("unit"), str):
            return Amount(value, kept["unit"])
        texts = kept.get("texts")
        if isinstance(texts, dict) and "en" in texts and all(isinstance(text, str) for text in texts.values()):
            return Quoted(texts)
        return Phrase.of_json(kept) or ""
    return kept if isinstance(kept, str | int | float) else ""


class Words:
    """The texts of one language. Raises UsageError for a language that is not there."""

    def __init__(self, lang: str) -> None:
        if lang not in TEXTS:
            raise UsageError(f"there is no report in the language {lang!r}; {near_miss(lang, TEXTS)}")
        self.lang = lang
        self._table = TEXTS[lang]

    def __call__(self, key: str, /, **fields: object) -> str:
        """Return the text of a key with its fields filled in."""
        return self._set(self._table[key].format(**fields))

    def say(self, phrase: Phrase) -> str:
        """Return a phrase as a sentence. A field that has no figure is left open as `?`, never an error."""
        fields = _Fields({name: _Shown(figure, self) for name, figure in phrase.figures.items()})
        return self._set(self._table[phrase.key].format_map(fields))

    def _set(self, text: str) -> str:
        """Return a filled text; the blank that a Latin name needs before `の` is none after a wide bracket."""
        return _AFTER_BRACKET.sub("", text) if self.lang == "ja" else text

    def tell(self, told: Told) -> str:
        """Return a sentence in this language; one that is text is returned as it is."""
        return told if isinstance(told, str) else self.say(told)

    def said(self, phrases: Sequence[Phrase], plain: str = "") -> str:
        """Return phrases as one sentence; `plain` where there are none."""
        return self("list.semicolon").join(map(self.say, phrases)) if phrases else plain

    def figure(self, figure: Figure) -> str:
        """Return a figure as people read it in this language."""
        if isinstance(figure, Phrase):
            return self.say(figure)
        if isinstance(figure, Quoted):
            return figure.texts.get(self.lang, str(figure))
        if isinstance(figure, tuple):
            return self.every([self.figure(part) for part in figure])
        return f"{figure:.3g}" if isinstance(figure, float) else str(figure)

    def pair(self, name: str, text: str) -> str:
        """Return `name: text`."""
        return f"{name}{self('list.colon')}{text}"

    def noted(self, text: str, note: str) -> str:
        """Return `text (note)`; the text alone where there is no note."""
        return self("why.with", sentence=text, why=note) if note else text

    def verdict(self, verdict: str) -> str:
        """Return a verdict for a terminal; in English by its fixed name, as scripts and `--json` have it."""
        return verdict if self.lang == "en" else self(f"verdict.{verdict}")

    def first(self, *keys: str, **fields: object) -> str:
        """Return the text of the first key that the table has; the last one must be there."""
        return self(next((key for key in keys if key in self._table), keys[-1]), **fields)

    def or_name(self, key: str, name: str) -> str:
        """Return the text of a key, or the name itself where the table has none."""
        return self._table.get(key, name)

    def every(self, items: Sequence[str]) -> str:
        """Return `a, b and c`."""
        if len(items) < 2:
            return "".join(items)
        return self("list.and", most=self("list.comma").join(items[:-1]), last=items[-1])

    def commas(self, items: Sequence[str]) -> str:
        """Return `a, b, c`."""
        return self("list.comma").join(items)


class _Shown:
    """A figure in a text: written by the text's own format where it is a number and the text has one."""

    def __init__(self, figure: Figure, words: Words) -> None:
        self._figure, self._words = figure, words

    def __format__(self, spec: str) -> str:
        number = isinstance(self._figure, int | float) and bool(spec)
        return format(self._figure, spec) if number else self._words.figure(self._figure)


class _Fields(dict[str, _Shown]):
    def __missing__(self, name: str) -> _Shown:
        return _Shown("?", Words("en"))
