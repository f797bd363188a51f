"""Findings: what the report says, and what it must not say."""

import pytest
from making import comparison, curve, drive, estimate, row, usual

from iobench.analysis import claims
from iobench.analysis.types import Comparison
from iobench.errors import UsageError
from iobench.model import Verdict
from iobench.report import charts, findings, labels
from iobench.report.findings import Kind
from iobench.texts import Words

WORDS = Words("en")


def titles(what: Comparison) -> dict[str, str]:
    return {c.spec.id: c.spec.title for c in charts.charts(what, WORDS)}


def sentences(what: Comparison) -> list[str]:
    names = labels.said_labels(what, WORDS)
    return [findings.sentence(f, WORDS, names) for c in charts.charts(what, WORDS) for f in c.findings]


def test_five_sound_rounds_are_a_claim() -> None:
    said = titles(usual())
    assert said["seq-read-throughput"] == "iodrive reads 3.4 times as fast as sas"
    assert said["dd-write-elapsed"] == "ssd takes 0.82 times as long as sas to create the file"
    assert "iodrive reads 3.4 times as fast as sas (95 % interval 3.2 to 3.5; 5 repeats)" in sentences(usual())


def test_three_rounds_claim_nothing() -> None:
    said = titles(usual(n=3))
    assert said["seq-read-throughput"] == "Sequential read: iodrive 3.4× sas (quick look, 3 rounds)"
    assert not any("times" in text or " is stable" in text for text in sentences(usual(n=3)))


def test_a_suspect_result_claims_nothing_and_is_named() -> None:
    figures = {"iodrive": estimate(5e8, verdict=Verdict.SUSPECT, reasons=("background-io",)), "sas": 1.5e8}
    what = comparison([drive("iodrive"), drive("sas")], [row("seq-read", "throughput", figures)])
    assert titles(what) == {"seq-read-throughput": "Sequential read: iodrive 3.3× sas (marked background-io)"}


def test_an_invalid_result_is_left_out_and_said_to_be() -> None:
    figures = {"iodrive": estimate(5e9, verdict=Verdict.INVALID, reasons=("page-cache",)), "sas": 1.5e8}
    what = comparison([drive("iodrive"), drive("sas")], [row("seq-read", "throughput", figures)])
    assert titles(what) == {"seq-read-throughput": "Sequential read: not sound (page-cache)"}
    assert sentences(what) == ["Sequential read: not sound, left out: iodrive (page-cache)"]


def test_an_invalid_baseline_takes_the_ratio_with_it() -> None:
    figures = {"iodrive": 5e8, "sas": estimate(1.5e9, verdict=Verdict.INVALID, reasons=("page-cache",))}
    what = comparison([drive("iodrive"), drive("sas")], [row("seq-read", "throughput", figures)])
    assert "times" not in titles(what)["seq-read-throughput"]


def test_no_difference_is_said_as_such() -> None:
    what = comparison([drive("a"), drive("sas")], [row("seq-write", "throughput", {"a": 1.5e8, "sas": 1.49e8})])
    assert titles(what)["seq-write-throughput"] == "Sequential write: no difference shown between a and sas"


def test_the_title_speaks_of_the_best_drive_not_of_the_worst() -> None:
    names = ("fast", "slow", "sas")
    what = comparison(
        [drive(n) for n in names],
        [row("seq-read", "throughput", dict(zip(names, (3e8, 1e5, 1e8), strict=True)))],
    )
    assert titles(what)["seq-read-throughput"].startswith("fast reads 3.0 times")


def test_one_drive_has_figures_without_ratios() -> None:
    what = comparison([drive("disk", False)], [row("seq-read", "throughput", {"disk": 5e8}, baseline=None)], None)
    assert titles(what) == {"seq-read-throughput": "Sequential read: disk 500 MB/s"}


def test_an_emulated_drive_beside_a_real_one_is_called_so_in_prose() -> None:
    what = comparison(
        [drive("iodrive"), drive("sas", False)], [row("seq-read", "throughput", {"iodrive": 5e8, "sas": 1.5e8})]
    )
    assert titles(what)["seq-read-throughput"] == "iodrive (emulated) reads 3.3 times as fast as sas"


def steady(*values: float, n: int = 5, spread: float = 0.03) -> Comparison:
    loads = (1, 8, 16, 64)
    rows = [
        row("rand-read", "iops", {"sas": estimate(value, n, spread)}, load=load, baseline=None)
        for load, value in zip(loads, values, strict=True)
    ]
    return comparison([drive("sas")], rows, None)


