"""The sheet that is signed, in a real browser: readable by everybody, nothing runs out of it, nothing is fetched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from browsing import axe, chromium, uri
from test_verdicts import ALL, NAME, _sheet

from iobench.report import sheet as pages

pytestmark = pytest.mark.slow


def test_the_sheet_is_sound_in_both_languages_wide_and_narrow(tmp_path: Path) -> None:
    sheet, campaign = _sheet(*ALL)
    sheet = dataclasses.replace(sheet, title="<img src=x onerror=\"document.title='taken'\">")
    with chromium() as browser:
        for lang in ("en", "ja"):
            (tmp_path / f"{lang}.html").write_text(pages.html(sheet, campaign, {NAME: {"model": "<b>"}}, lang))
            page = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
            page.set_default_timeout(180_000)
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(uri(tmp_path / f"{lang}.html"))
            assert axe(page) == [] and page.title() != "taken"
            for width in (1000, 390):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (lang, width)
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
