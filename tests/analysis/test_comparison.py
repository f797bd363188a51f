"""compare(): rows, baselines, verdicts, pooled campaigns and merged latencies, from stored campaigns."""

from __future__ import annotations

import pytest
from stored import Measured

from iobench.analysis import claims
from iobench.analysis.compare import compare
from iobench.analysis.types import Difference
from iobench.errors import ResultsError, UsageError
from iobench.model import Emulation, Verdict

NOISE = (1.0, 1.002, 0.999, 1.001, 0.998)
OTHER_NOISE = (0.999, 0.998, 1.002, 1.0, 1.001)


def rate(target, value, n=5, noise=NOISE, **more):
    return Measured(target, {"throughput": [value * part for part in noise[:n]]}, **more)


def three(**more):
    return rate("iodrive", 500e6, **more), rate("sas", 150e6, **more), rate("ssd", 250e6, **more)


def test_ratios_to_sas(make_campaign):
    comparison = compare([make_campaign(*three())])
    assert comparison.baseline == "sas"
    assert [drive.name for drive in comparison.drives] == ["iodrive", "sas", "ssd"]
    (row,) = comparison.rows
    assert (row.workload, row.op, row.metric, row.unit, row.load) == ("seq-read", "read", "throughput", "B/s", 8)
    assert row.targets["iodrive"].n == 5
    assert row.targets["iodrive"].median == pytest.approx(500e6)
    assert set(row.ratios) == {"iodrive", "ssd"}
    ratio = row.ratios["iodrive"]
    assert ratio.ratio == pytest.approx(10 / 3)
    assert ratio.difference is Difference.HIGHER
    assert 3.2 < ratio.ci95[0] <= ratio.ratio <= ratio.ci95[1] < 3.5


def test_the_baseline_is_asked_or_the_last(make_campaign):
    folder = make_campaign(*three())
    assert compare([folder], "ssd").rows[0].ratios["sas"].difference is Difference.LOWER
    other = make_campaign(rate("a", 1e8), rate("b", 2e8), id="20250102-000000")
    assert compare([other]).baseline == "b"


def test_an_unknown_baseline_or_metric_names_the_nearest(make_campaign):
    folder = make_campaign(*three())
    with pytest.raises(UsageError, match="did you mean 'iodrive'"):
        compare([folder], "iodrve")
    with pytest.raises(UsageError, match="did you mean 'throughput'"):
        compare([folder], metrics=["througput"])


def test_one_target_has_figures_without_ratios(make_campaign):
    comparison = compare([make_campaign(rate("disk", 1e8))])
    assert comparison.baseline is None
    assert comparison.rows[0].ratios == {}
    assert comparison.rows[0].targets["disk"].ci95 is not None


def test_equal_drives_show_no_difference(make_campaign):
    folder = make_campaign(rate("a", 100e6), rate("b", 100.2e6))
    assert compare([folder]).rows[0].ratios["a"].difference is Difference.NONE_SHOWN
    # A throttle hardly spreads: the interval excludes 1, and 1 % is still under what the tool has proven.
    near = make_campaign(rate("a", 101e6), rate("b", 100e6), id="20250102-000000")
    ratio = compare([near]).rows[0].ratios["a"]
    assert ratio.ci95[0] > 1
    assert ratio.difference is Difference.NONE_SHOWN
    assert compare([near], resolution=0.005).rows[0].ratios["a"].difference is Difference.HIGHER


def test_one_round_has_no_interval_and_shows_nothing(make_campaign):
    row = compare([make_campaign(*three(n=1))]).rows[0]
    assert row.targets["iodrive"].ci95 is None
    assert row.ratios["iodrive"].ratio == pytest.approx(10 / 3)
    assert row.ratios["iodrive"].ci95 is None
    assert row.ratios["iodrive"].difference is Difference.NONE_SHOWN


def test_three_rounds_show_a_threefold(make_campaign):
    assert compare([make_campaign(*three(n=3))]).rows[0].ratios["iodrive"].difference is Difference.HIGHER


