"""The deck: native charts, titles that say the finding, alternative texts, one theme, nothing that overlaps."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import boxes
import pytest
from lxml import etree
from making import comparison, drive, estimate, row, stored, usual
from pptx import Presentation
from pptx.util import Pt

from iobench import report
from iobench.analysis import claims
from iobench.analysis.types import Comparison
from iobench.model import Verdict
from iobench.report import published, slides
from iobench.report.content import Content
from iobench.report.slides import scatter, sheet
from iobench.texts import LANGUAGES, Words

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
NAMES = ("iodrive", "ssd", "sas")


def talk() -> Comparison:
    """All six charts of the talk, and one that is not of it."""
    rows = list(usual().rows)
    for load in (1, 4, 16):
        tops = {"iodrive": 1200 * load / (load + 3), "ssd": 700 * load / (load + 2), "sas": 340 * load / (load + 2)}
        rows.append(row("dbench", "throughput", {k: v * 3e5 for k, v in tops.items()}, load=load, op="all"))
        rows.append(row("oltp", "transactions", tops, load=load, op="all"))
        rows.append(row("oltp", "latency_p95", {k: load / v for k, v in tops.items()}, load=load, op="all"))
        rows.append(row("kvs", "hits", {k: v * 40 for k, v in tops.items()}, load=load, op="get"))
        rows.append(row("kvs", "latency_p99", {k: load / v / 40 for k, v in tops.items()}, load=load, op="get"))
    what = comparison([drive(name) for name in NAMES], rows)
    return replace(what, claims=claims.evaluate(claims.load("talk-2011"), what.rows, what.drives))


def made(tmp_path: Path, what: Comparison, lang: str = "en", **more: Any) -> Any:
    folder = stored(tmp_path / lang, rounds=2, loads=(1, 64))
    return Presentation(io.BytesIO(slides.deck(Content([folder], what, Words(lang), **more))))


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The talk's deck in each language, made once."""
    folder = stored(tmp_path_factory.mktemp("deck"), rounds=2, loads=(1, 64))
    return {lang: slides.deck(Content([folder], talk(), Words(lang))) for lang in LANGUAGES}


def opened(blob: bytes) -> Any:
    return Presentation(io.BytesIO(blob))


def charts_of(slide: Any) -> list[Any]:
    return [shape for shape in slide.shapes if shape.has_chart]


def titles(deck: Any) -> list[str]:
    return [slide.shapes.title.text_frame.text for slide in deck.slides]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_summary_first_then_a_slide_for_each_chart_of_the_talk(decks: dict[str, bytes], lang: str) -> None:
    deck = opened(decks[lang])
    assert deck.slide_width / deck.slide_height == pytest.approx(16 / 9)
    assert not charts_of(deck.slides[0]) and any(s.has_table for s in deck.slides[0].shapes)
    words = Words(lang)
    order = ["seq-read", "dd-write", "dbench", "oltp", "rand-read", "kvs"]
    for slide, workload in zip(list(deck.slides)[1:7], order, strict=True):
        texts = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
        assert words(f"workload.{workload}") in texts
        assert charts_of(slide)
    assert len(charts_of(deck.slides[4])) == 2 and len(charts_of(deck.slides[5])) == 2  # a rate and its latency
    assert all(titles(deck))
    # Sequential write is no chart of the talk: it comes after them.
    assert words("workload.seq-write") in " ".join(s.text_frame.text for s in deck.slides[7].shapes if s.has_text_frame)


def test_titles_say_the_finding_and_notes_hold_the_commands(decks: dict[str, bytes]) -> None:
    deck = opened(decks["en"])
    assert titles(deck)[1] == "iodrive reads 3.4 times as fast as sas"
    notes = deck.slides[1].notes_slide.notes_text_frame.text
    assert "fio --name=x" in notes and "95 % interval" in notes and "median of 5 rounds" in notes
    foot = " ".join(s.text_frame.text for s in deck.slides[1].shapes if s.has_text_frame)
    assert "median of 5 rounds" in foot and "SHA-256" in foot


