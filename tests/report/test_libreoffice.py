"""The deck as LibreOffice draws it, in both languages: no words over each other, every text within its own box."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paper
import pytest
from pptx import Presentation
from pptx.util import Pt

from iobench import proc
from iobench.report import fonts
from iobench.texts import LANGUAGES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("soffice") is None, reason="no LibreOffice (TESTS=1 scripts/packages.sh)"),
]
SPARE = 3.0  # points

# A machine need have no Japanese font: the one that ships stands in for Yu Gothic, and for Arial where nothing does.
FONTS = f"""<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{fonts.path().parent}</dir>
<alias binding="strong"><family>Yu Gothic</family><prefer><family>{fonts.FAMILY}</family></prefer></alias>
<alias><family>Arial</family><accept><family>{fonts.FAMILY}</family></accept></alias>
</fontconfig>"""


@pytest.fixture(scope="module")
def drawn(whole_decks: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[paper.Page]]:
    """The slides in each language as pages, drawn by one LibreOffice."""
    out = tmp_path_factory.mktemp("drawn")
    (out / "fonts.conf").write_text(FONTS, encoding="utf-8")
    decks = [shutil.copy(whole_decks[lang], out / f"{lang}.pptx") for lang in LANGUAGES]
    argv = ["soffice", f"-env:UserInstallation=file://{out}/lo", "--headless", "--convert-to", "pdf"]
    argv = ["env", f"FONTCONFIG_FILE={out}/fonts.conf", *argv, "--outdir", str(out), *map(str, decks)]
    proc.capture(argv, timeout_s=300)
    return {lang: paper.pages_of(out / f"{lang}.pdf") for lang in LANGUAGES}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_words_lie_over_each_other(lang: str, drawn: Mapping[str, list[paper.Page]]) -> None:
    for number, page in enumerate(drawn[lang], 1):
        assert paper.colliding(page) == [], number
        assert paper.over_the_edge(page, 0) == [], number


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_text_is_within_its_box(
    lang: str, drawn: Mapping[str, list[paper.Page]], whole_decks: Mapping[str, Path]
) -> None:
    deck = Presentation(str(whole_decks[lang]))
    assert len(drawn[lang]) == len(deck.slides) > 20
    for number, (slide, page) in enumerate(zip(deck.slides, drawn[lang], strict=True), 1):
        assert overflowing(slide, page) == [], number


def test_a_text_that_is_too_long_is_found(
    drawn: Mapping[str, list[paper.Page]], whole_decks: Mapping[str, Path]
) -> None:
    slide = Presentation(str(whole_decks["en"])).slides[1]
    for shape in slide.shapes:
        if shape.has_text_frame:
            shape.height = Pt(3)
    assert len(overflowing(slide, drawn["en"][1])) > 3


def overflowing(slide: Any, page: paper.Page) -> list[str]:
    """The texts of which the words in their box are not just their own."""
    found = []
    for shape in slide.shapes:
        if not shape.has_text_frame or not shape.text_frame.text.strip():
            continue
        left, top = shape.left / Pt(1), shape.top / Pt(1)
        right, bottom = left + shape.width / Pt(1), top + shape.height / Pt(1)
        inside = [
            word
            for word in page.words
            if left - SPARE <= word.left and word.right <= right + SPARE
            if top - SPARE <= word.top and word.bottom <= bottom + SPARE
        ]
        if Counter("".join(word.text for word in inside)) != Counter("".join(shape.text_frame.text.split())):
            found.append(shape.text_frame.text)
    return found
