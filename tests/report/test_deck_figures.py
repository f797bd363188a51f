"""What a deck of several campaigns says, held against the stored numbers: lines, their intervals, the appendix."""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import everything
import pytest
from lxml import etree
from pptx import Presentation
from pptx.enum.chart import XL_CHART_TYPE

from iobench import profiles
from iobench.analysis import claims
from iobench.analysis.compare import compare
from iobench.analysis.types import Comparison
from iobench.report import labels, published, slides
from iobench.report.charts import Chart
from iobench.report.content import Content
from iobench.report.spec import Across, ChartKind
from iobench.results import CampaignFolder
from iobench.texts import Words

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
WORDS = Words("en")
Kept = tuple[Path, list[CampaignFolder]]


@pytest.fixture(scope="module")
def deck(whole_decks: Mapping[str, Path]) -> Any:
    return Presentation(str(whole_decks["en"]))


@pytest.fixture(scope="module")
def compared(kept: Kept) -> Comparison:
    return compare(kept[1], pool=True, called=everything.CALLED, rules=claims.load("talk-2011"))


@pytest.fixture(scope="module")
def samples(kept: Kept) -> list[dict[str, Any]]:
    """Every stored number, its drive called as the report calls it: by its lot."""
    lots = dict(zip((folder.id for folder in kept[1]), "ABABA", strict=True))
    rows = [row for folder in kept[1] for row in folder.read("samples").drop_columns(["started_at"]).to_pylist()]
    return [{**row, "drive": f"{row['target']} (lot {lots[row['campaign']]})"} for row in rows]


# --- lines -------------------------------------------------------------------------------------------------


def lines_of(deck: Any, kept: Kept, compared: Comparison) -> list[tuple[Chart, Any]]:
    """The line charts along a load, each with the chart on its slide."""
    content = Content(kept[1], compared, WORDS)
    main, _ = slides.arranged(content.charts)
    pairs = []
    for slide, group in zip(list(deck.slides)[1:], main, strict=False):
        frames = [shape.chart for shape in slide.shapes if shape.has_chart]
        pairs += list(zip(group, frames, strict=True))
    return [(c, f) for c, f in pairs if c.spec.kind is ChartKind.LINE and c.spec.across is Across.LOAD]


def errors_of(series: Any) -> tuple[list[float], list[float]]:
    """How far a line's error bars reach up and down, point by point."""
    bars = series._element.find(f"{C}errBars")
    up, down = ([float(v.text) for v in bars.find(f"{C}{way}").iter(f"{C}v")] for way in ("plus", "minus"))
    return up, down


def test_lines_and_their_error_bars_are_the_stored_medians_and_intervals(
    deck: Any, kept: Kept, compared: Comparison, samples: Sequence[Mapping[str, Any]]
) -> None:
    stored: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for s in samples:
        if s["campaign"] in (kept[1][0].id, kept[1][1].id):  # the suites: a search goes through each load once
            stored[s["drive"], s["workload"], s["metric"], s["load"], s["rate"]].append(s["value"])
    seen = 0
    for chart, frame in lines_of(deck, kept, compared):
        assert frame.chart_type is XL_CHART_TYPE.LINE_MARKERS
        spec, unit = chart.spec, chart.spec.scale.divisor
        for series in frame.plots[0].series:
            up, down = errors_of(series)
            for place, row in enumerate(chart.rows):
                values = stored[series.name, spec.workload, spec.metric, row.load, None]
                assert len(values) == 5
                assert series.values[place] * unit == pytest.approx(median(values), rel=1e-5)
                low, high = row.targets[series.name].ci95 or (0.0, 0.0)
                assert low < min(median(values), high)
                assert series.values[place] + up[place] == pytest.approx(high / unit, rel=1e-5)
                assert series.values[place] - down[place] == pytest.approx(low / unit, rel=1e-5)
                seen += 1
    assert seen > 50


