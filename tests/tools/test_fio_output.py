"""fio's JSON and logs, as fio 3.33 really wrote them, cut short and mutated."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.errors import ParseError
from iobench.tools import fio

FIXTURES = Path(__file__).parent.parent / "fixtures" / "fio-3.33"
OUTPUTS = sorted(path.name for path in FIXTURES.glob("*.json"))


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def only(name: str) -> fio.FioJob:
    (job,) = fio.parse(text(name)).jobs
    return job


def test_sequential_read_to_its_exact_figures() -> None:
    report = fio.parse(text("seq-read.json"))
    (job,) = report.jobs
    (read,) = job.directions
    assert (report.version, report.ended_at) == ("fio-3.33", 1795415851.918)
    assert (job.name, job.error, job.options["rw"], job.options["bs"]) == ("iobench", 0, "read", "1048576")
    assert (read.op, read.bytes, read.throughput, read.iops) == ("read", 1166016512, 772708092, 732.273028)
    assert (read.runtime_s, read.operations) == (1.509, 1105)
    assert read.latency_mean == pytest.approx(10875715.428058e-9, rel=1e-12)
    assert read.latency_max == pytest.approx(22578128e-9, rel=1e-12)
    # fio counts 1112 latencies for 1105 operations: those in flight at the ramp's end are in its bins.
    assert (len(read.bins), sum(read.bins.values())) == (76, 1112)
    assert job.cpu == pytest.approx(0.00729443 + 0.04442971)
    assert job.depth == pytest.approx(732.273028 * 0.010875715428058)


def test_a_group_of_two_threads_is_one_job_with_the_sum() -> None:
    (read,) = only("rand-read-group.json").directions
    assert (read.bytes, read.throughput, read.iops, read.operations) == (161267712, 161106605, 39326.673327, 39366)
    assert len(read.bins) == 332
    assert only("rand-read-group.json").depth == pytest.approx(8, rel=0.01)


def test_mixed_work_has_both_directions() -> None:
    read, write = only("rand-mixed.json").directions
    assert (read.op, read.iops, read.bytes, len(read.bins)) == ("read", 27293.706294, 111919104, 254)
    assert (write.op, write.iops, write.bytes, len(write.bins)) == ("write", 11557.442557, 47407104, 226)
    merged = fio.merged_bins((read, write))
    assert merged.op == "all"
    assert sum(merged.bins.values()) == 27323 + 11574
    shared = next(value for value in read.bins if value in write.bins)
    assert merged.bins[shared] == read.bins[shared] + write.bins[shared]


def test_bins_are_the_ones_in_the_file() -> None:
    (read,) = only("few.json").directions
    assert read.bins == {
        113152: 1, 124416: 1, 126464: 2, 127488: 2, 129536: 1, 130560: 1, 132096: 2,
        136192: 1, 138240: 1, 154624: 1, 162816: 1, 346112: 1, 675840: 1,
    }  # fmt: skip


def test_jobs_of_a_job_file_take_the_global_options() -> None:
    big, small = fio.parse(text("two-jobs.json")).jobs
    assert (big.name, big.options["bs"], big.options["rw"]) == ("big", "64k", "read")
    assert (small.name, small.options["bs"], small.options["rw"]) == ("small", "4k", "randwrite")
    assert [d.operations for d in (*big.directions, *small.directions)] == [128, 256]
    # Completion latencies stand in where fio was not asked for whole ones.
    assert sum(big.directions[0].bins.values()) == 128


def test_notices_before_the_document_are_passed_over() -> None:
    assert text("psync-notice.json").startswith("note: both iodepth >= 1 and synchronous I/O engine")
    (write,) = only("psync-notice.json").directions
    assert (write.op, write.operations, write.iops) == ("write", 6760, 13493.013972)
    assert only("psync-notice.json").depth == pytest.approx(0.987, abs=0.001)


def test_notices_after_the_document_are_passed_over() -> None:
    assert fio.parse(text("few.json") + "\nfio: terminating on signal 2\n") == fio.parse(text("few.json"))


def test_a_job_without_io_has_no_direction_and_no_zeros() -> None:
    job = only("no-io.json")
    assert (job.directions, job.depth) == ((), None)


def test_an_error_is_kept_with_what_was_done_before_it() -> None:
    job = only("enospc.json")
    assert job.error == 28
    assert [(d.op, d.operations, d.bytes) for d in job.directions] == [("write", 17, 1048576)]
    assert job.directions[0].bins == {}  # plain json has percentiles and no bins


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_cut_short_anywhere_is_an_error_that_names_the_file(name: str) -> None:
    whole = text(name).rstrip()
    for cut in range(0, len(whole), max(1, len(whole) // 60)):
        with pytest.raises(ParseError, match=r"raw/7/fio\.json is not JSON that fio 3 writes"):
            fio.parse(whole[:cut], "raw/7/fio.json")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("", "no line begins with {"),
        ("fio: killed\n", "no line begins with {"),
        ("{}", "it lacks 'fio version'"),
        ('{"fio version": "fio-3.33"}', "it lacks 'jobs'"),
        ('{"fio version": "fio-3.33", "jobs": [{}]}', "it lacks 'jobname'"),
        ("{" * 100_000, "fio 3 writes"),
        ('{"a":' * 100_000, "fio 3 writes"),
    ],
)
def test_what_is_no_output_of_fio_is_told(broken: str, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        fio.parse(broken)


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "1e300", "true", "null", '"5"', "[5]"])
def test_a_number_that_cannot_be_true_is_refused(value: str) -> None:
    changed = re.sub(r'"bw_bytes" : 349525333', f'"bw_bytes" : {value}', text("few.json"))
    assert changed != text("few.json")
    with pytest.raises(ParseError):
        fio.parse(changed)


# --- mutated ---------------------------------------------------------------------------------------------

_DOCUMENT = json.loads(text("few.json"))
_WORDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=6),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["mean", "bins", "max", "x", "-1"]), st.integers(-2, 9), max_size=2),
)


def _places(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = [path] if path else []
    for key, child in children:
        found += _places(child, (*path, key))
    return found


_PLACES = _places({key: _DOCUMENT[key] for key in _DOCUMENT if key != "disk_util"})
# What the parser looks at is hit more often than what it passes over.
_LOOKED_AT = [p for p in _PLACES if "read" in p or len(p) < 4]


_COMPACT = json.dumps({key: _DOCUMENT[key] for key in _DOCUMENT if key != "disk_util"})


def _reads_or_says_so(mutated: str) -> None:
    try:
        report = fio.parse(mutated)
    except ParseError as error:
        assert "fio.json" in str(error)
        return
    for direction in (d for job in report.jobs for d in job.directions):
        assert direction.operations > 0
        assert 0 <= direction.throughput < 1e19
        assert all(value >= 0 and count >= 0 for value, count in direction.bins.items())


@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(_LOOKED_AT), _WORDS, st.booleans())
def test_any_value_replaced_or_dropped_gives_rows_or_parse_error(
    place: tuple[str | int, ...], word: object, drop: bool
) -> None:
    document = json.loads(_COMPACT)
    node = document
    for key in place[:-1]:
        node = node[key]
    if drop:
        del node[place[-1]]
    else:
        node[place[-1]] = word
    _reads_or_says_so(json.dumps(document))


# --- logs ------------------------------------------------------------------------------------------------


def test_a_log_of_one_job() -> None:
    points = fio.parse_log(text("seq-read_bw.log"))
    assert [(p.t_s, p.metric, p.value) for p in points] == [
        (0.25, "read_throughput", 794624 * 1024),
        (0.5, "read_throughput", 723791 * 1024),
        (0.75, "read_throughput", 696320 * 1024),
        (1.0, "read_throughput", 806912 * 1024),
        (1.25, "read_throughput", 770048 * 1024),
        (1.5, "read_throughput", 736128 * 1024),
    ]


def test_a_log_of_two_jobs_is_summed_by_interval() -> None:
    # 250, 499, 750 of one thread and 250, 499, 749 of the other.
    values = [p.value / 1024 for p in fio.parse_log(text("rand-read-group_bw.log"))]
    assert values == [72048 + 72320, 74955 + 79518, 82016 + 83792]
    mean = sum(values) / len(values) * 1024
    assert mean == pytest.approx(only("rand-read-group.json").directions[0].throughput, rel=0.05)


def test_a_log_of_unix_times_starts_where_the_ramp_ended() -> None:
    log = text("unix-times_bw.log")
    report = fio.parse(text("unix-times.json"))
    began = fio.log_start(log, 250)
    assert began == 1795417315.267
    # fio wrote its report a moment after the window of two seconds was over.
    assert report.ended_at is not None
    assert 0 <= report.ended_at - (began + report.jobs[0].directions[0].runtime_s) < 0.1
    assert [p.t_s for p in fio.parse_log(log)] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
    assert fio.log_start(text("seq-read_bw.log"), 250) is None
    assert fio.log_start("", 250) is None


def test_an_interval_that_one_of_two_jobs_did_not_log_is_no_fall_of_the_rate() -> None:
    log = text("unix-times_bw.log")
    assert log.count("1795417317266") == 1  # a last line of one job alone
    values = [p.value / 1024 for p in fio.parse_log(log)]
    assert values[0] == 89768 + 89504
    assert values[-1] == 103872 + 103888
    assert len(values) == 7


def test_a_single_line_of_unix_times_is_one_interval() -> None:
    (point,) = fio.parse_log("1795417315517, 89768, 0, 0, 0\n")
    assert point.t_s == 1.0


def test_a_log_of_mixed_work_keeps_directions_apart() -> None:
    points = fio.parse_log(text("rand-mixed_bw.log"))
    assert [p.value / 1024 for p in points if p.metric == "read_throughput"] == [97648, 118682, 113904, 107296]
    assert [p.value / 1024 for p in points if p.metric == "write_throughput"] == [41760, 49670, 46608, 47328]


def test_a_log_of_one_line_keeps_its_time() -> None:
    (point,) = fio.parse_log("250, 53568, 1, 0, 0\n")
    assert (point.t_s, point.metric, point.value) == (0.25, "write_throughput", 53568 * 1024)


def test_an_empty_log_has_no_points() -> None:
    assert fio.parse_log("") == ()


def test_trims_are_no_reads_or_writes() -> None:
    assert fio.parse_log("1000, 5, 2, 0, 0\n") == ()


@pytest.mark.parametrize(
    "line", ["1000, 5", "1000,", "a, 5, 0", "-1, 5, 0", "1e3, 5, 0", "1000, 5, ２", "{", "1, 2, " + "9" * 40]
)
def test_a_line_that_is_no_log_is_an_error_that_names_the_file(line: str) -> None:
    with pytest.raises(ParseError, match=r"fio_bw\.log: .* is not a line of fio's log"):
        fio.parse_log(f"1000, 794624, 0, 0, 0\n{line}\n")


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 170), st.integers(0, 9), st.text(alphabet="0123456789, .-e\nx", max_size=8))
def test_a_mutated_log_gives_points_or_parse_error(at: int, length: int, new: str) -> None:
    whole = text("rand-mixed_bw.log")
    try:
        points = fio.parse_log(whole[:at] + new + whole[at + length :])
    except ParseError:
        return
    assert all(p.t_s >= 0 and p.value >= 0 for p in points)


# --- asking ----------------------------------------------------------------------------------------------


def test_the_command_of_a_measurement() -> None:
    job = fio.Job("randrw", "data", 1 << 30, 4096, 8, "libaio", numjobs=2, ramp_s=0.5, runtime_s=6.0, read_share=70)
    command = fio.measure(job, "/out")
    assert command.argv[0] == command.tool == "fio"
    for word in (
        "--filename=data",
        "--rw=randrw",
        "--bs=4096",
        "--iodepth=8",
        "--numjobs=2",
        "--size=536870912",
        "--offset_increment=536870912",
        "--rwmixread=70",
        "--runtime=6000ms",
        "--ramp_time=500ms",
        "--direct=1",
        "--output=/out/fio.json",
        "--log_avg_msec=500",
    ):
        assert word in command.argv
    assert command.timeout_s == 2 * 6.5 + 60


@pytest.mark.parametrize(
    ("said", "version"), [("fio-3.33", (3, 33)), ("fio-3.16-58-g1f\n", (3, 16)), ("3.33", None), ("", None)]
)
def test_versions(said: str, version: tuple[int, int] | None) -> None:
    assert fio.version(said) == version