def test_the_worst_repeat_marks_the_figure(make_campaign):
    suspect = {
        2: (Verdict.SUSPECT, "too-short"),
        3: (Verdict.SUSPECT, "client-bound"),
        4: (Verdict.SUSPECT, "client-bound"),
    }
    folder = make_campaign(
        rate("iodrive", 500e6, unsound={1: (Verdict.INVALID, "page-cache")}),
        rate("ssd", 250e6, unsound=suspect),
        rate("sas", 150e6),
    )
    row = compare([folder]).rows[0]
    assert row.targets["iodrive"].verdict is Verdict.INVALID
    assert row.targets["iodrive"].reasons == ("page-cache",)
    assert row.targets["ssd"].verdict is Verdict.SUSPECT
    assert row.targets["ssd"].reasons == ("client-bound", "too-short")
    # A page cache's rate is kept and its ratio shown, but it shows no difference between drives.
    assert row.ratios["iodrive"].ratio == pytest.approx(10 / 3)
    assert row.ratios["iodrive"].difference is Difference.NONE_SHOWN
    assert row.ratios["ssd"].difference is Difference.HIGHER


def test_a_missing_repeat_is_missing_and_not_nought(make_campaign):
    folder = make_campaign(Measured("a", {"throughput": [1e8, None, 1.1e8]}), rate("b", 2e8, n=3))
    row = compare([folder]).rows[0]
    assert row.targets["a"].n == 2
    assert row.targets["a"].rounds == (1, 3)
    assert row.ratios["a"].ratio == pytest.approx(1.05e8 / 2e8, rel=0.01)


def test_nothing_over_nought_has_no_ratio(make_campaign):
    folder = make_campaign(Measured("a", {"misses": [1.0, 2.0]}), Measured("b", {"misses": [0.0, 0.0]}))
    row = compare([folder]).rows[0]
    assert row.ratios == {}
    assert row.targets["b"].median == 0


def test_a_round_without_a_percentile_still_gives_its_bins(make_campaign):
    # The second round has 110 operations, too few for a p99 of its own; of all 1100 the slow ones are under 1 %.
    bins = ({100_000: 495}, {100_000: 100, 10_000_000: 10}, {100_000: 495})
    one = Measured("a", {"latency_p50": [1e-4] * 3, "latency_p99": [1e-4, None, 1e-4]}, bins=bins)
    other = Measured("b", {"latency_p50": [1e-4] * 3, "latency_p99": [1e-4] * 3}, bins=({100_000: 500},) * 3)
    rows = {row.metric: row for row in compare([make_campaign(one, other)]).rows}
    estimate = rows["latency_p99"].targets["a"]
    assert (estimate.n, estimate.rounds) == (3, (1, 2, 3))
    assert estimate.median == pytest.approx(1e-4, rel=0.002)
    assert estimate.values[1] == pytest.approx(1e-2, rel=0.002)
    assert estimate.ci95[1] >= 9e-3, "the slow round is drawn thrice in some resamples"


def test_a_percentile_of_too_few_operations_is_no_row(make_campaign):
    def rows(id, *counts):
        bins = [{100_000: count} for count in counts]
        one = Measured("a", {"latency_p50": [1e-4] * len(counts)}, bins=bins)
        return {row.metric for row in compare([make_campaign(one, id=id)]).rows}

    # 499 operations have under five beyond their p99, wherever they were counted; 500 have five.
    assert rows("20250101-000000", 200, 299) == {"latency_p50", "latency_p90", "latency_p95"}
    assert rows("20250102-000000", 200, 300) == {"latency_p50", "latency_p90", "latency_p95", "latency_p99"}


def test_latencies_are_merged(make_campaign):
    bins = ({100_000: 990}, {100_000: 100, 10_000_000: 10})
    slow = Measured(
        "a", {"latency_p99": [1e-4, 1e-2], "latency_mean": [1e-4, 1e-3], "latency_max": [2e-4, 3e-2]}, bins=bins
    )
    rows = {row.metric: row.targets["a"] for row in compare([make_campaign(slow)]).rows}
    assert rows["latency_p99"].median == pytest.approx(1e-4, rel=0.002)
    assert rows["latency_p99"].values == (1e-4, 1e-2)
    assert rows["latency_mean"].median == pytest.approx((990 * 1e-4 + 110 * 1e-3) / 1100)
    assert rows["latency_max"].median == 3e-2


def test_without_bins_the_median_of_percentiles_stands(make_campaign):
    one = Measured("a", {"latency_p99": [1e-4, 3e-4, 2e-3]})
    assert compare([make_campaign(one)]).rows[0].targets["a"].median == 3e-4


def test_rows_stand_by_load_and_known_metrics(make_campaign):
    folder = make_campaign(
        *(
            Measured("a", {"iops": [1e3], "throughput": [4e6]}, workload="rand-read", load=load, params={"depth": load})
            for load in (64, 1, 8)
        )
    )
    found = [(row.load, row.metric) for row in compare([folder]).rows]
    assert found == [(load, metric) for load in (1, 8, 64) for metric in ("throughput", "iops")]
    assert {row.metric for row in compare([folder], metrics=["iops"]).rows} == {"iops"}


