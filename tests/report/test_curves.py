"""Curves of latency against throughput: what is on them, in both languages, on a slide, a page and a phone."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boxes
import everything
import inked
import pytest
from pptx import Presentation
from stored import Measured, make_campaign

from iobench import report
from iobench.analysis import loadpoints
from iobench.analysis.capacity import Asked
from iobench.analysis.compare import compare
from iobench.analysis.slo import parse
from iobench.report import charts, curves, draw, html, slides
from iobench.report.canvas import PAGE, PHONE, SLIDE, Frame
from iobench.report.content import Content
from iobench.report.svg import svg
from iobench.results import CampaignFolder
from iobench.texts import LANGUAGES, Words

NAMES = ("iodrive", 'sas <script>alert("x")</script> & a long name that wraps')


@pytest.fixture
def folder(tmp_path: Path) -> CampaignFolder:
    """Two drives, one ten times as fast, each with its closed loops and a search."""
    return everything.searched(tmp_path, dict(zip(NAMES, (10_000.0, 1_000.0), strict=True)))


def _specs(folder: CampaignFolder, words: Words) -> curves.CurveSpec:
    (results,) = curves.found([folder], compare([folder]))
    spec = curves.spec(results, compare([folder]), words)
    assert spec is not None
    return spec


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_curve_has_every_rate_the_limit_the_knee_and_what_held(folder: CampaignFolder, lang: str) -> None:
    spec = _specs(folder, Words(lang))
    assert [curve.drive for curve in spec.curves] == list(NAMES)
    assert spec.limit == 0.01
    for curve in spec.curves:
        assert len(curve.points) == 9, "the closed loops are no points of it"
        assert curve.best is not None and curve.best.held and curve.best.random
        assert curve.knee is not None and curve.knee.held
        assert {point.held for point in curve.points} == {True, False}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("frame", [SLIDE, PAGE, PHONE], ids=("slide", "page", "phone"))
def test_no_text_lies_on_another_or_is_cut_off(folder: CampaignFolder, lang: str, frame: Frame) -> None:
    spec = _specs(folder, Words(lang))
    with draw.style():
        figure = draw.draw(spec, frame).figure
        assert inked.overlapping(figure) == []
        assert inked.cut_off(figure) == []


def test_the_svg_is_sound_and_holds_names_as_text(folder: CampaignFolder) -> None:
    words = Words("en")
    spec = _specs(folder, words)
    text = svg(spec, PAGE, curves.alt_text(spec, words))
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    said = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert "limit 10.0 ms" in said and "holds 9,95" in said
    assert svg(spec, PAGE, curves.alt_text(spec, words)) == text, "the same bytes"


def test_many_rates_are_one_curve_and_no_chart_each(folder: CampaignFolder) -> None:
    comparison = compare([folder])
    assert all(row.rate is None for chart in charts.charts(comparison, Words("en")) for row in chart.rows)


def test_the_rates_that_were_searched_of_a_store_are_no_chart_each(tmp_path: Path) -> None:
    """Rates of kvs that were asked for are a line; those of a search are points of its curve."""
    figures = {"hits": [90.0], "latency_mean": [0.001], "latency_p99": [0.004]}
    steps = [Measured("d", figures, workload="kvs", op="get", load=64, rate=rate) for rate in (100.0, 150.0)]
    plain = make_campaign(tmp_path / "plain", *steps)
    made = make_campaign(tmp_path / "searched", *steps)
    director = Asked((parse("kvs p99<5ms", loadpoints.WORKLOADS),)).as_director()
    made.replan(dataclasses.replace(made.campaign(), director=director))
    words = Words("en")
    assert any(row.rate for chart in Content([plain], compare([plain]), words).charts for row in chart.rows)
    assert not any(row.rate for chart in Content([made], compare([made]), words).charts for row in chart.rows)


def test_the_page_says_what_was_found(folder: CampaignFolder) -> None:
    words = Words("ja")
    comparison = compare([folder])
    page = html.page(Content([folder], comparison, words))
    assert 'id="capacity-1"' in page and words("capacity.about") in page
    assert "<script>alert" not in page
    (results,) = curves.found([folder], comparison)
    assert len(curves.sentences(results, comparison, words)) == len(NAMES)
    assert curves.points_csv(results).count("\r\n") == 1 + 22


def test_a_name_that_is_a_formula_is_a_text_in_the_points(folder: CampaignFolder) -> None:
    ((result,),) = [found[:1] for found in curves.found([folder], compare([folder]))]
    assert ",'=1+1[2J," in curves.points_csv([dataclasses.replace(result, target="=1+1\x1b[2J")])


def test_a_campaign_without_a_search_has_no_curve(tmp_path: Path) -> None:
    folder = make_campaign(tmp_path, Measured("d", {"iops": [50.0]}, workload="rand-read", rate=50.0))
    assert curves.found([folder], compare([folder])) == []


def test_curves_count_in_the_progress(folder: CampaignFolder, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = report.build(
        [folder],
        tmp_path / "out",
        report.Options(("html", "png")),
        progress=lambda done, total: told.append((done, total)),
    )
    drawn = sum(path.suffix == ".png" for path in made)
    assert any("capacity" in path.name for path in made)
    assert told == [(done, 2 * drawn) for done in range(1, 2 * drawn + 1)]


# --- on a slide ------------------------------------------------------------------------------------------


def _deck(folder: CampaignFolder, lang: str) -> Any:
    return Presentation(io.BytesIO(slides.deck(Content([folder], compare([folder]), Words(lang)))))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_search_is_a_slide_with_a_native_chart_that_can_be_edited(folder: CampaignFolder, lang: str) -> None:
    spec, deck = _specs(folder, Words(lang)), _deck(folder, lang)
    slide = next(s for s in list(deck.slides)[1:] if any(shape.has_chart for shape in s.shapes))
    assert "".join(slide.shapes.title.text_frame.text.split()) == "".join(spec.title.split())
    (frame,) = (shape for shape in slide.shapes if shape.has_chart)
    drawn = {series.name: list(series.values) for series in frame.chart.plots[0].series}
    assert set(drawn[spec.limit_text]) == {10.0}, "the limit is a line, in the axis' unit"
    for curve in spec.curves:
        assert curve.best is not None
        assert drawn[curve.best_text] == [pytest.approx(curve.best.y * 1000)]
    assert frame.chart.part.chart_workbook.xlsx_part is not None
    assert all(name.split()[0] in frame._element.nvGraphicFramePr.cNvPr.get("descr") for name in NAMES)
    texts = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
    assert all(curve.best_text in texts for curve in spec.curves)
    for number, each in enumerate(deck.slides, 1):
        assert boxes.overlapping(each) == [] and boxes.cut_off(deck, each) == [], number


def test_the_title_says_what_each_drive_held(folder: CampaignFolder) -> None:
    title = _specs(folder, Words("en")).title
    assert title.startswith("Random read with p99 latency below 10.0 ms: iodrive ") and "sas" in title
    assert "9,95" in title


def test_the_same_search_gives_the_same_deck(folder: CampaignFolder) -> None:
    content = Content([folder], compare([folder]), Words("en"))
    assert slides.deck(content) == slides.deck(content)


def test_drives_far_apart_stand_on_a_logarithmic_axis_and_are_named_at_their_curves(folder: CampaignFolder) -> None:
    spec = _specs(folder, Words("en"))
    assert spec.x_log and "log" in spec.x_axis
    with draw.style():
        texts = [text for text, _ in inked.texts_of(draw.draw(spec, SLIDE).figure)]
    assert "iodrive" in texts and "holds 9,950 IOPS" in texts
    near = dataclasses.replace(spec, x_log=False)
    assert draw.png(near)[:4] == b"\x89PNG"
