"""A judged handover in each form: JSON, JUnit XML, a Nagios line, text and HTML; names that would break one."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import junitparser
import pytest

from iobench import proc
from iobench.analysis import steady
from iobench.analysis.handover import Change, Item, Known, Outcome, Sheet, silent, worst
from iobench.model import Campaign, Passport, Target
from iobench.report import rounds, verdicts
from iobench.report import sheet as pages
from iobench.texts import Amount, Phrase, Words

# A target may be called this; no form may break on it.
NAME = "db'1|<x>&\"日本=;"
EN = Words("en")
FORM = Path(__file__).parents[1] / "fixtures/junit-ant/junit.rng"


def _item(outcome: Outcome, **changes: Any) -> Item:
    wanted = Phrase("handover.wants.at-least", {"what": Phrase("handover.what.reserve"), "value": Amount(0.9, "%")})
    fields: dict[str, Any] = {
        **{"id": f"x.{outcome.value}", "group": "health", "target": NAME, "outcome": outcome, "wanted": wanted},
        **{"found": Phrase("handover.unknown", {"why": "it said\nrubbish | \x1b[31m"}), "source": "the order"},
    }
    return Item(**(fields | changes))


def _sheet(*outcomes: Outcome) -> tuple[Sheet, Campaign]:
    found = {"value": 0.95, "limit": 0.9, "unit": "%", "better": "higher", "found": Phrase("handover.no")}
    items = tuple(_item(o, **(found if o in (Outcome.PASS, Outcome.FAIL) else {})) for o in outcomes)
    state = steady.judge([1000.0, 500, 400, 400, 400, 400, 400])
    whole = worst([item.outcome for item in items])
    change = (Change(NAME, "written", "B", 1e9, 3e9), Change(NAME, "passed", "flag", True, None))
    sheet = Sheet(
        *("20260101-000000", "p", "A <title> | x", "full", whole, items, change, {NAME: state}),
        *("d" * 64, {"integrity": "it takes about 1 h"}, {NAME: "file"}),
    )
    passports = {NAME: Passport(Target(NAME, "/mnt/x"), None)}
    campaign = Campaign(
        *("20260101-000000", datetime(2026, 1, 1, tzinfo=UTC), "p", "validate p", 3, (), passports),
        host={"name": "h"},
        tools={"fio": "fio-3.33"},
        director={"name": "validate", "max_rate": 1000000},
    )
    return sheet, campaign


ALL = (Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED, Outcome.SKIPPED)


def test_json_has_every_criterion_and_the_rounds() -> None:
    document = json.loads(verdicts.dump(verdicts.to_json(*_sheet(*ALL))))
    assert [item["outcome"] for item in document["items"]] == [outcome.value for outcome in ALL]
    assert document["outcome"] == "fail" and document["schema_version"] == 1
    assert document["steady"][NAME]["window"]["last"] == 7
    assert document["health_unknown"] == {}
    assert document["health"][0] == {"target": NAME, "what": "written", "unit": "B", "before": 1e9, "after": 3e9}


def _keeps_the_form(text: str, folder: Path) -> bool:
    """Whether a text keeps the form that Ant's JUnit tasks have, as xmllint finds it."""
    (folder / "junit.xml").write_text(text)
    return (
        proc.capture(("xmllint", "--noout", "--relaxng", str(FORM), str(folder / "junit.xml")), check=False).exit_code
        == 0
    )