def test_before_and_after_are_two_drives(make_campaign):
    first = make_campaign(*three(n=3))
    second = make_campaign(*three(n=2), id="20250102-000000")
    comparison = compare([first, second], called=("before", "after"))
    assert [drive.name for drive in comparison.drives if "sas" in drive.name] == ["sas (before)", "sas (after)"]
    assert [drive.name for drive in comparison.drives][:2] == ["iodrive (before)", "iodrive (after)"]
    assert comparison.baseline == "sas (before)"
    assert compare([first, second], "ssd").baseline == "ssd (20250101-000000)"
    assert [row.targets["sas (after)"].n for row in comparison.rows] == [2]


def test_campaigns_of_one_drive_are_pooled_where_it_is_asked_for(make_campaign):
    first = make_campaign(*three(n=3))
    second = make_campaign(*three(n=2), id="20250102-000000")
    comparison = compare([first, second, first], pool=True)
    assert comparison.campaigns == ("20250101-000000", "20250102-000000")
    estimate = comparison.rows[0].targets["sas"]
    assert estimate.n == 5
    assert len(set(estimate.rounds)) == 5
    assert any("sas: the same drive" in str(note) for note in comparison.notes)


def test_two_drives_of_one_name_carry_their_campaign(make_campaign):
    first = make_campaign(rate("sas", 150e6))
    second = make_campaign(rate("sas", 300e6), id="20250102-000000", serials={"sas": "another"})
    comparison = compare([first, second], pool=True)
    assert [drive.name for drive in comparison.drives] == ["sas (20250101-000000)", "sas (20250102-000000)"]
    assert comparison.baseline == "sas (20250101-000000)"
    assert comparison.rows[0].ratios["sas (20250102-000000)"].ratio == pytest.approx(2)


def test_an_emulated_drive_made_anew_is_the_same_drive(make_campaign):
    ids = ("20250101-000000", "20250102-000000", "20250103-000000")
    set_to = (Emulation("sas", read_bps=150e6, notes=("made on loop1",)), Emulation("sas", read_bps=150e6))
    slower = Emulation("sas", read_bps=140e6)
    first, again, other = (
        make_campaign(*three(n=2), id=id, emulated={"sas": emulation})
        for id, emulation in zip(ids, (*set_to, slower), strict=True)
    )
    assert compare([first, again], pool=True).rows[0].targets["sas"].n == 4
    assert "sas (20250103-000000)" in compare([first, other], pool=True).rows[0].targets


def test_an_emulated_drive_says_what_it_was_set_to(make_campaign):
    emulation = Emulation("sas", read_bps=150e6)
    comparison = compare([make_campaign(*three(), emulated={"sas": emulation})])
    assert {drive.name: drive.emulated for drive in comparison.drives} == {"iodrive": False, "sas": True, "ssd": False}


def test_unfinished_campaigns_say_so_and_empty_ones_are_refused(make_campaign):
    half = make_campaign(*three(), unfinished=5)
    comparison = compare([half])
    assert "20250101-000000: 10 of 15 steps are finished; `iobench resume 20250101-000000` goes on" in map(
        str, comparison.notes
    )
    assert "20250101-000000: ssd has no finished step yet" in map(str, comparison.notes)
    assert [drive.name for drive in comparison.drives] == ["iodrive", "sas"]
    none = make_campaign(rate("a", 1e8), id="20250102-000000", unfinished=5)
    with pytest.raises(ResultsError, match="nothing was measured yet"):
        compare([none])


# --- claims --------------------------------------------------------------------------------------------


def results(comparison):
    return {claim.id: claim.result.value for claim in comparison.claims}


def sentences(comparison):
    return {claim.id: claim.sentence for claim in comparison.claims}


def judged(*folders):
    return compare(folders, rules=claims.load("talk-2011"))


def test_claims_of_the_talk(make_campaign):
    comparison = judged(make_campaign(*three()))
    assert results(comparison) == {
        "seq-read-iodrive": "reproduced",
        "seq-read-vs-sas": "reproduced",
        "seq-read-vs-ssd": "reproduced",
        "seq-write-vs-sas": "not-measured",
        "random-stable": "not-measured",
        "oltp-stable": "not-measured",
        "server-vs-ordinary": "not-measured",
        "kvs-no-data-lost": "not-measured",
    }
    assert "3.33 times sas" in sentences(comparison)["seq-read-vs-sas"]