def test_stability_is_the_least_rate_over_the_greatest_from_8_up() -> None:
    said = "Random read: sas is stable: from 8 to 64 its lowest IOPS is 97 % of its highest"
    assert any(text.startswith(said) for text in sentences(steady(300, 2000, 2000, 1940)))
    # The lowest need not be the last: a dip between is as unstable as a fall at the end.
    for values in ((300, 2000, 1000, 2000), (300, 2000, 2000, 1000), (300, 1000, 2000, 2000)):
        (text,) = [text for text in sentences(steady(*values)) if "its highest" in text]
        assert text.startswith("Random read: from 8 to 64 the lowest IOPS of sas is 50 % of its highest (95 % interval")


def test_what_the_interval_does_not_show_is_not_called_stable() -> None:
    what = steady(300, 2000, 2000, 1840)  # 0.92, and paired rounds leave no spread
    assert any("is stable" in text for text in sentences(what))
    rows = [*what.rows[:3], row("rand-read", "iops", {"sas": estimate(1840, spread=0.3)}, load=64, baseline=None)]
    assert not any("is stable" in text for text in sentences(comparison([drive("sas")], rows, None)))
    assert not any("is stable" in text for text in sentences(steady(300, 2000, 2000, 1940, n=3)))


def test_the_report_and_a_claim_measure_stability_alike() -> None:
    what = steady(300, 2000, 1900, 1940)
    rule = claims.Rule("s", "rand-read", "s", claims.Stable("sas", "outstanding", 8, 0.9))
    (claim,) = claims.evaluate([rule], what.rows, what.drives)
    (share,) = findings.shares(what, what.rows)
    assert share.value == pytest.approx(0.95) and "is 0.95 of the greatest" in claim.sentence
    assert share.interval is not None
    assert f"({share.interval[0]:.3g} to {share.interval[1]:.3g})" in claim.sentence


def test_a_drive_without_the_highest_load_has_no_stability() -> None:
    rows = [row("rand-read", "iops", {"sas": 1e3, "ssd": 5e3}, load=load) for load in (1, 8, 16)]
    rows.append(row("rand-read", "iops", {"sas": 1e3}, load=64))
    found = findings.shares(comparison([drive("ssd"), drive("sas")], rows), rows)
    assert [f.drive for f in found] == ["sas"] and found[0].kind is Kind.SHARE


def test_latency_is_spoken_of_with_its_name() -> None:
    what = comparison([drive("iodrive"), drive("sas")], curve(("iodrive", "sas"), (42_000, 990), (1, 8, 64)))
    assert titles(what)["rand-read-latency-p99"].startswith("Random read at 64: the p99 latency of iodrive is 0.02")


@pytest.mark.parametrize(
    ("value", "text"), [(3.41, "3.4×"), (0.97, "0.97×"), (0.0024, "0.0024×"), (35.84, "35.8×"), (1666.7, "1,667×")]
)
def test_ratios_keep_two_digits(value: float, text: str) -> None:
    assert labels.ratio_text(value) == text


def test_names_lose_what_could_harm() -> None:
    assert labels.clean("a\x1b[31m\nb\u202ec\ud800") == "a[31m bc\N{REPLACEMENT CHARACTER}"
    assert len(labels.clean("x" * 10_000)) == 400


def test_an_unknown_language_names_the_known() -> None:
    with pytest.raises(UsageError, match="en"):
        Words("english")


def test_a_time_without_answers_is_named_as_such() -> None:
    figures = {"iodrive": 1.0, "sas": 1.0}
    what = comparison(
        [drive("iodrive"), drive("sas")], [row("kvs", "outage", figures, op="all", params={"ttl": "0 s"})]
    )
    assert (
        titles(what)["kvs-outage"]
        == "Key-value store, time without answers: no difference shown between iodrive and sas"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [("4Ki", "values of 4 KiB"), ("100", "values of 100 B"), ("100:9,4Ki:1", "values of 100:9,4Ki:1")],
)
def test_sizes_of_values_are_said_as_people_read_them(typed: str, said: str) -> None:
    of_kvs = row("kvs", "hits", {"sas": 1.0}, op="get", params={"value_size": typed})
    assert labels.said_params([of_kvs], WORDS) == said
