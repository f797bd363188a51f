"""The page, the files and the command: one file, no outside reference, hostile names harmless."""

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import making
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fontTools.ttLib import TTFont
from making import stored

from iobench import report
from iobench.analysis.compare import compare
from iobench.cli.main import run
from iobench.errors import ResultsError, UsageError
from iobench.model import Finding, Verdict
from iobench.report import beginning, charts, evidence, fonts, labels, tables, widths
from iobench.report.content import Content
from iobench.texts import Words

HOSTILE = ("<script>alert(1)</script>\"'`$x$", "ドライブ\u202e東京", "sas")


class Reader(HTMLParser):
    """What a browser would see: elements with their attributes, and the text of each element's kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def evidence_in(page: str) -> str:
    """What a reader sees who opens every step."""
    packed = re.search(r'id="packed">([^<]*)<', page)
    assert packed is not None
    return "\n".join(evidence.unpack(packed[1]))


def page_of(root: Path, **how: Any) -> str:
    folder = stored(root, **how)
    return report.build([folder], root / "out", report.Options(("html",)))[-1].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("plain"), rounds=5)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = [Finding("too-short", "<b>was</b> 3 s\x1b[0m")]
    command = ["fio", "--x=</script><script>alert(2)</script>", "a b;$(touch X)"]
    return page_of(
        tmp_path_factory.mktemp("hostile"),
        names=HOSTILE,
        title="<img src=x onerror=alert(1)> & 東京",
        command=command,
        found=found,
        verdict=Verdict.SUSPECT,
    )


def test_nothing_is_fetched(plain: str, hostile: str) -> None:
    for page in (plain, hostile):
        without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
        assert "http:" not in without_namespaces and "https:" not in without_namespaces
        for tag, attributes in Reader(page).elements:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base")
            assert "src" not in attributes
            for name in ("href", "xlink:href"):
                assert (attributes.get(name) or "#").startswith("#")
            assert not any(name.startswith("on") for name in attributes)


def test_hostile_names_are_text(hostile: str) -> None:
    reader = Reader(hostile)
    scripts = [attributes for tag, attributes in reader.elements if tag == "script"]
    assert scripts == [{"type": "text/plain", "id": "packed"}, {}], "our own, and no other"
    said = "".join(reader.texts)
    assert "<script>alert(1)</script>" in said and "<img src=x onerror=alert(1)> & 東京" in said
    assert "<b>was</b> 3 s[0m" in said
    inside = Reader(evidence_in(hostile))
    assert not [tag for tag, _ in inside.elements if tag in ("script", "b", "img")]
    assert "--x=</script><script>alert(2)</script>" in "".join(inside.texts)
    for text in (hostile, evidence_in(hostile)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text)


def test_only_our_script_may_run(plain: str) -> None:
    script = re.search(r"<script>(.*?)</script>", plain, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policies = [a["content"] for tag, a in Reader(plain).elements if tag == "meta" and "http-equiv" in a]
    allowed = f"script-src 'sha256-{digest}'; font-src data:"
    assert policies == [f"default-src 'none'; style-src 'unsafe-inline'; {allowed}"]


def test_ids_are_unique_and_links_lead_somewhere(plain: str) -> None:
    elements = Reader(plain).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a.get("href") or "")[1:] for tag, a in elements if tag == "a"}
    assert targets <= set(ids)


def test_every_number_drawn_has_a_row(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=5)
    page = report.build([folder], tmp_path / "out", report.Options(("html",)))[-1].read_text(encoding="utf-8")
    figures = page.split("<figure")[1:]
    made = charts.charts(compare([folder]), Words("en"))
    assert len(figures) == len(made) == 3
    for text, chart in zip(figures, made, strict=True):
        table = text.split("<table", 1)[1].split("</table>")[0]
        cells = [re.findall(r"<td[^>]*>([^<]*)</td>", line) for line in table.split("<tr>")[1:]]
        for series in chart.spec.series:
            for point in series.points:
                rows = [c for c in cells if c and point.text in c and any(series.label in cell for cell in c)]
                assert rows, (chart.spec.id, series.label, point.load)
                if point.ratio_text:
                    assert any(point.ratio_text in c for c in rows)


def test_each_step_carries_its_evidence(plain: str) -> None:
    assert plain.count('<summary class="step">') == 3 * 4 * 5
    said = evidence_in(plain)
    assert said.count("fio --name=x") == 3 * 4 * 5
    assert said.count("Device&#39;s bytes, read / written") == 3 * 4 * 5
    assert said.count('class="spark"') == 3 * 4 * 5
    assert "All drives in this report are emulated." in plain


def test_what_was_not_sound_is_said_with_its_figures(hostile: str, plain: str) -> None:
    assert "too-short" in hostile.split('id="unsound"')[1].split("</section>")[0]
    assert "Every number in this report passed its evidence." in plain


def test_each_reason_stands_with_its_own_sentences_and_class(tmp_path: Path) -> None:
    found = [
        Finding("page-cache", "The program read more."),
        Finding("page-cache", "The program wrote more."),
        Finding("too-short", "It measured for 3 s."),
    ]
    page = page_of(tmp_path, rounds=1, loads=(1,), found=found, verdict=Verdict.INVALID)
    part = page.split('id="unsound"')[1].split("</section>")[0]
    cache, short = sorted(part.split('<article class="reason">')[1:])
    assert '<span class="invalid">page-cache</span>' in cache and '<span class="suspect">too-short</span>' in short
    assert "read more" in cache and "wrote more" in cache and "3 s" not in cache
    assert "3 s" in short and "more." not in short
    step = evidence_in(page).splitlines()[0]
    assert '<p class="invalid">The program wrote more.</p>' in step
    assert '<p class="suspect">It measured for 3 s.</p>' in step


def test_one_figure_of_few_rounds_makes_no_quick_look_of_the_report(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))

    def notice(n: int) -> object:
        rows = [
            making.row("seq-read", "throughput", {"sas": 1e8}, baseline=None, n=n),
            making.row("seq-write", "throughput", {"sas": 1e8}, baseline=None, n=4),
        ]
        what = making.comparison([making.drive("sas")], rows, None)
        return beginning.head(Content([folder], what, Words("en")))["quick"]

    assert notice(5) == ""
    assert str(notice(4)).startswith("A quick look")


def test_nothing_shows_the_ratio_of_an_invalid_figure() -> None:
    invalid = making.estimate(5e8, verdict=Verdict.INVALID, reasons=("page-cache",))
    words = Words("en")
    for figures in ({"iodrive": invalid, "sas": 1.5e8}, {"iodrive": 7.5e8, "sas": invalid}):
        rows = [making.row("seq-read", "throughput", figures)]
        what = making.comparison([making.drive("iodrive"), making.drive("sas")], rows)
        (chart,) = charts.charts(what, words)
        assert all(point.ratio is None for series in chart.spec.series for point in series.points)
        for table in (tables.chart_table(what, chart, words), tables.other_figures(what, "seq-read", (), words)):
            assert not any("×" in cell.text or cell.text == "none shown" for row in table.rows for cell in row)
        cells = list(csv.DictReader(io.StringIO(tables.chart_csv(what, chart))))
        assert [(c["ratio"], c["ratio_ci95_low"], c["difference"]) for c in cells] == [("", "", "")] * 2


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=3)
    every = report.Options(report.FORMATS)
    first, second = ([p.read_bytes() for p in report.build([folder], tmp_path / name, every)] for name in ("a", "b"))
    assert first == second


def test_csv_holds_the_charts_figures_in_base_units(tmp_path: Path) -> None:
    folder = stored(tmp_path, names=("=cmd()", "ssd", "sas"), rounds=5)
    written = report.build([folder], tmp_path / "out", report.Options(("csv",)))
    with written[0].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["drive"] for r in rows] == ["'=cmd()", "ssd", "sas"]
    assert float(rows[0]["median"]) == pytest.approx(5e8, rel=0.03) and rows[0]["unit"] == "B/s"
    assert rows[2]["ratio"] == "" and rows[0]["difference"] == "higher"


def test_a_campaign_without_a_finished_step_is_an_error_that_says_so(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=0)
    with pytest.raises((ResultsError, UsageError)):
        report.build([folder], tmp_path / "out", report.Options(("html",)))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match=r"choose another folder with -o"):
        report.build([folder], tmp_path / "file" / "out")


def test_a_missing_command_or_a_foreign_one_does_no_harm(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    commands = sorted(folder.path.glob("raw/*/command.json"))
    commands[0].unlink()
    commands[1].write_text('["not", "ours"]')
    page = report.build([folder], tmp_path / "out", report.Options(("html",)))[-1].read_text(encoding="utf-8")
    assert evidence_in(page).count("The command was not kept.") == 2


def test_the_command_prints_the_page_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "results", rounds=1, loads=(1,))
    assert run(["report", "--results", str(tmp_path / "results")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(tmp_path / "results" / "20261123-060000" / "report" / "report.html")
    assert all(Path(line).is_file() for line in lines)


def test_the_command_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "results", rounds=1, loads=(1,))
    out = tmp_path / "deck"
    assert run(["report", "--results", str(tmp_path / "results"), "-o", str(out), "--format", "html", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1 and document["files"] == [str(out / "report.html")]


@pytest.mark.parametrize("wrong", [["--format", "pdg"], ["--lang", "xx"], ["--baseline", "sass"], ["--format", ","]])
def test_what_is_not_there_is_a_usage_error(
    wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "results", rounds=1, loads=(1,))
    assert run(["report", "--results", str(tmp_path / "results"), *wrong]) == 2
    assert not (tmp_path / "results" / "20261123-060000" / "report").exists()
    assert capsys.readouterr().err


def test_a_step_name_from_inside_a_file_is_no_path(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "command.json").write_text('{"argv": ["a-secret"]}')
    path = next((folder.path / "samples").glob("*.parquet"))
    table = pq.read_table(path, partitioning=None)
    names = pa.array([str(secret)] * table.num_rows)
    pq.write_table(table.set_column(table.schema.get_field_index("step"), table.schema.field("step"), names), path)
    page = report.build([folder], tmp_path / "out", report.Options(("html",)))[-1].read_text(encoding="utf-8")
    assert "a-secret" not in page + evidence_in(page)


def test_a_step_of_a_year_that_is_none_is_drawn(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    path = next((folder.path / "samples").glob("*.parquet"))
    table = pq.read_table(path, partitioning=None)
    field = table.schema.field("started_at")
    never = pa.array([-(2**62)] * table.num_rows, pa.int64()).cast(field.type)
    pq.write_table(table.set_column(table.schema.get_field_index("started_at"), field, never), path)
    assert report.build([folder], tmp_path / "out", report.Options(("html",)))[-1].is_file()


def test_labels_of_two_drives_are_told_apart() -> None:
    what = making.comparison([making.drive("SSD"), making.drive("sas"), making.drive("SSD\x07")], [])
    assert labels.drive_labels(what) == {"SSD": "SSD [1]", "sas": "sas", "SSD\x07": "SSD [3]"}


def test_what_was_measured_and_how_to_repeat_it(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=2, loads=(1, 8))
    for lang, hash_of in (("en", "SHA-256 of what was measured"), ("ja", "測定内容の SHA-256")):
        page = report.build([folder], tmp_path / lang, report.Options(("html",), lang))[-1].read_text(encoding="utf-8")
        measured = page.split('id="measured"')[1].split("</section>")[0]
        assert "4 KiB" in measured and "<td>1" in measured and "iodrive" in measured
        again = page.split('id="repeat"')[1].split("</section>")[0]
        assert hash_of in again and folder.digest() in again and "fio-3.33" in again
        assert "iobench suite quick -t iodrive=/mnt/x -t ssd=/mnt/x -t sas=/mnt/x --repeats 2" in again
        assert again.count("fio --name=x") == 3, "a command for each load"


def test_the_page_carries_its_fonts(tmp_path: Path) -> None:
    folder = stored(tmp_path, names=("ドライブ", "ssd", "sas"), rounds=1, loads=(1,))
    page = report.build([folder], tmp_path / "out", report.Options(("html",), "ja"))[-1].read_text(encoding="utf-8")
    faces = re.findall(r"font-weight: (\d+); src: url\(data:font/woff;base64,([^)]+)\)", page)
    assert [weight for weight, _ in faces] == ["400", "700"]
    used = {ord(sign) for sign in page + evidence_in(page) if sign.isprintable()}
    for (_, data), bold in zip(faces, (False, True), strict=True):
        with TTFont(io.BytesIO(base64.b64decode(data))) as font:
            there = font.getBestCmap()
        assert ord("要") in used & fonts.signs(bold) <= set(there)
        assert len(there) < 1000, "cut to what is used"


def test_widths_are_those_of_the_font_that_ships() -> None:
    for bold in (False, True):
        with TTFont(fonts.path(bold), lazy=True) as font:
            glyphs, advances = font.getBestCmap(), font["hmtx"].metrics
            for sign in "".join(map(chr, range(0x20, 0x7F))) + "×±·–—…倍測ア":
                assert widths.text_width(sign, 1000, bold) == advances[glyphs[ord(sign)]][0], sign


def test_figures_of_others_stand_apart_and_are_called_so(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    plain = report.build([folder], tmp_path / "plain", report.Options(("html",)))[-1].read_text(encoding="utf-8")
    assert 'id="published"' not in plain
    with_figures = report.Options(("html",), published="2011")
    page = report.build([folder], tmp_path / "out", with_figures)[-1].read_text(encoding="utf-8")
    part = page.split('id="published"')[1].split("</section>")[0]
    assert "Not measured here" in part and part.count("<tr>") > 2 and "<svg" not in part


def test_progress_is_told_chart_by_chart(tmp_path: Path) -> None:
    folder = stored(tmp_path, rounds=1, loads=(1,))
    told: list[tuple[int, int]] = []
    both = report.Options(("html", "png"))
    report.build([folder], tmp_path / "out", both, progress=lambda done, total: told.append((done, total)))
    charts_made = len(charts.charts(compare([folder]), Words("en")))
    assert told == [(i, 2 * charts_made) for i in range(1, 2 * charts_made + 1)]