def test_error_bars_of_lines_point_at_their_own_cells(deck: Any, kept: Kept, compared: Comparison) -> None:
    """Who edits a figure in PowerPoint finds the ends of its interval in the sheet, and they move the bars."""
    for _, frame in lines_of(deck, kept, compared):
        with zipfile.ZipFile(io.BytesIO(frame.part.chart_workbook.xlsx_part.blob)) as book:
            sheet = etree.fromstring(book.read("xl/worksheets/sheet1.xml"))
            shared = [t.text for t in etree.fromstring(book.read("xl/sharedStrings.xml")).iter("{*}t")]
        cells = {c.get("r"): c for c in sheet.iter("{*}c")}
        for series in frame.plots[0].series:
            bars = series._element.find(f"{C}errBars")
            for way, sign in (("plus", "+"), ("minus", "−")):
                formula = bars.find(f"{C}{way}/{C}numRef/{C}f").text
                column, last = re.fullmatch(r"Sheet1!\$([A-Z]+)\$2:\$\1\$(\d+)", formula).groups()
                assert shared[int(cells[f"{column}1"].findtext("{*}v"))] == f"{series.name} {sign}"
                there = [float(cells[f"{column}{row}"].findtext("{*}v")) for row in range(2, int(last) + 1)]
                assert there == [float(v.text) for v in bars.find(f"{C}{way}").iter(f"{C}v")]


# --- the appendix ------------------------------------------------------------------------------------------


def rows_of(deck: Any, title: str) -> list[list[str]]:
    """The rows of an appendix's table, which may go on on further slides."""
    whole = WORDS("deck.appendix", title=title)
    tables = [s.table for slide in deck.slides if slide.shapes.title.text == whole for s in slide.shapes if s.has_table]
    assert tables, title
    return [[cell.text_frame.text for cell in row.cells] for table in tables for row in list(table.rows)[1:]]


def test_what_was_measured_has_each_campaigns_hash_and_steps(deck: Any, kept: Kept) -> None:
    said = rows_of(deck, WORDS("deck.measured"))
    hashes = [value for name, value in said if name == WORDS("repeat.hash")]
    assert hashes == [folder.digest() for folder in kept[1]]
    steps = [value for name, value in said if name == WORDS("repeat.steps")]
    counts = [(len(folder.finished()), len(folder.campaign().steps)) for folder in kept[1]]
    assert steps == [WORDS("repeat.steps-of", done=done, planned=planned) for done, planned in counts]
    reads = next(value for name, value in said if name == WORDS("workload.rand-read"))
    assert all(str(load) in reads for load in everything.LOADS) and "5" in reads


def test_each_drive_has_its_serial_and_is_called_emulated_where_it_is(deck: Any) -> None:
    said = {row[0]: row[1] for row in rows_of(deck, WORDS("deck.drives"))}
    for lot in "AB":
        for name in everything.SPEEDS:
            head = next(head for head in said if head.startswith(f"{name} (lot {lot})"))
            assert f"{lot}-{name}" in said[head] and ("emulated" in head) is (name == "sas")


def test_the_evidence_counts_the_stored_steps(deck: Any, kept: Kept, samples: Sequence[Mapping[str, Any]]) -> None:
    steps = {(s["campaign"], s["step"]): s for s in samples}
    evidence = {(folder.id, row["step"]): row for folder in kept[1] for row in folder.read("evidence").to_pylist()}
    expected: dict[tuple[str, str], list[tuple[str, float | None]]] = defaultdict(list)
    for key, step in steps.items():
        own = evidence[key]
        asked, got = own["tool_bytes_read"], own["device_bytes_read"]
        expected[step["workload"], step["drive"]].append((step["verdict"], got / asked if asked else None))
    said = rows_of(deck, WORDS("page.evidence"))
    assert len(said) == len(expected)
    for workload, drive, count, _, share, _ in said:
        (own,) = (
            found for (w, d), found in expected.items() if (labels.workload_name(w, WORDS), d) == (workload, drive)
        )
        valid = sum(verdict == "valid" for verdict, _ in own)
        assert count == WORDS("deck.valid", valid=valid, steps=len(own))
        shares = [s for _, s in own if s is not None]
        assert share == (f"{median(shares):.3f} ({min(shares):.3f} – {max(shares):.3f})" if shares else "–")
    assert any(row[4] != "–" for row in said)