def test_junit_keeps_the_form_of_ants(tmp_path: Path) -> None:
    if proc.find("xmllint") is None:
        pytest.skip("needs xmllint (Debian: libxml2-utils)")
    text = verdicts.to_junit(*_sheet(*ALL), seconds=12.5)
    assert _keeps_the_form(text, tmp_path) and _keeps_the_form(verdicts.to_junit(*_sheet(), seconds=0), tmp_path)
    for was, wrong in (
        ("time=", "times="),
        ('type="fail"', ""),
        ("<system-err />", ""),
        ('"4"', '"four"'),
        ("error", "bad"),
    ):
        assert was in text and not _keeps_the_form(text.replace(was, wrong), tmp_path), was
    (suite,) = ElementTree.fromstring(text)
    counted = [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
    assert counted == ["4", "1", "1", "1", "12.500"]
    kinds = [[child.tag for child in case] for case in suite.findall("testcase")]
    assert kinds == [[], ["failure"], ["error"], ["skipped"]]


def test_junitparser_reads_it() -> None:
    (suite,) = junitparser.JUnitXml.fromstring(verdicts.to_junit(*_sheet(*ALL), seconds=1.0).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 1, 1, 1)


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [((Outcome.PASS,), "OK"), ((Outcome.PASS, Outcome.UNDECIDED), "WARNING"), (ALL, "CRITICAL"), ((), "WARNING")],
)
def test_nagios_has_one_line_with_data_that_parses(outcomes: tuple[Outcome, ...], word: str) -> None:
    line = verdicts.to_nagios(_sheet(*outcomes)[0])
    assert line.startswith(f"IOBENCH {word} - ") and "\n" not in line and "\x1b" not in line
    _, bar, data = line.partition("|")
    assert "|" not in data
    parts = re.findall(r"'([^'=]+)'=(\S+)", data)
    judged = [o for o in outcomes if o in (Outcome.PASS, Outcome.FAIL)]
    assert bool(bar) == bool(judged) and len(parts) == len(judged)
    assert all(value == "95%;;90:;;" for _, value in parts)


def test_performance_data_has_no_exponents() -> None:
    large = _item(Outcome.FAIL, value=4.19e8, limit=1.6e11, unit="B", better="higher", id="size")
    small = _item(Outcome.PASS, value=2.5e-7, limit=1e-5, unit="s", better="lower", id="p99")
    sheet = dataclasses.replace(_sheet()[0], items=(large, small))
    assert verdicts.to_nagios(sheet).endswith(" | 'size'=419000000B;;160000000000:;; 'p99'=0.00000025s;;0.00001;;")


@pytest.mark.parametrize(("outcomes", "code"), [((Outcome.PASS,), 0), ((Outcome.UNDECIDED,), 1), (ALL, 2)])
def test_negate_reads_the_line_and_turns_it_round(tmp_path: Path, outcomes: tuple[Outcome, ...], code: int) -> None:
    """`negate` of the monitoring plugins starts a plugin, reads state and text, and swaps OK and CRITICAL."""
    places = [Path("/usr") / lib / "nagios/plugins/negate" for lib in ("lib", "lib64")]
    negate = next((place for place in places if place.exists()), None)
    if negate is None:
        pytest.skip("needs negate (Debian: monitoring-plugins-basic)")
    line = verdicts.to_nagios(_sheet(*outcomes)[0])
    (tmp_path / "plugin").write_text(f"#!/bin/sh\ncat <<'END'\n{line}\nEND\nexit {code}\n")
    (tmp_path / "plugin").chmod(0o755)
    done = proc.capture((str(negate), "-s", str(tmp_path / "plugin")), check=False)
    word, turned = {0: ("CRITICAL", 2), 1: ("WARNING", 1), 2: ("OK", 0)}[code]
    state = {0: "OK", 1: "WARNING", 2: "CRITICAL"}[code]
    assert (done.exit_code, done.stdout.strip()) == (turned, line.replace(f"IOBENCH {state}", f"IOBENCH {word}"))


