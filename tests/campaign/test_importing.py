"""Outputs that others made become a campaign that says it has no evidence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iobench.campaign import importing
from iobench.campaign.importing import Source
from iobench.errors import ParseError, UsageError
from iobench.results import Store

FIXTURES = Path(__file__).parent.parent / "fixtures"
FIO, DD = FIXTURES / "fio-3.33", FIXTURES / "dd-9.1"


def read(path: Path, target: str = "A", dd: str = "dd-write") -> list[importing.Found]:
    return importing.read(Source(path, target), dd)


# --- naming ----------------------------------------------------------------------------------------------


def test_a_file_is_named_after_itself_or_as_it_is_told(tmp_path: Path) -> None:
    plain, equals = tmp_path / "俺の ssd.json", tmp_path / "a=b.json"
    for path in (plain, equals):
        path.write_text("{}")
    assert importing.parse_source(str(plain)) == Source(plain, "俺の ssd")
    assert importing.parse_source(f"速い={plain}") == Source(plain, "速い")
    assert importing.parse_source(str(equals)) == Source(equals, "a=b")


@pytest.mark.parametrize("text", ["absent.json", "A=absent.json", "", "=", "A=", "/"])
def test_what_is_no_file_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"there is no file .* to import; give FILE or NAME=FILE"):
        importing.parse_source(text)


# --- reading ---------------------------------------------------------------------------------------------


def test_the_jobs_of_a_fio_output() -> None:
    big, small = read(FIO / "two-jobs.json")
    assert (big.work.workload, big.work.load, big.tool) == ("seq-read", 4, "fio-3.33")
    common = {"depth": 4, "jobs": 1, "engine": "libaio", "direct": True, "size": 8 << 20}
    assert big.work.params == {"block_size": 65536, **common}
    assert (small.work.workload, small.work.load, small.work.params["block_size"]) == ("rand-write", 2, 4096)
    values = {(s.op, s.metric): s.value for s in (*big.reading.samples, *small.reading.samples)}
    assert values["read", "throughput"] == 524288000
    assert values["write", "iops"] == 16000
    assert (big.reading.measured_s, big.reading.bytes_read, big.reading.bytes_written) == (0.016, 8388608, 0)


def test_a_group_of_jobs_is_one_measurement_of_their_load() -> None:
    (group,) = read(FIO / "rand-read-group.json")
    assert (group.work.workload, group.work.load, group.work.params["jobs"]) == ("rand-read", 8, 2)


def edited(folder: Path, name: str, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A captured output of fio, with something of it changed."""
    text = (FIO / name).read_text()
    document = json.loads(text[text.index("{") :])
    edit(document)
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def four_threads(document: dict[str, Any]) -> None:
    """What fio prints for numjobs=4 without group_reporting: four jobs of one name, group and text of options."""
    (job,) = document["jobs"]
    job["job options"]["numjobs"] = "4"
    document["jobs"] = [job] * 4


def test_the_threads_of_a_job_are_one_measurement_also_without_group_reporting(tmp_path: Path) -> None:
    (one,) = read(FIO / "seq-read.json")
    (four,) = read(edited(tmp_path, "seq-read.json", four_threads))
    assert (one.work.load, four.work.load, four.work.params["jobs"]) == (8, 32, 4)
    before = {(s.op, s.metric): s.value for s in one.reading.samples}
    after = {(s.op, s.metric): s.value for s in four.reading.samples}
    assert after["read", "throughput"] == 4 * before["read", "throughput"]
    assert after["read", "iops"] == pytest.approx(4 * before["read", "iops"])
    # Four equal histograms together: the same points, so no latency is four times as long.
    for metric in ("latency_mean", "latency_p50", "latency_p90", "latency_max"):
        assert after["read", metric] == pytest.approx(before["read", metric])
    assert four.reading.measured_s == one.reading.measured_s
    assert four.reading.bytes_read == 4 * (one.reading.bytes_read or 0)
    assert sum(four.reading.latencies[0].bins.values()) == 4 * sum(one.reading.latencies[0].bins.values())
    assert four.reading.depth_achieved == pytest.approx(4 * (one.reading.depth_achieved or 0))


def test_two_sections_of_four_threads_are_two_measurements(tmp_path: Path) -> None:
    def twice(document: dict[str, Any]) -> None:
        four_threads(document)
        document["jobs"] *= 2

    assert [found.work.load for found in read(edited(tmp_path, "seq-read.json", twice))] == [32, 32]


