"""Where words stand on the pages of a PDF, as pdftotext has them: what overlaps, is lost, or heads nothing."""

from __future__ import annotations

import html
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from iobench import proc

MARGIN = 14 / 25.4 * 72  # of a printed page at its sides, and FOOT at its end, as report.css has them
FOOT = 16 / 25.4 * 72
HANGING = 6.0  # a full stop at a line's end has an empty half that may hang over
# A font's box is higher than its signs: of that of Noto Sans CJK, the highest, so much is empty above and below.
INK = (0.43, 0.19)
_PAGE = re.compile(r'<page width="(.*?)" height="(.*?)">(.*?)</page>', re.DOTALL)
_WORD = re.compile(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</word>')


@dataclass(frozen=True)
class Word:
    """A word with its box in points, from the page's top left."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Page:
    width: float
    height: float
    words: tuple[Word, ...]


def pages_of(pdf: Path) -> list[Page]:
    """The pages of a PDF; the test is skipped where no pdftotext is."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine (TESTS=1 scripts/packages.sh installs it)")
    out = pdf.with_suffix(".words.html")
    proc.capture(["pdftotext", "-bbox", str(pdf), str(out)], timeout_s=60)
    return [
        Page(float(width), float(height), tuple(_words(inside)))
        for width, height, inside in _PAGE.findall(out.read_text(encoding="utf-8"))
    ]


def _words(inside: str) -> Iterator[Word]:
    for text, *box in ((found[4], *map(float, found[:4])) for found in _WORD.findall(inside)):
        left, top, right, bottom = box
        height = bottom - top
        yield Word(left, top + INK[0] * height, right, bottom - INK[1] * height, html.unescape(text))


def colliding(page: Page) -> list[tuple[str, str]]:
    """Words that are drawn over each other by more than a quarter of the smaller one."""
    found = []
    words = sorted(page.words, key=lambda word: word.top)
    for i, a in enumerate(words):
        for b in words[i + 1 :]:
            if b.top >= a.bottom:
                break
            wide, high = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - b.top
            least = min((w.right - w.left) * (w.bottom - w.top) for w in (a, b))
            if wide > 0 and high > 0 and wide * high > 0.25 * least:
                found.append((a.text, b.text))
    return found


def over_the_edge(page: Page, margin: float) -> list[str]:
    """Words that reach into the margin of a page, in points, at its left or right."""
    return [w.text for w in page.words if w.left < margin - 0.5 or w.right > page.width - margin + HANGING]


def lost(pages: Sequence[Page], said: str) -> dict[str, int]:
    """The signs of a text that no page has, and how many: what lies outside a page is not in its words."""
    there = Counter("".join(word.text for page in pages for word in page.words))
    return dict(Counter("".join(said.split())) - there)


def alone(page: Page, marks: tuple[str, str]) -> list[str]:
    """Headings, which begin and end in marks, that go on on another page, or under which nothing stands on theirs."""
    inside = [word for word in page.words if word.bottom < page.height - FOOT]
    begun, ended = ([word for word in inside if mark in word.text] for mark in marks)
    cut = [] if len(begun) == len(ended) else [f"{len(begun)} headings begin here, and {len(ended)} end"]
    read = [word for word in inside if word.text not in marks]
    return cut + [w.text for w in ended if not any(word.top >= w.bottom - 1 for word in read)]
