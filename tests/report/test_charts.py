"""Chart specs and their pictures: what is drawn, and that it can be read."""

import io
import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import inked
import making
import pytest
from making import comparison, curve, drive, estimate, row, usual
from matplotlib.patches import Polygon, Rectangle
from PIL import Image

from iobench.analysis.types import Comparison, Estimate
from iobench.model import Verdict
from iobench.report import canvas, charts, draw, lines, plot, svg
from iobench.report.charts import Chart
from iobench.report.spec import ChartKind, look_of
from iobench.texts import Words

WORDS = Words("en")
NAMES = ("iodrive", "ssd", "sas")
LONG = (
    "ioドライブ 320GB 東京第二データセンター 一号機",
    'SATA SSD ×4 RAID10 (Intel X25-E "quoted" <script>alert(1)</script>)',
    "SAS 15k RPM ×4 RAID10 $x_1$",
)


def made(what: Comparison) -> list[Chart]:
    return charts.charts(what, WORDS)


def invalid(value: float) -> Estimate:
    return estimate(value, verdict=Verdict.INVALID, reasons=("page-cache",))


def suspect(value: float) -> Estimate:
    return estimate(value, n=3, verdict=Verdict.SUSPECT, reasons=("too-short",))


def bars_of(chart: Chart) -> list[Rectangle]:
    with draw.style():
        drawn = draw.draw(chart.spec, canvas.SLIDE)
    return [p for p in drawn.figure.findobj(Rectangle) if isinstance(p, Rectangle) and p.get_gid()]


def five() -> Comparison:
    names = ("iodrive", "nvme0", "ssd", "sas", "nfs-on-old-server")
    rows = [row("seq-read", "throughput", dict(zip(names, (2e9, 1.99e9, 2.5e8, 1.5e8, 4e5), strict=True)))]
    rows += curve(names, (42_000, 41_000, 40_500, 990, 985), (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128))
    return comparison([drive(n, i % 2 == 0) for i, n in enumerate(names)], rows)


def long_names() -> Comparison:
    rows = [row("seq-read", "throughput", dict(zip(LONG, (5e8, 2.5e8, 1.48e8), strict=True)), baseline=LONG[2])]
    rows += curve(LONG, (42_000, 41_000, 40_000), (1, 8, 64))
    return comparison([drive(n) for n in LONG], rows, LONG[2])


def unsound() -> Comparison:
    rows = [row("seq-read", "throughput", {"iodrive": invalid(2.4e9), "ssd": suspect(2.5e8), "sas": 1.5e8})]
    for load in (1, 8, 64):
        top = invalid(3e4) if load == 8 else 3e3 * load**0.5
        rows.append(row("rand-read", "iops", {"iodrive": top, "ssd": suspect(6e3), "sas": 990.0}, load=load))
    return comparison([drive(n) for n in NAMES], rows)


def gaps() -> Comparison:
    gone = {("ssd", 4), ("ssd", 64), ("sas", 2), ("sas", 8)}
    rows = [
        replace(r, targets={k: v for k, v in r.targets.items() if (k, r.load) not in gone})
        for r in curve(NAMES, (42_000, 6_300, 990), (1, 2, 4, 8, 16, 64))
    ]
    return comparison([drive(n) for n in NAMES], [row("seq-read", "throughput", {"sas": 3e5, "ssd": 5e8}), *rows])


def held_back() -> Comparison:
    drives = [drive("iodrive", latency=None), drive("ssd", throttle_only=True), drive("sas")]
    return comparison(drives, curve(NAMES, (42_000, 6_300, 990), (1, 8, 64)))


CASES = {
    "usual": usual(),
    "one round": usual(n=1),
    "one drive": comparison([drive("disk", False)], curve(["disk"], [9e3], (1, 8, 64)), None),
    "two": comparison([drive("a"), drive("sas")], curve(["a", "sas"], [1000, 990], (1, 8, 64))),
    "five": five(),
    "long names": long_names(),
    "unsound": unsound(),
    "gaps": gaps(),
    "held back": held_back(),
    "equals": comparison([drive(n) for n in NAMES], curve(NAMES, (1000, 1000, 1000), (1, 8, 64))),
}


@pytest.mark.parametrize("frame", [canvas.SLIDE, canvas.PAGE, canvas.PHONE], ids=["slide", "page", "phone"])
@pytest.mark.parametrize("case", CASES)
def test_no_text_lies_over_another_or_over_the_edge(case: str, frame: canvas.Frame) -> None:
    for chart in made(CASES[case]):
        with draw.style():
            figure = draw.draw(chart.spec, frame).figure
        assert inked.overlapping(figure) == []
        assert inked.cut_off(figure) == []


