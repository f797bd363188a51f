"""The recovery curve from a real outage, and charts along the rate that was offered."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import boxes
import everything
import inked
import pytest
from pptx import Presentation
from pptx.enum.chart import XL_CHART_TYPE
from stored import Measured, make_campaign

from iobench.analysis.compare import compare
from iobench.model import Verdict
from iobench.report import charts, draw, outage, slides, tables
from iobench.report.canvas import PHONE
from iobench.report.captions import alt_text
from iobench.report.content import Content
from iobench.report.spec import Across, ChartKind
from iobench.results import CampaignFolder
from iobench.texts import LANGUAGES, Words

FIXTURES = Path(__file__).parent.parent / "fixtures" / "kvs-1"


@pytest.fixture
def killed(tmp_path: Path) -> CampaignFolder:
    return everything.killed(tmp_path)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_curve_of_a_real_outage(killed: CampaignFolder, lang: str) -> None:
    words = Words(lang)
    (chart,) = outage.charts([killed], compare([killed], None), words)
    spec = chart.spec
    assert (spec.across, spec.kind, spec.id) == (Across.TIME, ChartKind.LINE, "kvs-recovery")
    assert spec.loads[0] < 0 < spec.loads[-1], "seconds from the failure, before and after"
    assert "4,574" in spec.title and "1." in spec.title, "how many keys were lost, how long it did not answer"
    (began, first), (restored, second) = spec.moments
    assert (began, first, second) == (0, words("outage.began"), words("outage.restored"))
    assert 900 < restored < 1200
    points = {p.load: p.value for p in spec.series[0].points}
    assert max(points[at] for at in points if at < -100) > 500
    assert all(points[at] == 0 for at in points if 200 <= at <= 800), "nothing was answered"
    assert {p.repeats for p in spec.series[0].points} == {2}
    assert "lost-data" in spec.series[0].marks[0]
    assert draw.png(spec)[:4] == b"\x89PNG"
    assert len(alt_text(spec, words)) < 600


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_slide_has_a_line_where_the_outage_began_and_where_it_ended(killed: CampaignFolder, lang: str) -> None:
    words, comparison = Words(lang), compare([killed], None)
    (chart,) = outage.charts([killed], comparison, words)
    deck = Presentation(io.BytesIO(slides.deck(Content([killed], comparison, words))))
    frames = [shape for slide in deck.slides for shape in slide.shapes if shape.has_chart]
    (frame,) = (f for f in frames if f.chart.chart_type is XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS)
    series = {each.name: each for each in frame.chart.plots[0].series}
    assert len(series["sas"].values) == len(chart.spec.loads)
    for at, text in chart.spec.moments:
        xs = [float(v.text) for v in series[text]._element.findall(".//{*}xVal//{*}v")]
        assert xs == [at / 1000, at / 1000], "a line that stands upright"
        assert series[text].points[1].data_label.text_frame.text == text
    assert series["sas"]._element.find("{*}errBars") is not None, "the spread is on it"
    dashes = {name: [d.get("val") for d in s._element.findall("{*}spPr//{*}prstDash")] for name, s in series.items()}
    assert dashes.pop("sas") == ["sysDash"], "what is invalid is no whole line"
    assert set(map(tuple, dashes.values())) == {("dash",)}, "and no moment"
    for slide in deck.slides:
        assert boxes.overlapping(slide) == [] and boxes.cut_off(deck, slide) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_happened_is_named_beside_its_own_line_on_a_phone(killed: CampaignFolder, lang: str) -> None:
    words = Words(lang)
    (chart,) = outage.charts([killed], compare([killed], None), words)
    (_, first), (_, second) = chart.spec.moments
    with draw.style():
        boxes_ = dict(inked.texts_of(draw.draw(chart.spec, PHONE).figure))
    # Each line stands between its name and the other's.
    assert boxes_[second].x0 - boxes_[first].x1 > boxes_[first].height / 2


def test_the_curve_as_csv(killed: CampaignFolder) -> None:
    comparison = compare([killed], None)
    (chart,) = outage.charts([killed], comparison, Words("en"))
    rows = list(csv.DictReader(io.StringIO(tables.chart_csv(comparison, chart))))
    assert len(rows) == len(chart.spec.loads)
    assert float(rows[0]["t_s"]) == pytest.approx(chart.spec.loads[0] / 1000)
    assert all(float(row["least"]) <= float(row["median"]) <= float(row["most"]) for row in rows)


def test_a_campaign_without_an_outage_has_no_curve(tmp_path: Path) -> None:
    folder = make_campaign(tmp_path, Measured("sas", {"hits": (1.0, 2.0)}, "kvs", "get"))
    assert outage.charts([folder], compare([folder], None), Words("en")) == []


def test_several_rates_make_one_line(tmp_path: Path) -> None:
    works = [
        Measured("sas", {"hits": (0.99 * rate, rate)}, "kvs", "get", load=64, rate=rate)
        for rate in (1000.0, 4000.0, 16000.0)
    ]
    folder = make_campaign(tmp_path, *works)
    (chart,) = charts.charts(compare([folder], None), Words("en"))
    assert (chart.spec.across, chart.spec.kind, chart.spec.loads) == (Across.RATE, ChartKind.LINE, (1000, 4000, 16000))
    assert chart.spec.x_axis == "requests offered per second"
    assert "offered" not in chart.spec.subtitle, "it is along the chart"
    assert draw.png(chart.spec)[:4] == b"\x89PNG"


def test_one_rate_over_loads_is_a_line_along_the_loads(tmp_path: Path) -> None:
    works = [Measured("sas", {"hits": (9.0, 9.5)}, "kvs", "get", load=load, rate=10.0) for load in (1, 8)]
    works.append(dataclasses.replace(works[0], rate=None))
    folder = make_campaign(tmp_path, *works)
    made = {c.spec.across: c.spec for c in charts.charts(compare([folder], None), Words("en")) if len(c.rows) > 1}
    assert made[Across.LOAD].loads == (1, 8)


def test_the_line_of_a_sound_outage_is_whole(killed: CampaignFolder) -> None:
    comparison = compare([killed], None)
    rows = tuple(
        dataclasses.replace(
            row, targets={name: dataclasses.replace(e, verdict=Verdict.VALID) for name, e in row.targets.items()}
        )
        for row in comparison.rows
    )
    content = Content([killed], dataclasses.replace(comparison, rows=rows), Words("en"))
    deck = Presentation(io.BytesIO(slides.deck(content)))
    charts_ = [shape.chart for slide in deck.slides for shape in slide.shapes if shape.has_chart]
    (chart,) = (c for c in charts_ if c.chart_type is XL_CHART_TYPE.XY_SCATTER_LINES_NO_MARKERS)
    (own,) = (series for series in chart.plots[0].series if series.name == "sas")
    assert own._element.find("{*}spPr//{*}prstDash") is None