def test_each_reason_counts_its_steps_and_names_its_drives(deck: Any, samples: Sequence[Mapping[str, Any]]) -> None:
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    whose: dict[str, set[str]] = defaultdict(set)
    for s in samples:
        for reason in s["reasons"]:
            found[reason].add((s["campaign"], s["step"]))
            whose[reason].add(s["drive"])
    said = {row[0]: row for row in rows_of(deck, WORDS("deck.unsound"))}
    assert set(said) == set(found) == {"page-cache", "not-steady", "lost-data"}
    for reason, (_, verdict, count, drives, means) in said.items():
        assert count == WORDS("page.steps", n=len(found[reason]))
        assert set(drives.split(", ")) == whose[reason]
        assert verdict == ("suspect" if reason == "not-steady" else "invalid") and means == WORDS(f"reason.{reason}")


def test_every_claim_of_the_file_is_told_with_its_result(deck: Any, compared: Comparison) -> None:
    said = rows_of(deck, WORDS("page.claims"))
    statements = [rule["statement"] for rule in profiles.load(profiles.find("claims", "talk-2011"))["claim"]]
    assert [row[0] for row in said] == statements
    assert [row[1] for row in said] == [WORDS(f"claim.{claim.result.value}") for claim in compared.claims]
    assert len({row[1] for row in said}) > 1


def test_published_figures_are_those_of_the_file(deck: Any, compared: Comparison) -> None:
    said = rows_of(deck, WORDS("deck.published"))
    measured = {row.workload for row in compared.rows}
    own = [figure for figure in published.load("2011") if figure.workload in measured]
    assert len(own) > 8
    assert [(row[0], row[3], row[4]) for row in said] == [(f.drive, f.figure, f.source) for f in own]


# --- several campaigns -------------------------------------------------------------------------------------


def test_searches_and_outages_name_the_drives_as_all_else_does(kept: Kept, compared: Comparison) -> None:
    content = Content(kept[1], compared, WORDS)
    ((results, curve),) = content.curves
    names = [drive.name for drive in compared.drives]
    assert [c.label.removesuffix(" (emulated)") for c in curve.curves] == names == [r.drive for r in curve.curves]
    assert len({c.color for c in curve.curves}) == len(results) == 6
    (outage,) = (chart for chart in content.charts if chart.spec.across is Across.TIME)
    assert [s.drive for s in outage.spec.series] == ["iodrive (lot A)", "sas (lot A)"]
    colors = {s.drive: s.color for chart in content.charts for s in chart.spec.series}
    assert all(colors[c.drive] == c.color for c in curve.curves), "a drive has one colour throughout"


def test_prices_hold_for_a_targets_drives_and_rates_that_were_offered_are_no_measure(
    kept: Kept, whole_decks: Mapping[str, Path], deck: Any
) -> None:
    title = next(s.shapes.title.text for s in deck.slides if "for its price" in s.shapes.title.text)
    assert "lot B" in title
    notes = [s.notes_slide.notes_text_frame.text for s in deck.slides if "for its price" in s.shapes.title.text]
    assert notes and not any("Key-value" in text.splitlines()[0] for text in notes)
    prices = [text for slide in deck.slides for s in slide.shapes if s.has_text_frame for text in [s.text_frame.text]]
    assert any("sas (lot B) (emulated) 480,000 JPY" in text for text in prices)


def test_the_files_properties_hold_what_they_can(deck: Any, kept: Kept) -> None:
    told = deck.core_properties
    assert kept[1][0].digest() in told.comments and len(told.comments) <= 255 and told.comments.endswith("…")
    notes = deck.slides[0].notes_slide.notes_text_frame.text
    assert all(folder.digest() in notes for folder in kept[1])
