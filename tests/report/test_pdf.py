"""The PDF: the page on paper, with its own fonts, and an answer where it cannot be made."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from making import stored
from test_verdicts import ALL, NAME, _sheet

from iobench import proc, report
from iobench.cli.main import run
from iobench.errors import EXIT_CANNOT_RUN
from iobench.model import Finding, Verdict
from iobench.report import evidence, fonts, pdf
from iobench.report import sheet as sheets
from iobench.texts import Amount, Phrase, Words

needs_pango = pytest.mark.skipif(pdf.missing() is not None, reason=f"no PDF here without {pdf.missing()}")


@needs_pango
def test_the_page_on_paper(tmp_path: Path) -> None:
    folder = stored(tmp_path, names=("ドライブ", "ssd", "sas"), rounds=1, loads=(1, 8))
    written = report.build([folder], tmp_path / "out", report.Options(("html", "pdf"), "ja"))
    assert [path.name for path in written] == ["report.pdf", "report.html"]
    made = written[0].read_bytes()
    assert made.startswith(b"%PDF") and pdf.pdf(written[1].read_text(encoding="utf-8")) == made
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext to read it with")
    said = proc.capture(["pdftotext", "-layout", str(written[0]), "-"]).stdout
    assert "シーケンシャルリード" in said and "ドライブ" in said and folder.digest()[:20] in said
    faces = proc.capture(["pdffonts", str(written[0])]).stdout
    assert fonts.FAMILY.replace(" ", "-") in faces


@needs_pango
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_sheet_on_paper_has_all_that_is_signed(tmp_path: Path, lang: str) -> None:
    sheet, campaign = _sheet(*ALL)
    made = pdf.pdf(sheets.html(sheet, campaign, {NAME: {"serial": "S1"}}, lang))
    assert made == pdf.pdf(sheets.html(sheet, campaign, {NAME: {"serial": "S1"}}, lang))
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext to read it with")
    (tmp_path / "sheet.pdf").write_bytes(made)
    said = proc.capture(["pdftotext", "-layout", str(tmp_path / "sheet.pdf"), "-"]).stdout
    words = Words(lang)
    whole = "".join(said.split())
    for key in ("fail", "changes", "signature.by", "signature.to", "signature.name", "signature.date", "steady"):
        assert "".join(words(f"handover.{key}").split()) in whole, key
    assert sheet.digest in whole and sheet.campaign in whole and "S1" in whole


@needs_pango
def test_nothing_is_fetched_for_it() -> None:
    made = pdf.pdf("<!DOCTYPE html><img src='http://127.0.0.1:9/x.png'><img src='file:///etc/hostname'><p>text")
    assert made.startswith(b"%PDF") and b"127.0.0.1" not in made


def test_without_pango_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "results", rounds=1, loads=(1,))
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setattr(pdf, "missing", lambda: "libpango-1.0.so.0")
    assert run(["report", "--results", str(tmp_path / "results"), "--format", "pdf"]) == EXIT_CANNOT_RUN
    said = capsys.readouterr().err
    assert "libpango-1.0.so.0" in said and "install libpangoft2-1.0-0" in said and "Traceback" not in said


def test_on_paper_a_step_has_its_bytes_and_why_it_is_not_valid(tmp_path: Path) -> None:
    said = Phrase("judged.too-short.time", {"time": Amount(3.0, "s"), "shortest": 6.0})
    folder = stored(tmp_path, found=[Finding("too-short", said)], verdict=Verdict.SUSPECT, rounds=1, loads=(1,))
    page = report.build([folder], tmp_path / "out", report.Options(("html",), "ja"))[-1].read_text(encoding="utf-8")
    paper = evidence.on_paper(page)
    told = re.findall(r'<div class="told">(.*?)</div>', paper)
    assert len(told) == len(folder.finished()) and 'class="told">' not in page
    assert all("測定時間は 3.00 s でした" in each and "デバイス側のバイト数" in each for each in told)
