"""`iobench compare`: the table at several widths, marks, claims, JSON and exit codes."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from stored import Measured

from iobench.analysis import claims
from iobench.analysis.compare import compare
from iobench.cli.compare import parse_share
from iobench.cli.main import run
from iobench.cli.screen import show
from iobench.errors import UsageError
from iobench.model import Emulation, Verdict

NOISE = (1.0, 1.002, 0.999, 1.001, 0.998)


def rate(target, value, n=5, metric="throughput", **more):
    return Measured(target, {metric: [value * noise for noise in NOISE[:n]]}, **more)


def three(**more):
    return rate("iodrive", 500e6, **more), rate("ssd", 150.1e6, **more), rate("sas", 150e6, **more)


@pytest.fixture
def iobench(tmp_path, capsys):
    def call(*argv):
        code = run(["compare", "--results", str(tmp_path / "results"), *argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def shown(comparison, width, **more):
    out = io.StringIO()
    show(comparison, Console(file=out, width=width, highlight=False), **more)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_and_keeps_every_figure(make_campaign, width):
    folder = make_campaign(*three(params={"block_size": 1 << 20}), emulated={"sas": Emulation("sas", read_bps=150e6)})
    text = shown(compare([folder]), width)
    assert max(map(len, text.splitlines())) <= width
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert "…" not in text
    words = " ".join(text.split())
    for figure in ("seq-read: 1 MiB blocks", "500 MB/s ±0.2 %", "3.33× [3.33, 3.33]", "1.00× [1.00, 1.00]"):
        assert figure in words
    assert words.count("no difference shown") == 1
    assert words.count("emulated") == 1
    assert words.count("baseline") == 1


def test_drives_stand_beside_each_other_where_they_fit(make_campaign):
    comparison = compare([make_campaign(*three())])
    assert any("500 MB/s" in line and "150 MB/s" in line for line in shown(comparison, 80).splitlines())
    assert not any("500 MB/s" in line and "150 MB/s" in line for line in shown(comparison, 60).splitlines())


def test_people_are_shown_the_same_whether_or_not_all_is_worked_out(make_campaign):
    """A table of main metrics is made without the others: with its claims, its limits and its exit code."""
    rules = claims.load("talk-2011")
    figures = {"throughput": 40e6, "iops": 1e4, "latency_mean": 1e-3, "latency_p99": 2e-3, "latency_max": 9e-3}
    drives = ("iodrive", "ssd", "sas")
    works = [
        Measured(
            drive,
            {m: [v * x * (3 - at) for x in NOISE] for m, v in figures.items()},
            workload="rand-read",
            load=load,
            op="read",
        )
        for at, drive in enumerate(drives)
        for load in (8, 16, 32)
    ]
    works += [rate(drive, 500e6 / (1 + at)) for at, drive in enumerate(drives)]
    works += [
        Measured(
            d, {"hits": [1e4] * 5, "lost": [0.0] * 5, "corrupt": [0.0] * 5, "latency_p99": [1e-3] * 5}, workload="kvs"
        )
        for d in drives
    ]
    folder = make_campaign(*works, emulated={"ssd": Emulation("ssd", read_iops=20000.0, latency_s=1e-4)})
    whole, main = (compare([folder], rules=rules, main=only) for only in (False, True))
    assert shown(main, 80) == shown(whole, 80)
    said = " ".join(shown(main, 80).split())
    for part in ("made by the limit", "reproduced: ioDrive reads", "no lost and corrupt in all repeats"):
        assert part in said
    assert {row.metric for row in main.rows} == {"throughput", "iops", "latency_p99", "hits", "lost", "corrupt"}
    assert [claim.result for claim in main.claims] == [claim.result for claim in whole.claims]


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("width", [60, 72, 80, 130])
def test_bars_stand_in_line_also_beside_wide_signs(make_campaign, width, lang):
    names = ("ドライブ一号機", "ssd", "sas")
    works = [rate(name, value) for name, value in zip(names, (4e8, 2e8, 1e8), strict=True)]
    lines = shown(compare([make_campaign(*works)]), width, lang=lang).splitlines()
    assert max(map(cell_len, lines)) <= width
    bars = [re.search("[█▏▎▍▌▋▊▉]+", line) for line in lines]
    found = [(cell_len(line[: bar.start()]), len(bar[0])) for line, bar in zip(lines, bars, strict=True) if bar]
    beside = any("400 MB/s" in line and "200 MB/s" in line for line in lines)
    assert beside == (width >= 80)
    if beside:
        assert len(found) == 1 and lines[next(i for i, b in enumerate(bars) if b)].count("█") == 16 + 8 + 4
    else:  # one column, and lengths as the figures
        longest = found[0][1]
        assert len({start for start, _ in found}) == 1
        assert [length for _, length in found] == [longest, -(-longest // 2), -(-longest // 4)] and longest >= 4
    assert ("ドライブ一号機" in "".join(lines)) and (("負荷 8" in "".join(lines)) == (lang == "ja" and not beside))


def test_what_is_not_valid_has_a_bar_of_dots(make_campaign):
    works = rate("a", 2e8, unsound={1: (Verdict.INVALID, "page-cache")}), rate("b", 1e8)
    text = shown(compare([make_campaign(*works)]), 60)
    assert "░░░░" in text and text.count("█") >= 2


def test_every_sentence_is_in_the_language_asked_for(make_campaign, iobench):
    make_campaign(*three(params={"block_size": 1 << 20}))
    code, out, _ = iobench("--lang", "ja")
    assert code == 0
    assert "シーケンシャルリード：1 MiB ブロック" in out and "5 回の中央値" in out and "差は認められない" in out
    assert not any(word in out for word in ("Median", "ratio", "load", "baseline", "difference"))


def test_even_40_columns_lose_no_figure(make_campaign):
    text = shown(compare([make_campaign(*three())]), 40)
    assert "500 MB/s" in " ".join(text.split()) and "…" not in text


def test_marks_have_a_legend(make_campaign):
    folder = make_campaign(
        rate("iodrive", 500e6, unsound={1: (Verdict.INVALID, "page-cache")}),
        rate("ssd", 250e6, unsound={2: (Verdict.SUSPECT, "too-short")}),
        rate("sas", 150e6),
    )
    text = shown(compare([folder]), 120)
    assert "✗500 MB/s" in text and "3.33×" not in text, "a ratio of an invalid figure reads like a claim"
    assert "~250 MB/s" in text and "~1.67×" in text
    assert "invalid: not a figure of the drive; it has no ratio. page-cache (1)" in text
    assert "suspect: shown, and enters no claim. too-short (1)" in text
    assert "`iobench explain REASON`" in text


def test_an_invalid_baseline_takes_every_ratio_with_it(make_campaign):
    works = rate("iodrive", 500e6), rate("sas", 150e6, unsound={1: (Verdict.INVALID, "page-cache")})
    figures, _ = shown(compare([make_campaign(*works)]), 120).split("Median of")
    assert "500 MB/s" in figures and "×" not in figures and "no difference shown" not in figures


def test_sound_figures_have_no_marks(make_campaign):
    text = shown(compare([make_campaign(*three())]), 120)
    assert "~" not in text and "✗" not in text and "explain" not in text


def test_main_metrics_or_all(make_campaign):
    work = Measured("a", {"iops": [1e3], "throughput": [4e6], "latency_p99": [1e-3]}, workload="rand-read")
    comparison = compare([make_campaign(work)])
    assert "throughput" not in shown(comparison, 100)
    assert "IOPS" in shown(comparison, 100) and "latency p99" in shown(comparison, 100)
    assert "throughput" in shown(comparison, 100, all_metrics=True)


def test_mixed_work_shows_the_sum(make_campaign):
    works = [rate("a", 1e3, metric="iops", workload="rand-mixed", op=op) for op in ("read", "write", "all")]
    comparison = compare([make_campaign(*works)])
    assert "(read)" not in shown(comparison, 100)
    assert "IOPS (read)" in shown(comparison, 100, all_metrics=True)


def test_equal_loads_of_other_parameters_are_told_apart(make_campaign):
    works = [rate("a", 1e8, params={"depth": depth, "jobs": 8 // depth}) for depth in (8, 1)]
    text = shown(compare([make_campaign(*works)]), 100)
    assert "depth 8" in text and "depth 1" in text and "jobs 8" in text


def test_one_round_has_no_interval(make_campaign):
    text = shown(compare([make_campaign(*three(n=1))]), 100)
    figures, below = text.split("One repeat each: no interval")
    assert "±" not in figures and "[" not in figures and "3.33×" in figures
    assert "Median" not in below


def test_names_cannot_colour_the_screen(make_campaign):
    text = shown(compare([make_campaign(rate("a\x1b[31m[red]", 1e8), rate("b", 1e8))]), 100)
    assert "\x1b" not in text
    assert "[red]" in text


def test_colours_only_where_they_are_wanted(make_campaign, monkeypatch):
    comparison = compare([make_campaign(*three())])
    out = io.StringIO()
    show(comparison, Console(file=out, width=80, force_terminal=True, highlight=False, color_system="standard"))
    assert "\x1b[32m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    show(comparison, Console(file=out, width=80, force_terminal=True, highlight=False))
    assert "\x1b[32m" not in out.getvalue()


# --- the command ---------------------------------------------------------------------------------------


def test_the_latest_campaign_by_default(make_campaign, iobench):
    make_campaign(rate("old", 1e8))
    make_campaign(*three(), id="20250102-000000")
    code, out, err = iobench()
    assert (code, err) == (0, "")
    assert "iodrive" in out and "old" not in out
    assert "reproduced: ioDrive is 3 to 4 times SAS (seq-read-vs-sas)" in out
    assert "\x1b" not in out


def test_claims_of_drives_that_nobody_measured_are_not_printed(make_campaign, iobench):
    make_campaign(rate("a", 1e8), rate("b", 2e8))
    assert "Claims" not in iobench()[1]
    assert "not measured: seq-read-iodrive" in iobench("--claims", "talk-2011")[1]


def test_json_is_what_scripts_rely_on(make_campaign, iobench):
    make_campaign(*three())
    code, out, err = iobench("--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["schema_version"] == 1
    assert document["baseline"] == "sas"
    (row,) = document["rows"]
    assert set(row) == {"workload", "op", "metric", "unit", "better", "load", "params", "targets", "ratios"}
    assert (row["unit"], row["better"], row["params"]) == ("B/s", "higher", {"block_size": 4096})
    assert set(row["targets"]["iodrive"]) == {"n", "median", "ci95", "verdict", "reasons"}
    assert row["ratios"]["iodrive"]["difference"] == "higher"
    assert row["ratios"]["ssd"]["difference"] == "none-shown"
    low, high = row["ratios"]["iodrive"]["ci95"]
    assert low <= row["ratios"]["iodrive"]["ratio"] <= high
    assert {"id": "seq-read-vs-sas", "result": "reproduced"} in document["claims"]
    assert document["drives"]["iodrive"] == {"kind": "SSD", "emulated": False}


def test_json_keeps_the_ratio_of_an_invalid_figure_and_shows_no_difference(make_campaign, iobench):
    make_campaign(rate("iodrive", 500e6, unsound={1: (Verdict.INVALID, "page-cache")}), rate("sas", 150e6))
    ratio = json.loads(iobench("--json")[1])["rows"][0]["ratios"]["iodrive"]
    assert ratio["ratio"] == pytest.approx(10 / 3)
    assert ratio["difference"] == "none-shown"


def test_json_of_one_round_and_one_drive(make_campaign, iobench):
    make_campaign(rate("a", 1e8, n=1))
    document = json.loads(iobench("--json")[1])
    assert document["baseline"] is None
    assert document["rows"][0]["targets"]["a"]["ci95"] is None
    assert document["rows"][0]["ratios"] == {}


def test_open_loop_rows_carry_their_rate(make_campaign, iobench):
    make_campaign(*(rate("a", 1e3, metric="hits", workload="kvs", op="get", rate=r) for r in (500.0, 900.0)))
    assert [row["rate"] for row in json.loads(iobench("--json")[1])["rows"]] == [500.0, 900.0]
    assert "8 at 500/s" in iobench()[1]


@pytest.mark.parametrize(
    ("verdict", "reason", "code"), [(Verdict.SUSPECT, "too-short", 0), (Verdict.INVALID, "page-cache", 1)]
)
def test_an_invalid_figure_exits_1_and_a_suspect_one_0(make_campaign, iobench, verdict, reason, code):
    make_campaign(rate("a", 1e8, unsound={1: (verdict, reason)}))
    assert iobench()[0] == code
    assert iobench("--json")[0] == code


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--baseline", "iodrve"), "did you mean 'iodrive'"),
        (("--metric", "throughputt"), "did you mean 'throughput'"),
        (("--claims", "talk-2010"), "did you mean 'talk-2011'"),
        (("--resolution", "lots"), "write it as 2% or 0.02"),
        (("20250101-000001",), "did you mean '20250101-000000'"),
    ],
)
def test_what_is_typed_wrong_exits_2_with_a_hint(make_campaign, iobench, argv, said):
    make_campaign(*three())
    code, out, err = iobench(*argv)
    assert (code, out) == (2, "")
    assert said in err


def test_resolution_is_used(make_campaign, iobench):
    make_campaign(*three())
    assert iobench("--resolution", "0.01%")[1].count("no difference shown") == 0


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.05", 0.05), (" 2.5 % ", 0.025), ("0", 0)])
def test_shares(text, share):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "nan", "-1%", "100%", "2", "2%%", "inf"])
def test_what_is_no_share(text):
    with pytest.raises(UsageError, match="resolution"):
        parse_share(text)


def test_a_campaign_without_its_packed_copy_is_packed_once_and_said(iobench, make_campaign, monkeypatch):
    monkeypatch.setattr("iobench.results.tables.MANY", 2)
    make_campaign(*three())
    (first, out, said), (second, again, quiet) = iobench("--json"), iobench("--json")
    assert (first, out) == (second, again)
    assert "has no packed copy" in said and "its 15 steps are read one by one, and packed for the next time" in said
    assert quiet == ""


def test_what_tells_rows_of_one_load_apart_stands_beside_the_load(make_campaign):
    works = [Measured("a", {"throughput": (1e8, 1e8)}, params={"queue": n}) for n in (1, 2)]
    text = shown(compare([make_campaign(*works)]), 60)
    assert [line.split()[:2] for line in text.splitlines() if "queue" in line] == [["queue", "1"], ["queue", "2"]]
