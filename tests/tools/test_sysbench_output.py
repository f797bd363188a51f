"""sysbench 1.0.20's output, with our reports and as its own text, as it was really printed; cut short and mutated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.errors import ParseError
from iobench.tools import sysbench

FIXTURES = Path(__file__).parent.parent / "fixtures" / "sysbench-1.0.20"


def text(name: str) -> str:
    return (FIXTURES / name).read_bytes().decode()


def test_our_reports_leave_the_warm_up_out() -> None:
    run = sysbench.parse(text("read_write-json.txt"), 2)
    assert run.measured.seconds == pytest.approx(5.0, abs=0.05)
    assert run.measured.queries == run.measured.reads + run.measured.writes + run.measured.other
    assert run.measured.reads == pytest.approx(14 * run.measured.transactions, rel=0.01)
    assert len(run.seconds) == 5
    assert sum(second.transactions for second in run.seconds) == pytest.approx(run.measured.transactions, rel=0.02)


def test_the_histogram_holds_each_measured_transaction() -> None:
    run = sysbench.parse(text("read_write-json.txt"), 2)
    assert sum(run.bins.values()) == run.measured.transactions
    mean = sum(ns * count for ns, count in run.bins.items()) / sum(run.bins.values()) / 1e9
    assert run.measured.latency_mean == pytest.approx(mean, rel=0.02)
    assert max(run.bins) / 1e9 == pytest.approx(run.measured.latency_max, rel=0.02)


def test_a_paced_run_without_a_warm_up() -> None:
    run = sysbench.parse(text("write_only-rate-json.txt"), 0)
    assert len(run.seconds) == 3
    assert run.measured.transactions / run.measured.seconds == pytest.approx(50, rel=0.3)


def test_of_a_run_whose_server_died_its_words_are_left() -> None:
    said = text("server-killed-json.txt")
    with pytest.raises(ParseError, match="raw/stdout has 1 of 2 full reports"):
        sysbench.parse(said, 1, "raw/stdout")
    assert "error 2013" in (sysbench.fatal(said) or "")


def test_cut_short_before_the_last_report_is_an_error() -> None:
    whole = text("read_write-json.txt")
    for cut in range(0, whole.rindex('{"report"'), 97):
        with pytest.raises(ParseError):
            sysbench.parse(whole[:cut], 2)
    with pytest.raises(ParseError, match="cannot be read"):
        sysbench.parse(whole.rstrip()[:-40], 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"events":', '"events":-'),
        ('"events":', '"events":1e400,"x":'),
        ('"time_interval":', '"x":'),
        ('"time_total":', '"time_total":null,"x":'),
        ('"reads":', '"reads":"x","y":'),
        ('{"report":"cumulative"', '{"report":"other"'),
        ('{"report":', '{"report":' + "[" * 100_000),
    ],
)
def test_reports_that_are_none(old: str, new: str) -> None:
    with pytest.raises(ParseError, match="report"):
        sysbench.parse(text("read_write-json.txt").replace(old, new), 2)


def test_sysbenchs_own_text() -> None:
    run = sysbench.parse_text(text("read_write-text.txt"))
    assert (run.version, run.threads, run.rate) == ("1.0.20", 4, None)
    assert run.report == sysbench.Report(3.0077, 1313, 18382, 5252, 2626, 0, 0, 0.00914, pytest.approx(0.11421))
    assert run.percentile == (99, 0.05684)
    assert run.rates == ((1.0, 388.16), (2.0, 416.20), (3.0, 504.38))
    assert sum(run.bins.values()) == 1313


def test_its_text_of_a_paced_run_without_a_series() -> None:
    run = sysbench.parse_text(text("point_select-text.txt"))
    assert (run.threads, run.rate, run.rates, run.bins) == (1, 100.0, (), {})
    assert run.percentile == (95, 0.00281)


def test_its_text_cut_short_is_an_error_that_names_the_file() -> None:
    whole = text("point_select-text.txt")
    for cut in range(whole.index("total number")):
        try:
            sysbench.parse_text(whole[:cut], "x.txt")
        except ParseError as error:
            assert "x.txt" in str(error)
        else:
            assert "total time:" in whole[:cut]


NAMES = ("read_write-json.txt", "read_write-text.txt")


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(NAMES), st.floats(0, 1), st.integers(0, 60), st.text(max_size=12))
def test_a_mutated_output_gives_figures_or_parse_error(name: str, where: float, length: int, new: str) -> None:
    whole = text(name)
    at = int(where * len(whole))
    mutated = whole[:at] + new + whole[at + length :]
    try:
        run = sysbench.parse_text(mutated) if name.endswith("text.txt") else sysbench.parse(mutated, 2)
    except ParseError:
        return
    report = run.report if isinstance(run, sysbench.TextRun) else run.measured
    assert report.seconds > 0
    assert min(report.transactions, report.queries, report.errors) >= 0
    assert all(ns > 0 and count > 0 for ns, count in run.bins.items())


def test_the_command_holds_no_password_and_uniform_keys() -> None:
    argv = sysbench.argv(sysbench.Load("write_only", 2, 1000, 16, 2, 10), "/x/connect", "w.lua")
    assert "--config-file=/x/connect" in argv
    assert {"--rand-type=uniform", "--time=12", "--report-checkpoints=2", "--threads=16", "--rate=0"} <= set(argv)
    assert not any("password" in word for word in argv)


@pytest.mark.parametrize("profile", sysbench.PROFILES)
def test_each_profile_has_its_script(profile: str) -> None:
    script = Path(sysbench.argv(sysbench.Load(profile, 1, 1, 1, 0, 1), "c")[-2])
    assert f'require("oltp_{profile}")' in script.read_text()


def test_a_configuration_that_sysbench_reads_back() -> None:
    said = sysbench.config({"socket": "s", "password": 'a"b #c=d'})
    assert said == 'mysql-socket="s"\nmysql-password=\'a"b #c=d\'\n'
    for bad in ("a\nb", "'\"", "x" * 300):
        with pytest.raises(ValueError, match="password"):
            sysbench.config({"password": bad})


def test_after_a_checkpoint_the_rate_tells_the_time() -> None:
    said = text("read_only-checkpoint-text.txt")
    report = sysbench.parse_text(said).report
    assert report.seconds == pytest.approx(2.0, abs=0.1), "the run took 4 s; its first two were not counted"
    assert f"({report.transactions / report.seconds:.2f} per sec.)" in said