def test_equal_jobs_that_are_no_threads_of_one_stay_repeats(tmp_path: Path) -> None:
    def again(document: dict[str, Any]) -> None:
        document["jobs"] *= 2

    assert [found.work.load for found in read(edited(tmp_path, "seq-read.json", again))] == [8, 8]


@pytest.mark.parametrize(
    ("option", "values", "param"),
    [
        ("size", ("64m", "128m"), ("size", 64 << 20, 128 << 20)),
        ("size", ("50%", "64m"), ("size", "50%", 64 << 20)),
        ("runtime", ("10", "1m"), ("duration_s", 10.0, 60.0)),
        ("runtime", ("500ms", "soon"), ("duration_s", 0.5, "soon")),
        ("rwmixread", ("70", "90"), ("read_share", 70, 90)),
        ("rwmixwrite", ("30", "10"), ("read_share", 70, 90)),
    ],
)
def test_runs_of_other_work_are_no_repeats_of_each_other(
    tmp_path: Path, option: str, values: tuple[str, str], param: tuple[str, object, object]
) -> None:
    found = []
    for value in values:
        set_to = value

        def edit(document: dict[str, Any], value: str = set_to) -> None:
            document["jobs"][0]["job options"][option] = value

        found += read(edited(tmp_path, "rand-mixed.json", edit))
    assert tuple(each.work.params[param[0]] for each in found) == param[1:]
    folder = importing.keep(found, Store(tmp_path / "results"), 4 << 30)
    assert [step.repeat for step in folder.campaign().steps] == [1, 1]


def test_a_step_began_its_runtime_before_the_report(tmp_path: Path) -> None:
    ended = datetime.fromtimestamp(1795415851.918, UTC)
    (found,) = read(FIO / "seq-read.json")
    assert found.started_at is not None
    assert (ended - found.started_at).total_seconds() == pytest.approx(found.reading.measured_s, abs=1e-5)
    folder = importing.keep([found, *read(DD / "write.txt")], Store(tmp_path), 4 << 30)
    times = {row["tool"]: row["started_at"] for row in folder.read("samples").to_pylist()}
    assert times == {"fio-3.33": found.started_at, "dd": None}


def test_only_of_the_last_group_does_the_report_tell_the_time(tmp_path: Path) -> None:
    assert [found.started_at is None for found in read(FIO / "two-jobs.json")] == [True, False]

    def says(document: dict[str, Any]) -> None:
        document["jobs"][0]["job_start"] = 1795415917123
        document["jobs"][1]["job_start"] = 12345  # of another clock

    (big, small) = read(edited(tmp_path, "two-jobs.json", says))
    assert big.started_at == datetime.fromtimestamp(1795415917.123, UTC)
    assert small.started_at == read(FIO / "two-jobs.json")[1].started_at


def test_mixed_work() -> None:
    (mixed,) = read(FIO / "rand-mixed.json")
    assert (mixed.work.params["read_share"], mixed.work.params["duration_s"]) == (70, 1.0)
    assert mixed.work.workload == "rand-mixed"
    assert {s.op for s in mixed.reading.samples} == {"read", "write", "all"}


def test_an_error_in_an_output_is_kept() -> None:
    (full,) = read(FIO / "enospc.json")
    assert full.reading.errors == 28


@pytest.mark.parametrize(("dd", "op"), [("dd-write", "write"), ("dd-read", "read")])
def test_an_output_of_dd_in_the_direction_that_is_told(dd: str, op: str) -> None:
    (found,) = read(DD / "write.txt", dd=dd)
    assert (found.work.workload, found.work.load, found.tool) == (dd, 1, "dd")
    assert [(s.op, s.metric, s.value) for s in found.reading.samples] == [
        (op, "elapsed", 0.0329702),
        (op, "throughput", 16777216 / 0.0329702),
    ]


@pytest.mark.parametrize(
    ("option", "size"),
    [
        ("4k", 4096),
        ("4K", 4096),
        ("1m", 1 << 20),
        ("512", 512),
        ("4k,8k", 4096),
        ("4k-16k", 4096),
        ("1g", 1 << 30),
        ("64kb", 65536),
        ("64ki", 64000),  # fio has it the wrong way round, unless kb_base says otherwise
        ("x", 4096),
    ],
)
def test_block_sizes_as_fio_writes_them(tmp_path: Path, option: str, size: int) -> None:
    path = tmp_path / "few.json"
    path.write_text((FIO / "few.json").read_text().replace('"bs" : "64k"', f'"bs" : "{option}"'))
    (found,) = read(path)
    assert found.work.params["block_size"] == size