def test_a_claim_is_refuted_or_undecided(make_campaign):
    slow = make_campaign(rate("iodrive", 300e6), rate("sas", 150e6))
    assert results(judged(slow))["seq-read-vs-sas"] == "not-reproduced"
    edge = make_campaign(rate("iodrive", 450.3e6), rate("sas", 150e6, noise=OTHER_NOISE), id="20250102-000000")
    assert results(judged(edge))["seq-read-vs-sas"] == "undecided"


def test_loads_that_disagree_decide_nothing(make_campaign):
    works = [rate("iodrive", value, load=load) for load, value in ((1, 300e6), (8, 500e6))]
    works += [rate("sas", 150e6, load=load) for load in (1, 8)]
    assert results(judged(make_campaign(*works)))["seq-read-vs-sas"] == "undecided"


def test_few_repeats_and_unsound_figures_support_no_claim(make_campaign):
    few = judged(make_campaign(*three(n=3)))
    assert results(few)["seq-read-vs-sas"] == "undecided"
    assert "--repeats 5" in sentences(few)["seq-read-vs-sas"]
    works = (rate("iodrive", 500e6, unsound={2: (Verdict.SUSPECT, "too-short")}), rate("sas", 150e6))
    marked = judged(make_campaign(*works, id="20250102-000000"))
    assert results(marked)["seq-read-iodrive"] == "undecided"
    assert "too-short" in sentences(marked)["seq-read-iodrive"]


def test_a_claim_of_an_emulated_drive_says_that_it_was_set_so(make_campaign):
    comparison = judged(make_campaign(*three(), emulated={"iodrive": Emulation("iodrive", read_bps=5e8)}))
    assert sentences(comparison)["seq-read-iodrive"].endswith("emulated, and set so: iodrive (reads 500 MB/s)")


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ({1: 50e6, 8: 300e6, 32: 310e6, 64: 305e6}, "reproduced"),
        ({8: 300e6, 64: 200e6}, "not-reproduced"),
        ({8: 300e6, 64: 270.3e6}, "undecided"),
        ({1: 300e6, 8: 300e6}, "not-measured"),
    ],
)
def test_stability(make_campaign, values, result):
    works = [
        rate("iodrive", value, noise=OTHER_NOISE if load == 8 else NOISE, workload="dbench", op="all", load=load)
        for load, value in values.items()
    ]
    assert results(judged(make_campaign(*works)))["random-stable"] == result


@pytest.mark.parametrize(
    ("emulation", "result"),
    [
        (Emulation("iodrive", throttle_only=True), "undecided"),
        (Emulation("iodrive", read_bps=300e6), "undecided"),
        (Emulation("iodrive", latency_s=0.001, parallel=8), "reproduced"),
    ],
)
def test_a_rate_alone_shows_no_stability(make_campaign, emulation, result):
    works = [rate("iodrive", 300e6, workload="dbench", op="all", load=load) for load in (8, 64)]
    comparison = judged(make_campaign(*works, emulated={"iodrive": emulation}))
    assert results(comparison)["random-stable"] == result
    assert ("flat by construction" in sentences(comparison)["random-stable"]) == (result == "undecided")


def test_a_claim_of_writing_takes_the_rate_and_not_the_time(make_campaign):
    works = [
        Measured(name, {"elapsed": [1e9 / speed] * 5, "throughput": [speed * n for n in NOISE]}, workload="dd-write")
        for name, speed in (("iodrive", 150e6), ("sas", 145e6))
    ]
    comparison = judged(make_campaign(*works))
    assert results(comparison)["seq-write-vs-sas"] == "reproduced"
    assert "1.03 times" in sentences(comparison)["seq-write-vs-sas"]


@pytest.mark.parametrize(
    ("lost", "result"), [([0.0] * 5, "reproduced"), ([0.0, 0, 0, 0, 2], "not-reproduced"), ([0.0] * 3, "undecided")]
)
def test_nothing_lost(make_campaign, lost, result):
    work = Measured("iodrive", {"lost": lost, "corrupt": [0.0] * len(lost)}, workload="kvs", op="all")
    assert results(judged(make_campaign(work)))["kvs-no-data-lost"] == result


def test_a_count_that_was_not_taken_is_not_nought(make_campaign):
    work = Measured("iodrive", {"lost": [0.0] * 5}, workload="kvs", op="all")
    assert results(judged(make_campaign(work)))["kvs-no-data-lost"] == "not-measured"