def test_the_summary_of_many_drives_has_the_baseline_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    names = [*"abcdefgh", "sas"]
    rows = [row("seq-read", "throughput", {n: 5e8 / (i + 1) for i, n in enumerate(names)})]
    slide = made(tmp_path, comparison([drive(name) for name in names], rows)).slides[0]
    (table,) = (s.table for s in slide.shapes if s.has_table)
    heads = [cell.text_frame.text for cell in table.rows[0].cells]
    assert heads == ["Measured", *"abcde", "sas (baseline)"]
    assert any("drives that are on the charts only: 3" in s.text_frame.text for s in slide.shapes if s.has_text_frame)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_word_stands_alone_on_the_second_line_of_a_title(lang: str) -> None:
    title = {
        "en": "iodrive (after the update) reads 3.4 times as fast as sas (before) (emulated)",
        "ja": "シーケンシャルライト：sas (B)（エミュレーション）が sas (A)（エミュレーション）の 1.20倍",
    }[lang]
    first, second = (run.text for run in sheet._title(title))
    assert max(map(len, (first, second))) < 0.7 * len(title)
    whole = "（エミュレーション）" if lang == "ja" else "sas (before) (emulated)"
    assert first.count(whole) + second.count(whole) == title.count(whole)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_chart_and_table_has_an_alternative_text(decks: dict[str, bytes], lang: str) -> None:
    deck = opened(decks[lang])
    frames = [s for slide in deck.slides for s in slide.shapes if s.has_chart or s.has_table]
    assert len(frames) > 12
    for frame in frames:
        said = frame._element.nvGraphicFramePr.cNvPr.get("descr")
        assert said
        if frame.has_chart:
            assert all(name in said for name in NAMES)


def test_emulated_drives_are_called_so_on_every_slide_with_a_chart(decks: dict[str, bytes]) -> None:
    for slide in opened(decks["en"]).slides:
        if charts_of(slide):
            assert any("emulated" in s.text_frame.text for s in slide.shapes if s.has_text_frame)


def test_charts_are_native_with_error_bars_from_the_intervals(decks: dict[str, bytes]) -> None:
    deck = opened(decks["en"])
    for slide in deck.slides:
        for shape in charts_of(slide):
            part = shape.chart.part
            assert part.chart_workbook.xlsx_part is not None
            for series in part._element.iter(f"{C}ser"):
                tags = [child.tag for child in series]
                if f"{C}errBars" in tags:
                    assert tags.index(f"{C}errBars") < tags.index(f"{C}cat")
    bars = charts_of(deck.slides[1])[0].chart.part._element
    plus = [float(v.text) for v in bars.find(f".//{C}errBars/{C}plus").iter(f"{C}v")]
    assert plus == pytest.approx([15, 7.5, 4.44])  # MB/s: 3 % of each
    formula = bars.find(f".//{C}errBars/{C}plus/{C}numRef/{C}f").text
    with zipfile.ZipFile(io.BytesIO(charts_of(deck.slides[1])[0].chart.part.chart_workbook.xlsx_part.blob)) as book:
        cells = etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    column = re.fullmatch(r"Sheet1!\$([A-Z]+)\$2:\$([A-Z]+)\$4", formula)
    assert column is not None
    values = {c.get("r"): c.findtext("{*}v") for c in cells.iter("{*}c")}
    assert [float(values[f"{column[1]}{i}"]) for i in (2, 3, 4)] == pytest.approx(plus)


def test_the_figures_in_a_chart_are_those_that_were_measured(decks: dict[str, bytes]) -> None:
    chart = charts_of(opened(decks["en"]).slides[1])[0].chart
    assert list(chart.plots[0].series[0].values) == pytest.approx([500, 250, 148])
    names = [str(c).split("\n")[0] for c in chart.plots[0].categories]
    assert names == list(NAMES)
    colors = [chart.plots[0].series[0].points[i].format.fill.fore_color.rgb for i in range(3)]
    assert [str(c) for c in colors] == ["0072B2", "E69F00", "009E73"]


