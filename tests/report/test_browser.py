"""The page in a real browser: nothing is fetched, nothing overlaps, keyboard and screen reader reach all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import OVERLAPS, PLANT, axe, chromium, opened, uri
from making import stored
from test_charts import CASES

from iobench import report
from iobench.model import Finding, Verdict
from iobench.report import canvas, captions, charts, svg
from iobench.report.fonts import FAMILY, woff
from iobench.texts import Words

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    folder = stored(root, rounds=2, loads=(1, 8), title="三台のドライブ & <b>")
    made = {lang: report.build([folder], root / lang, report.Options(("html",), lang))[-1] for lang in ("en", "ja")}
    hostile = stored(
        root / "hostile",
        names=("<script>document.title='taken'</script>", "\"'onmouseover=alert(1) x", "sas"),
        title="<img src=x onerror=\"document.title='taken'\">",
        command=["fio", "--x=</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"],
        found=[Finding("too-short", "<svg onload=alert(1)> 3 s\x1b[0m")],
        verdict=Verdict.SUSPECT,
        rounds=1,
        loads=(1, 64),
    )
    return made | {"hostile": report.build([hostile], root / "h", report.Options(("html",)))[-1]}


def open_all(page: Any) -> None:
    """Open every part, and a step of each workload."""
    page.evaluate("document.querySelectorAll('details:not([data-i])').forEach((part) => { part.open = true; })")
    page.evaluate("document.querySelectorAll('.group > details:nth-of-type(1)').forEach((s) => { s.open = true; })")
    page.wait_for_selector(".inside dl")


@pytest.mark.parametrize(("lang", "scheme"), [("ja", "dark"), ("hostile", "light")])
def test_axe_finds_nothing_and_nothing_leaves_the_page(
    lang: str, scheme: str, browser: Any, pages: dict[str, Path]
) -> None:
    page = opened(browser, pages[lang], scheme=scheme)
    open_all(page)
    assert [url for url in page.asked if not url.startswith("data:font/woff")] == [uri(pages[lang])]
    assert page.said == [], "no error, no dialog, nothing that the page's own policy had to refuse"
    assert "taken" not in page.title().replace("document.title='taken'", "")
    assert axe(page) == []
    page.context.close()


def test_axe_would_find_something(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"])
    page.evaluate("document.querySelector('figure').insertAdjacentHTML('beforeend', '<button></button>')")
    assert any(found.startswith("button-name") for found in axe(page))
    page.context.close()


@pytest.mark.parametrize("width", [1100, 390])
def test_no_text_overlaps_and_the_page_does_not_scroll_sideways(
    width: int, browser: Any, pages: dict[str, Path]
) -> None:
    """With what a step opens to; test_everything has both languages."""
    page = opened(browser, pages["ja"], width=width)
    open_all(page)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width > 500:
        page.evaluate(PLANT)
        found = page.evaluate(OVERLAPS)
        assert any("over the edge: planted" in each for each in found)
        assert any(each.endswith(" | planted" + "x" * 200) for each in found)
    page.context.close()


def test_every_kind_of_chart_in_every_frame(browser: Any, tmp_path: Path) -> None:
    """Long names, five drives, unsound points, gaps: as a reader's browser sets them."""
    parts = []
    for lang in ("en", "ja"):
        words = Words(lang)
        for case in CASES.values():
            for chart in charts.charts(case, words):
                for frame in (canvas.PAGE, canvas.PHONE):
                    drawn = svg.svg(chart.spec, frame, captions.alt_text(chart.spec, words))
                    parts.append(f'<div style="width:{frame.width}px">{drawn}</div>')
    import base64

    text = "".join(parts)
    faces = "".join(
        f"@font-face {{font-family: '{FAMILY}'; font-weight: {700 if bold else 400}; "
        f"src: url(data:font/woff;base64,{base64.b64encode(woff(text, bold)).decode()})}}"
        for bold in (False, True)
    )
    path = tmp_path / "all.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><style>{faces}</style>{text}", encoding="utf-8")
    page = opened(browser, path)
    page.evaluate("document.fonts.load('16px \"" + FAMILY + "\"')")
    assert page.locator("svg").count() == len(parts) > 80
    assert page.evaluate(OVERLAPS) == []
    page.context.close()


def test_a_chart_and_a_table_by_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"])
    first = page.locator("figure .wide svg .tip").first
    first.focus()
    assert page.locator("#bubble").is_visible()
    assert "iodrive · 498 MB/s" in page.locator("#bubble").inner_text()
    page.keyboard.press("ArrowRight")
    assert "ssd · " in page.locator("#bubble").inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("ssd · ")
    page.keyboard.press("Escape")
    assert not page.locator("#bubble").is_visible()
    tabbed = page.evaluate(
        "[...document.querySelectorAll('figure .wide svg')].map((s) => s.querySelectorAll('[tabindex=\"0\"]').length)"
    )
    assert set(tabbed) == {1}, "a chart is one stop"
    table = page.locator("figure table").first
    table.locator("thead button").nth(1).focus()
    names = lambda: [cell.split(" ")[0] for cell in table.locator("tbody td:first-child").all_inner_texts()]  # noqa: E731
    page.keyboard.press("Enter")
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "ascending" and names() == ["sas", "ssd", "iodrive"]
    page.keyboard.press("Enter")
    assert names() == ["iodrive", "ssd", "sas"]
    page.context.close()


def test_a_tip_under_the_pointer(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["ja"])
    page.locator("figure .wide svg .tip").nth(4).hover()
    assert page.locator("#bubble").is_visible() and "IOPS" in page.locator("#bubble").inner_text()
    page.context.close()


def test_a_step_opens_to_its_evidence(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"])
    group = page.locator("details.group").nth(1)
    group.locator("> summary").click()
    step = group.locator("details[data-i]").nth(2)
    step.locator("summary").click()
    inside = step.locator(".inside")
    inside.locator("dl").wait_for()
    said = inside.inner_text()
    assert "fio --name=x" in said and "Device's bytes, read / written" in said
    drive = step.locator("summary span").first.inner_text()
    number = next(i for i, name in enumerate(("iodrive", "ssd", "sas")) if name in drive)
    assert f"-t{number}" in said, "it is this step's own"
    assert inside.locator("svg path").count() == 1
    page.context.close()


def test_it_prints(browser: Any, pages: dict[str, Path]) -> None:
    page = opened(browser, pages["en"], scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 26, 26)", "ink on paper, also at night"
    assert not page.locator("nav").is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.context.close()
