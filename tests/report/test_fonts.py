"""The fonts that ship: what they hold, that pictures are drawn in them, and cutting them for a page."""

import io
from pathlib import Path

import inked
import pytest
from fontTools.ttLib import TTFont
from making import usual

from iobench.report import canvas, charts, draw, fonts
from iobench.texts import TEXTS, Words


@pytest.mark.parametrize("bold", [False, True])
def test_every_sign_of_the_texts_is_in_the_font(bold: bool) -> None:
    said = {sign for table in TEXTS.values() for text in table.values() for sign in text}
    # The superscripts of 10⁶ are in no font of Japanese; no chart or slide says them.
    assert {s for s in said if ord(s) not in fonts.signs(bold)} <= set("⁶⁰")


def test_jis_x_0208_and_the_extensions_are_there() -> None:
    wanted = "亜腕弌熙ぁんァヶ①Ⅷ㎜㈱髙﨑丨彅黑"
    assert all(ord(sign) in fonts.signs() for sign in wanted)
    assert len(fonts.signs()) > 7000


def test_the_files_are_small_and_the_licence_lies_beside() -> None:
    for bold in (False, True):
        assert fonts.path(bold).stat().st_size < 1_800_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in fonts.path().with_name("OFL.txt").read_text(encoding="utf-8")


def test_the_multiplication_sign_is_no_wider_than_a_letter() -> None:
    for bold in (False, True):
        with TTFont(fonts.path(bold)) as font:
            assert font["hmtx"][font.getBestCmap()[ord("×")]][0] < 650


def test_a_page_gets_only_the_signs_it_uses() -> None:
    cut = fonts.woff("3.4倍 速い")
    with TTFont(io.BytesIO(cut)) as font:
        assert set(map(chr, font.getBestCmap())) == set("3.4倍 速い")
    assert len(cut) < 6000
    assert cut == fonts.woff("速い 3.4倍")


def test_japanese_is_drawn_in_our_font_though_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sign's font is the file that ships, with every font of the system struck off matplotlib's list."""
    from matplotlib.font_manager import FontProperties, fontManager

    own = [f for f in fontManager.ttflist if "matplotlib" in f.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)
    canvas.families.cache_clear()
    try:
        assert canvas.families() == (fonts.FAMILY, "DejaVu Sans")
        for bold in (False, True):
            weight = "bold" if bold else "normal"
            found = fontManager.findfont(FontProperties(family=fonts.FAMILY, weight=weight), fallback_to_default=False)
            assert Path(found) == fonts.path(bold)
        spec = charts.charts(usual(), Words("ja"))[0].spec
        assert canvas.without_glyphs(spec.title + spec.subtitle + "".join(spec.footnotes)) == ""
        with draw.style():
            drawn = draw.draw(spec, canvas.SLIDE)
            assert inked.overlapping(drawn.figure) == []
            assert inked.cut_off(drawn.figure) == []
    finally:
        canvas.families.cache_clear()