def test_the_package_is_what_a_strict_reader_asks_for(decks: dict[str, bytes]) -> None:
    """What PowerPoint repairs, or the schema forbids, and what the template would say of somebody else's file."""
    with zipfile.ZipFile(io.BytesIO(decks["en"])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert not [name for name in parts if "printerSettings" in name or "thumbnail" in name]
    assert b"Microsoft" not in parts["docProps/app.xml"] and b"iobench" in parts["docProps/app.xml"]
    top = etree.fromstring(parts["ppt/presentation.xml"])
    assert [etree.QName(child).localname for child in top][:4] == [
        *("sldMasterIdLst", "notesMasterIdLst", "sldIdLst", "sldSz")
    ]
    assert top.find("{*}sldSz").get("type") is None, "the template's is 4:3"
    types = {each.get("PartName") or each.get("Extension") for each in etree.fromstring(parts["[Content_Types].xml"])}
    for name, blob in parts.items():
        assert f"/{name}" in types or name.rpartition(".")[2] in types or name == "[Content_Types].xml", name
        if name.startswith("ppt/slides/slide"):
            ids = [each.get("id") for each in etree.fromstring(blob).iter("{*}cNvPr")]
            assert len(ids) == len(set(ids)) and "0" not in ids, name
        if name.startswith("ppt/charts/chart"):
            axes = [int(each.get("val")) for each in etree.fromstring(blob).iter(f"{C}axId", f"{C}crossAx")]
            assert axes and all(0 <= axis < 2**31 for axis in axes), name
        if name.endswith(".rels"):
            rels = list(etree.fromstring(blob))
            assert len({rel.get("Id") for rel in rels}) == len(rels), name
            assert not [rel for rel in rels if rel.get("TargetMode") == "External"], name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_fonts_stand_in_the_theme_once(decks: dict[str, bytes], lang: str) -> None:
    with zipfile.ZipFile(io.BytesIO(decks[lang])) as archive:
        themes = [n for n in archive.namelist() if n.startswith("ppt/theme/")]
        assert len(themes) == 2  # slides, notes
        for name in themes:
            root = etree.fromstring(archive.read(name))
            for kind in ("majorFont", "minorFont"):
                font = root.find(f".//{A}{kind}")
                assert font.find(f"{A}latin").get("typeface") == "Arial"
                assert font.find(f"{A}ea").get("typeface") == "Yu Gothic"
        slide = archive.read("ppt/slides/slide2.xml").decode()
    assert f'lang="{"ja-JP" if lang == "ja" else "en-US"}"' in slide
    assert "<a:latin" not in slide and "<a:ea" not in slide


def test_what_is_not_valid_is_hatched_and_named_and_has_no_ratio(tmp_path: Path) -> None:
    figures = {
        "iodrive": estimate(5e8, verdict=Verdict.INVALID, reasons=("page-cache",)),
        "ssd": estimate(2.5e8, verdict=Verdict.SUSPECT, reasons=("background-io",)),
        "sas": estimate(1.48e8),
    }
    what = comparison([drive(name) for name in NAMES], [row("seq-read", "throughput", figures)])
    slide = made(tmp_path, what).slides[1]
    element = charts_of(slide)[0].chart.part._element
    assert len(element.findall(f".//{A}pattFill")) == 2
    labels = " ".join(t.text or "" for t in element.iter(f"{A}t"))
    assert "1.69×" in labels and "3.4×" not in labels
    said = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
    assert "invalid: page-cache" in said and "background-io" in said


def hard(lang: str) -> Comparison:
    """Long names, eight drives, lines that end close to each other, marks, a bar next to nothing."""
    names = (
        "非常に長い名前のドライブ 一号機",
        "Samsung MZ7WD240HAFV-00003 SATA 240 GB",
        "sas",
        "a",
        "b",
        "c",
        "d",
        "e",
    )
    rows = [row("seq-read", "throughput", {n: 5e8 / (i * i + 1) for i, n in enumerate(names)})]
    rows.append(row("seq-write", "throughput", {names[0]: 3e9, "sas": 4e5}))
    marked = estimate(7e3, verdict=Verdict.SUSPECT, reasons=("depth-not-reached", "background-io"))
    for load in (1, 2, 4, 8, 16, 32, 64):
        close = {n: 4e4 + 100 * i for i, n in enumerate(names)}
        rows.append(row("rand-read", "iops", {**close, "b": marked}, load=load))
        rows.append(row("rand-read", "latency_p99", {n: 1e-3 + 1e-5 * i for i, n in enumerate(names)}, load=load))
    return comparison([drive(name, emulated=i % 2 == 0) for i, name in enumerate(names)], rows)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", ["talk", "hard"])
def test_nothing_overlaps_and_nothing_is_cut_off(tmp_path: Path, lang: str, kind: str) -> None:
    deck = made(tmp_path, talk() if kind == "talk" else hard(lang), lang, published=published.load("2011"))
    for number, slide in enumerate(deck.slides, 1):
        assert boxes.overlapping(slide) == [], number
        assert boxes.cut_off(deck, slide) == [], number


def test_a_planted_overlap_and_a_planted_cut_are_found(decks: dict[str, bytes]) -> None:
    deck = opened(decks["en"])
    slide = deck.slides[1]
    box = slide.shapes.add_textbox(Pt(100), Pt(200), Pt(80), Pt(14))
    box.text_frame.word_wrap = True
    box.text_frame.text = "planted over the chart, and far too long for its box"
    assert any("planted" in b for _, b in boxes.overlapping(slide))
    assert any("planted" in text for text in boxes.cut_off(deck, slide))


def test_published_figures_stand_apart_and_only_when_asked_for(tmp_path: Path, decks: dict[str, bytes]) -> None:
    said = "figures that others published"
    assert not any(said in title for title in titles(opened(decks["en"])))
    deck = made(tmp_path / "b", talk(), published=published.load("2011"))
    slide = next(s for s in deck.slides if said in s.shapes.title.text_frame.text)
    texts = " ".join(s.text_frame.text for s in slide.shapes if s.has_text_frame)
    assert "Not measured here" in texts


def test_claims_are_told_in_japanese(decks: dict[str, bytes]) -> None:
    deck = opened(decks["ja"])
    slide = next(s for s in deck.slides if "講演の主張" in s.shapes.title.text_frame.text)
    table = next(s.table for s in slide.shapes if s.has_table)
    cells = [[cell.text_frame.text for cell in row.cells] for row in table.rows]
    assert cells[1][0] == "ioDrive のシーケンシャルリードは約 500 MB/s"
    assert cells[1][1] == "再現した" and "エミュレーションの設定値" in cells[1][2]


def test_a_redacted_deck_names_no_path(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=2, loads=(1,), command=("fio", "--filename=/mnt/x/data"))
    for redact in (False, True):
        (path,) = report.build([folder], tmp_path / str(redact), report.Options(("pptx",), redact=redact))
        with zipfile.ZipFile(path) as archive:
            told = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".xml"))
        assert (b"/mnt/x" in told) is not redact