# --- what is none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is neither fio's JSON"),
        (b"\x00\xff\xfe PAR1", "is neither fio's JSON"),
        (b"1+0 records in\n", "is neither fio's JSON"),
        (b"64 bytes copied, 0 s, Infinity B/s\n", "no rate follows"),
        (b'{"fio version" : "fio-3.33", ', "is not JSON that fio 3 writes"),
        (b'{"fio version" : "fio-3.33", "jobs": []}', "holds no job that did I/O"),
    ],
)
def test_a_foreign_file_is_told_with_its_name(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "foreign.json"
    path.write_bytes(content)
    with pytest.raises(ParseError, match=says) as error:
        read(path)
    assert str(path) in str(error.value)


def test_an_output_without_io_is_told() -> None:
    with pytest.raises(ParseError, match=r"no-io\.json holds no job that did I/O"):
        read(FIO / "no-io.json")


def test_work_that_has_no_workload_here_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trim.json"
    path.write_text((FIO / "few.json").read_text().replace('"rw" : "read"', '"rw" : "trimwrite"'))
    with pytest.raises(ParseError, match=r"trim\.json: job 'few' has rw=trimwrite; read, write, randread"):
        read(path)


def test_a_file_too_large_to_be_a_report_is_told(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(importing.MOST_BYTES + 1)
    with pytest.raises(ParseError, match=r"huge\.json is larger than 64 MiB"):
        read(path)


# --- keeping ---------------------------------------------------------------------------------------------


def test_what_is_kept_says_that_nothing_proves_it(tmp_path: Path) -> None:
    found = [
        *read(FIO / "rand-mixed.json", "速い"),
        *read(FIO / "rand-mixed.json", "速い"),
        *read(DD / "write.txt", "sas"),
    ]
    folder = importing.keep(found, Store(tmp_path), 4 << 30)
    campaign = folder.campaign()
    assert campaign.imported
    assert (campaign.rounds, list(campaign.passports)) == (2, ["速い", "sas"])
    assert [(s.target, s.repeat) for s in campaign.steps] == [("速い", 1), ("速い", 2), ("sas", 1)]

    samples = folder.read("samples").to_pylist()
    assert {s["kind"] for s in samples} == {"no device"}
    assert {s["verdict"] for s in samples} == {"suspect"}
    assert all("no-device" in s["reasons"] for s in samples)
    for row in folder.read("evidence").to_pylist():
        unknown = ("device_name", "device_bytes_read", "device_bytes_written", "device_busy", "system_cpu")
        assert [row[name] for name in unknown] == [None] * 5
    assert "was imported from rand-mixed.json" in folder.findings(campaign.steps[0].id)[0]["sentence"]


def test_the_output_itself_is_kept_as_it_came(tmp_path: Path) -> None:
    copy = tmp_path / "run 1.json"
    shutil.copy(FIO / "psync-notice.json", copy)
    folder = importing.keep(read(copy), Store(tmp_path / "results"), 4 << 30)
    step = folder.campaign().steps[0].id
    assert (folder.raw(step) / "imported").read_bytes() == copy.read_bytes()


# --- sysbench --------------------------------------------------------------------------------------------

SYSBENCH = FIXTURES / "sysbench-1.0.20"


def test_what_sysbench_printed_of_an_oltp_run() -> None:
    (found,) = read(SYSBENCH / "read_write-text.txt")
    values = {s.metric: s.value for s in found.reading.samples}
    assert (found.work.workload, found.work.load, found.tool) == ("oltp", 4, "sysbench 1.0.20")
    assert values["transactions"] == pytest.approx(436.36, rel=1e-3)
    assert values["queries"] == pytest.approx(8727.21, rel=1e-3)
    assert values["latency_p99"] == pytest.approx(0.05684, rel=0.02)
    assert [point.t_s for point in found.reading.series] == [1.0, 2.0, 3.0]


def test_without_a_histogram_its_one_percentile_is_taken() -> None:
    (found,) = read(SYSBENCH / "point_select-text.txt")
    values = {s.metric: s.value for s in found.reading.samples}
    assert (found.work.load, found.work.rate, found.reading.latencies) == (1, 100.0, ())
    assert values["latency_p95"] == 0.00281
    assert "latency_p99" not in values


def test_an_imported_oltp_run_is_a_campaign_without_evidence(tmp_path: Path) -> None:
    found = read(SYSBENCH / "read_write-text.txt")
    folder = importing.keep(found, Store(tmp_path), 1 << 30)
    assert set(folder.read("samples").column("verdict").to_pylist()) == {"suspect"}
    reasons = set(folder.read("samples").column("reasons").to_pylist()[0])
    assert "no-device" in reasons
