"""One large page with all that a report can show (searches, outages, cost, campaigns) in a browser and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import everything
import paper
import pytest
from browsing import CLASHES, MARKED, MARKS, OVERLAPS, SAID, axe, chromium, opened, uri

from iobench import report
from iobench.results import CampaignFolder
from iobench.texts import LANGUAGES

pytestmark = pytest.mark.slow


# The commands, and two workloads' steps: three hundred would be looked at for long, and are all alike.
OPEN = """() => [...document.querySelectorAll(".card details"), ...[...document.querySelectorAll(".group")].slice(0, 2)]
  .forEach((part) => { part.open = true; })"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(kept: tuple[Path, list[CampaignFolder]]) -> dict[str, Path]:
    root, folders = kept
    return {
        lang: report.build(folders, root / f"page-{lang}", everything.options(root, ("html",), lang))[-1]
        for lang in LANGUAGES
    }


def test_it_has_all_that_is_looked_at(pages: dict[str, Path]) -> None:
    page = pages["en"].read_text(encoding="utf-8")
    for part in ("capacity-1", "kvs-recovery", "seq-read-throughput-per-price", "published", "unsound"):
        assert f'id="{part}"' in page, part
    assert "iodrive (lot B)" in page and "search B" in page and "not reproduced" in page


def test_axe_finds_nothing(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"], scheme="dark", width=1280)
    page.evaluate(OPEN)
    assert axe(page) == []
    page.context.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_overlaps_on_a_laptop_and_a_phone(lang: str, browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages[lang], width=1280)
    page.evaluate(OPEN)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if width == 390:
            page.wait_for_selector(".narrow:empty", state="detached")
        assert page.evaluate(OVERLAPS) == [], width
        assert page.evaluate(CLASHES) == [], width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    assert [url for url in page.asked if not url.startswith("data:font/woff")] == [uri(pages[lang])]
    assert page.said == []
    page.context.close()


def test_a_planted_clash_is_found(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"], width=1280)
    page.evaluate("document.querySelector('#method li').style.marginBottom = '-1.2rem'")
    assert any("|" in found for found in page.evaluate(CLASHES))
    page.evaluate("document.querySelector('h1').style.marginLeft = '-30rem'")
    assert any("over the edge" in found for found in page.evaluate(CLASHES))
    page.context.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_on_paper_nothing_overlaps_is_cut_or_stands_alone(
    lang: str, browser: Any, pages: dict[str, Path], tmp_path: Path
) -> None:
    page = opened(browser, pages[lang], width=1280)
    page.evaluate(OPEN)
    page.evaluate(MARKED)
    page.emulate_media(media="print")
    said = page.evaluate(SAID)
    printed = _printed(page, tmp_path / "page.pdf")
    assert len(printed) > 20
    for number, sheet in enumerate(printed, 1):
        assert paper.colliding(sheet) == [], number
        assert paper.over_the_edge(sheet, paper.MARGIN) == [], number
        assert paper.alone(sheet, MARKS) == [], number
    assert paper.lost(printed, said) == {}
    page.context.close()


def test_what_is_planted_on_paper_is_found(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    page = opened(browser, pages["en"], width=1280)
    page.evaluate("document.querySelectorAll('section:not(#method, #repeat)').forEach((part) => part.remove())")
    page.evaluate(MARKED)
    page.emulate_media(media="print")
    said = page.evaluate(SAID)
    sound = _printed(page, tmp_path / "sound.pdf")
    assert not any(paper.alone(sheet, MARKS) or paper.colliding(sheet) for sheet in sound)
    page.evaluate("document.querySelector('#method h2').style.breakAfter = 'page'")
    page.evaluate("document.querySelector('#method li').style.marginBottom = '-1.2rem'")
    page.evaluate("document.querySelector('#method li').style.marginLeft = '-4rem'")
    page.evaluate("Object.assign(document.querySelector('#repeat').style, { position: 'relative', left: '-200rem' })")
    printed = _printed(page, tmp_path / "page.pdf")
    assert any(paper.alone(sheet, MARKS) for sheet in printed)
    assert any(paper.colliding(sheet) for sheet in printed)
    assert any(paper.over_the_edge(sheet, paper.MARGIN) for sheet in printed)
    assert sum(paper.lost(printed, said).values()) > 100
    page.context.close()


def _printed(page: Any, path: Path) -> list[paper.Page]:
    page.pdf(path=str(path), prefer_css_page_size=True)
    return paper.pages_of(path)