def test_the_check_finds_a_planted_overlap_and_a_cut_text() -> None:
    with draw.style():
        drawn = draw.draw(made(usual())[0].spec, canvas.SLIDE)
        drawn.put(60, 40, canvas.Line("planted over the title", 20))
        drawn.put(900, 200, canvas.Line("planted over the edge", 20))
    assert any("planted over the title" in pair for pair in inked.overlapping(drawn.figure))
    assert inked.cut_off(drawn.figure) == ["planted over the edge"]


def test_a_png_is_a_slide_and_the_same_each_time() -> None:
    spec = made(usual())[0].spec
    picture = draw.png(spec)
    assert Image.open(io.BytesIO(picture)).size == (1920, 1080)
    assert draw.png(spec) == picture


def test_svg_text_is_text_and_the_same_each_time() -> None:
    spec = made(long_names())[0].spec
    text = svg.svg(spec, canvas.PAGE, "alt")
    assert svg.svg(spec, canvas.PAGE, "alt") == text
    said = ["".join(e.itertext()) for e in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert "500 MB/s" in said and any("東京" in line for line in said)
    assert "<script" not in text


def test_ids_of_two_svgs_never_meet() -> None:
    texts = [svg.svg(c.spec, f, "alt") for c in made(usual()) for f in (canvas.PAGE, canvas.PHONE)]
    ids = [i for text in texts for i in re.findall(r'\sid="([^"]+)"', text)]
    assert len(ids) == len(set(ids))
    for text in texts:
        own = set(re.findall(r'\sid="([^"]+)"', text))
        used = re.findall(r"url\(#([^)]+)\)", text) + re.findall(r'href="#([^"]+)"', text)
        assert set(used) <= own


def test_bars_start_at_zero_and_their_heights_are_the_values() -> None:
    chart = next(c for c in made(usual()) if c.spec.metric == "throughput")
    bars = bars_of(chart)
    bottoms = {round(b.get_y() + b.get_height(), 6) for b in bars}
    assert len(bottoms) == 1
    per_value = [b.get_height() / s.points[0].value for b, s in zip(bars, chart.spec.series, strict=True)]
    assert per_value == pytest.approx([per_value[0]] * 3)


def test_ratios_stand_on_bars_and_the_spread_is_a_band() -> None:
    of = {chart.spec.id: chart.spec for chart in made(usual())}
    with draw.style():
        texts = [text for text, _ in inked.texts_of(draw.draw(of["seq-read-throughput"], canvas.SLIDE).figure)]
        bands = draw.draw(of["rand-read-iops"], canvas.SLIDE).figure.findobj(Polygon)
    assert "3.4×" in texts and "1.69×" in texts
    assert len(bands) == 3


def test_what_is_not_valid_is_hatched_and_named() -> None:
    bar, line = made(unsound())
    hatches = [b.get_hatch() for b in bars_of(bar)]
    assert [bool(h) for h in hatches] == [True, True, False]
    assert bar.spec.series[0].points[0].mark == "invalid: page-cache"
    with draw.style():
        shown = " ".join(text for text, _ in inked.texts_of(draw.draw(bar.spec, canvas.SLIDE).figure))
        ends = " ".join(text for text, _ in inked.texts_of(draw.draw(line.spec, canvas.SLIDE).figure))
    assert "invalid: page-cache" in shown and "too-short" in shown
    assert "invalid: page-cache at 8" in ends
    assert bar.spec.series[0].points[0].ratio is None, "a ratio of an invalid number reads like a claim"


def test_a_reason_that_all_share_is_said_once() -> None:
    rows = [row("seq-read", "throughput", {n: suspect(v) for n, v in zip(NAMES, (5e8, 2e8, 1e8), strict=True)})]
    chart = made(comparison([drive(n) for n in NAMES], rows))[0]
    assert chart.spec.shared == ("too-short",)
    assert sum("too-short" in note for note in chart.spec.footnotes) == 1
    with draw.style():
        texts = [text for text, _ in inked.texts_of(draw.draw(chart.spec, canvas.SLIDE).figure)]
    assert sum("too-short" in text for text in texts) == 2, "in the title and in the footnote"
    assert all(b.get_hatch() for b in bars_of(chart))


def test_an_emulated_drive_is_called_so_on_each_chart() -> None:
    for chart in made(usual()):
        assert all("emulated" in series.tags for series in chart.spec.series)
        with draw.style():
            texts = [text for text, _ in inked.texts_of(draw.draw(chart.spec, canvas.SLIDE).figure)]
        assert sum("emulated" in text for text in texts) >= 3
    assert not any("emulated" in s.tags for c in made(usual(emulated=False)) for s in c.spec.series)


def test_a_drive_with_a_throttle_only_has_no_latency_line_and_no_stability() -> None:
    drives = [drive("iodrive", throttle_only=True), drive("ssd"), drive("sas")]
    what = comparison(drives, curve(NAMES, (42_000, 6_300, 990), (1, 8, 64)))
    by_metric = {c.spec.metric: c for c in made(what)}
    assert [s.drive for s in by_metric["latency_p99"].spec.series] == ["ssd", "sas"]
    assert [f.drive for f in by_metric["iops"].findings if f.kind == "share"] == ["ssd", "sas"]
    for chart in by_metric.values():
        assert any("only the rate is emulated" in note for note in chart.spec.footnotes)
    assert any(s.drive == "iodrive" for s in by_metric["iops"].spec.series)


def test_a_drive_of_which_only_the_rate_is_emulated_keeps_its_latency_and_has_no_stability() -> None:
    by_metric = {c.spec.metric: c for c in made(held_back())}
    assert [s.drive for s in by_metric["latency_p99"].spec.series] == ["iodrive", "sas"]
    assert [f.drive for f in by_metric["iops"].findings if f.kind == "share"] == ["sas"]
    said = "no stability is said of iodrive: only the rate is emulated, which is flat by construction"
    assert said in by_metric["iops"].spec.footnotes
    assert said not in by_metric["latency_p99"].spec.footnotes


@pytest.mark.parametrize(
    ("workload", "there", "drawn"),
    [
        ("dd-write", ("elapsed", "throughput"), ["elapsed"]),
        ("seq-read", ("throughput", "iops", "latency_p99"), ["throughput"]),
        ("rand-read", ("throughput", "iops", "latency_p99"), ["iops", "latency_p99"]),
        ("oltp", ("transactions", "queries", "latency_p95"), ["transactions", "latency_p95"]),
        ("another", ("throughput", "ops", "latency_p99"), ["ops", "latency_p99"]),
    ],
)
def test_a_workload_is_drawn_by_its_main_metrics(workload: str, there: tuple[str, ...], drawn: list[str]) -> None:
    rows = [row(workload, metric, {"sas": 1.0}, baseline=None) for metric in there]
    assert [c.spec.metric for c in made(comparison([drive("sas")], rows, None))] == drawn


def test_a_drive_keeps_its_colour_and_marker_throughout() -> None:
    looks = {(s.drive, s.color, s.marker) for c in made(gaps()) for s in c.spec.series}
    assert len(looks) == 3


def test_several_loads_are_a_line_and_one_is_a_bar() -> None:
    kinds = {c.spec.metric: c.spec.kind for c in made(usual())}
    assert kinds["elapsed"] is ChartKind.BAR
    assert kinds["iops"] is kinds["latency_p99"] is ChartKind.LINE


def test_other_parameters_are_another_chart() -> None:
    rows = [
        row("seq-read", "throughput", {"sas": 1e8}, params={**making.SEQ, "block_size": size})
        for size in (1 << 16, 1 << 20)
    ]
    ids = [c.spec.id for c in made(comparison([drive("sas")], rows, None))]
    assert ids == ["seq-read-throughput", "seq-read-throughput-2"]


def test_a_line_does_not_run_over_what_was_not_measured() -> None:
    chart = next(c for c in made(gaps()) if c.spec.metric == "iops")
    ssd = next(s for s in chart.spec.series if s.drive == "ssd")
    runs = lines._runs(ssd.points, chart.spec.loads)
    assert [[p.load for p in run] for run in runs] == [[1, 2], [8, 16]]


@pytest.mark.parametrize(
    ("wanted", "heights"),
    [((10, 11, 12), (20, 20, 20)), ((0, 300), (30, 30)), ((50, 50, 50, 200), (20, 40, 20, 20)), ((95, 99), (30, 20))],
)
def test_labels_are_spread_in_order_within_bounds(wanted: tuple[float, ...], heights: tuple[float, ...]) -> None:
    places = lines.spread(wanted, heights, 0, 310)
    edges = [(p - h / 2, p + h / 2) for p, h in zip(places, heights, strict=True)]
    assert edges[0][0] >= -1e-6 and edges[-1][1] <= 310 + 1e-6
    assert all(a[1] <= b[0] + 1e-6 for a, b in itertools.pairwise(edges))


def test_labels_with_room_stand_where_they_want() -> None:
    assert lines.spread((50, 150, 250), (20, 20, 20), 0, 300) == [50, 150, 250]


@pytest.mark.parametrize("top", [0.3, 7.0, 96.0, 148.0, 501.0, 42_000.0])
def test_ticks_are_round_and_begin_at_zero(top: float) -> None:
    ticks = plot.linear_ticks(top, 1.0)
    assert ticks[0] == 0 and ticks[-1] <= top * 1.001 and 3 <= len(ticks) <= 6


@pytest.mark.parametrize(("least", "most"), [(0.001, 0.0011), (1e-5, 2.0), (0.003, 0.004), (0.0001, 0.1)])
def test_log_ticks_hold_all_values(least: float, most: float) -> None:
    ticks = plot.log_ticks(least, most, 1e-3)
    assert ticks[0] <= least * 1.0001 and ticks[-1] >= most * 0.9999 and 2 <= len(ticks) <= 8


def test_an_interval_that_is_far_wider_than_the_figures_is_cut_off_and_it_is_said() -> None:
    wild = Estimate(2, 5e8, (1.0, 9e14), Verdict.VALID, (), (4e8, 6e8), (1, 2))
    figures = {"iodrive": wild, "sas": 1.5e8}
    what = comparison([drive("iodrive"), drive("sas")], [row("seq-read", "throughput", figures)])
    (chart,) = charts.charts(what, WORDS)
    point = next(s.points[0] for s in chart.spec.series if s.drive == "iodrive")
    assert point.high == 9e8 and point.low == 1.0
    assert any("cut off" in note for note in chart.spec.footnotes)
    tame = charts.charts(usual(), WORDS)
    assert not any("cut off" in note for chart in tame for note in chart.spec.footnotes)


def test_a_long_japanese_title_breaks_between_phrases() -> None:
    text = "キーバリューストア・取得・p99 レイテンシー・負荷 16：ssd と sas の間に差は認められない（2 回の簡易測定）"
    first, second = draw.between_phrases(canvas.Line(text, 20, bold=True), 850)
    assert (first.text, second.text) == tuple(text.split("：")[i] + ("：" if i == 0 else "") for i in (0, 1))
    assert draw.between_phrases(canvas.Line("iodrive reads 3.4 times as fast as sas", 20), 300) == []


def test_a_title_keeps_the_name_of_a_drive_in_one_piece() -> None:
    said = "MySQL OLTP at 64: iodrive (after) does 4.1 times the transactions of sas (before) (emulated)"
    first, second = draw.between_phrases(canvas.Line(said, 20, bold=True), 850)
    assert (first.text, second.text) == ("MySQL OLTP at 64:", said.removeprefix("MySQL OLTP at 64: "))
    noted = "Random read, p99 latency at 64: iodrive 0.088× sas (quick look, 3 rounds; marked not-steady)"
    assert draw.between_phrases(canvas.Line(noted, 20, bold=True), 850)[1].text.startswith("(quick look")
    text = "dbench・負荷 64：iodrive (後) のスループットは sas (前)（エミュレーション）の 4.1倍"
    assert draw.between_phrases(canvas.Line(text, 20, bold=True), 850)[0].text == "dbench・負荷 64："


@pytest.mark.parametrize(
    ("width", "most", "lines_"),
    [
        (300, 2, ["Samsung MZ7WD240HAFV-00003 (lot B)"]),
        (150, 2, ["Samsung", "MZ7WD240HA… (lot B)"]),
        (60, 3, ["Samsun", "g MZ7…", "(lot B)"]),
    ],
)
def test_a_name_that_is_cut_keeps_what_tells_it_apart(width: float, most: int, lines_: list[str]) -> None:
    found = canvas.wrap(canvas.Line("Samsung MZ7WD240HAFV-00003 (lot B)", 13, bold=True), width, most)
    assert [line.text for line in found] == lines_ and all(line.width <= width for line in found)


def test_twelve_drives_have_twelve_looks() -> None:
    looks = [look_of(place) for place in range(12)]
    assert len(set(looks)) == 12 and looks[0][0] == looks[8][0]
    assert look_of(3, "#123456")[0] == "#123456"


def test_a_line_chart_names_the_drives_that_it_has_no_line_of() -> None:
    rows = [r for r in usual().rows if r.workload == "rand-read"]
    rows = [replace(r, targets={n: e for n, e in r.targets.items() if n != "ssd"}) for r in rows]
    for chart in charts.charts(comparison([drive(name) for name in NAMES], rows), WORDS):
        assert "not measured: ssd" in chart.spec.footnotes