def test_what_cannot_be_judged_is_unknown_in_one_line() -> None:
    line = verdicts.nagios_unknown("no\nsuch | drive")
    assert line == "IOBENCH UNKNOWN - no such / drive"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_says_all_of_it_and_escapes_names(lang: str) -> None:
    sheet, campaign = _sheet(*ALL)
    page = pages.html(sheet, campaign, {NAME: {"kind": "NVMe", "size": 1e12}}, lang)
    assert "<x>" not in page and "A &lt;title&gt;" in page
    words = Words(lang)
    for key in (
        "handover.fail",
        "handover.signature.by",
        "handover.signature.to",
        "handover.digest",
        "handover.changes",
    ):
        assert words(key) in page
    assert "d" * 64 in page and "2.00 GB" in page and "1.00 MB/s" in page
    # The rounds, each as a point, and the window with its fitted line.
    assert '<th class="drive">' not in page, "one drive needs no column"
    assert page.count("<circle") == 7 and page.count("<rect") == 1 and "stroke-dasharray" in page
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", page), "it needs nothing from elsewhere"


def test_what_is_beside_the_table() -> None:
    sheet, campaign = _sheet(*ALL)
    said = " ".join(verdicts.notes(sheet, campaign, EN))
    assert "steady state reached after round 7" in said
    assert "not the whole drive" in said and "cap of 1.00 MB/s" in said and "integrity (it takes about 1 h)" in said


def test_a_drive_that_says_nothing_of_its_health_is_said_to() -> None:
    drives = {"a": (Known({"model": "x"}, {"": "it needs root"}), None), "b": (Known({"used": 0.1}), Known({}))}
    assert silent(drives, ("used", "passed")) == {"a": "it needs root"}
    sheet, campaign = _sheet()
    sheet = dataclasses.replace(sheet, changes=(), silent={NAME: Phrase("health.none.emulated")})
    assert verdicts.to_json(sheet, campaign)["health_unknown"] == {NAME: "an emulated drive has no health of its own"}
    assert "an emulated drive has no health of its own" in pages.html(sheet, campaign, {}, "en")


def test_not_reached_is_said() -> None:
    state = steady.judge([1000.0 / 2**i for i in range(6)])
    assert verdicts.steady_sentence("a", state, EN) == "a: steady state not reached in 6 rounds."
    assert "<rect" in rounds.picture(state, EN)
    state = steady.judge([1000.0 * 1.1**i for i in range(steady.MOST_ROUNDS)])
    assert verdicts.steady_sentence("a", state, EN) == "a: steady state not reached in 25 rounds."
    assert "<rect" not in rounds.picture(steady.judge([1.0, 2.0]), EN)


def test_the_window_is_drawn_around_its_rounds_and_its_line_through_them() -> None:
    values = [1000.0, 500, 400, 410, 390, 405, 395]
    drawn = rounds.picture(steady.judge(values), EN)
    points = [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    box = re.search(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    line = re.search(
        r'<line x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)" y2="([\d.]+)" [^>]*width="2" stroke-dasharray', drawn
    )
    assert box is not None and line is not None and len(points) == len(values)
    left, width = map(float, box.groups())
    inside = [number for number, (x, _) in enumerate(points, 1) if left <= x <= left + width]
    assert inside == [3, 4, 5, 6, 7]
    x1, x2, y1, y2 = map(float, line.groups())
    assert (x1, x2) == (points[2][0], points[6][0])
    # The line of least squares goes through the mean of the rounds, and rises as 1.5 * 2 / 10 a round here.
    mean = sum(y for _, y in points[2:]) / 5
    assert (y1 + y2) / 2 == pytest.approx(mean, abs=0.1)
    scale = (points[3][1] - points[2][1]) / (410 - 400)
    slope = sum((i - 2) * value for i, value in enumerate(values[2:])) / 10
    assert y2 - y1 == pytest.approx(4 * slope * scale, abs=0.2)
    # What a round may lie above or below the mean, so that the window holds: half the excursion each.
    bounds = sorted(float(y) for y in re.findall(r'y1="([\d.]+)" [^>]*"#2b7a4b" stroke-dasharray', drawn))
    assert [(mean - y) / scale for y in bounds] == pytest.approx([-0.1 * 400, 0.1 * 400], abs=1.0)