@pytest.mark.parametrize(
    ("first", "step", "of_one"), [(0.0, 500.0, "0"), (100.0, 100.0, "0"), (0.0, 2.5, "0.0"), (0.5, 0.5, "0.0")]
)
def test_ticks_of_parts_are_not_rounded_to_whole_numbers(first: float, step: float, of_one: str) -> None:
    assert of_one in scatter.ticks_as(first, step).replace("[>=1]", "").split(";")


def test_hostile_names_are_text_in_the_deck_and_its_workbooks(tmp_path: Path) -> None:
    names = ('=HYPERLINK("http://x")', "<script>\x1b[31m\u202e&", "http://evil/")
    argv = ["fio", "</a:t>\x1b]0;x\x07"]
    folder = stored(tmp_path, names=names, title="<b>=1+1\x07", command=argv, rounds=1, loads=(1, 8))
    (path,) = report.build([folder], tmp_path / "out", report.Options(("pptx",)))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert any(b"HYPERLINK" in blob for name, blob in parts.items() if name.startswith("ppt/charts/chart"))
    for name, blob in parts.items():
        if name.endswith((".xml", ".rels")):
            etree.fromstring(blob)
            assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|TargetMode=\"External\"", blob), name
        if name.endswith(".xlsx"):
            with zipfile.ZipFile(io.BytesIO(blob)) as book:
                sheet = book.read("xl/worksheets/sheet1.xml")
            assert b"<f>" not in sheet and b"hyperlink" not in sheet, name
