"""One contract for every runner: its whole life with the real tool on a small file. Then how each reads."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from iobench import params, proc, runners, servers
from iobench.errors import ParseError, UsageError
from iobench.model import (
    MAIN_METRICS,
    METRICS,
    PERCENTILES,
    LatencyBins,
    Output,
    Place,
    Sample,
    Service,
    Work,
    canonical,
)
from iobench.runners import dd, fio_work, rand, seq
from iobench.texts import TEXTS

MIB = 1 << 20
SIZE = 8 * MIB
FIXTURES = Path(__file__).parent.parent / "fixtures"
# What keeps each workload short; a runner takes what it knows.
SMALL: Mapping[str, object] = {
    **{"size": SIZE, "duration": 0.1, "ramp": 0.0},
    **{"loads": (1, 4), "threads": (1, 4), "clients": (1, 2)},
}


def _direct(folder: Path) -> bool:
    """Whether the file system of a folder takes direct I/O."""
    try:
        os.close(os.open(folder / "probe", os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def _works(runner: runners.Runner, folder: Path) -> tuple[Work, ...]:
    known = {p.name for p in params.describe(runner.Params)}
    values = {**SMALL, "engine": "libaio" if _direct(folder) else "psync", "buffered": not _direct(folder)}
    return runner.plan(params.build(runner.Params, {k: v for k, v in values.items() if k in known}, "test"))


def _place(work: Work, folder: Path) -> Place:
    """Lay out what a work needs, as the engine does it."""
    data = {name: f"{name}.bin" for name in (*(f.name for f in work.files), *work.fresh)}
    if work.tree is not None:
        data[work.tree.name] = work.tree.name
        (folder / work.tree.name).mkdir(exist_ok=True)
    block = random.Random(1).randbytes(MIB)
    for file in work.files:
        (folder / data[file.name]).write_bytes(block * (file.size // MIB))
    source = folder / "source"
    if work.source is not None:
        source.write_bytes(block * (work.source.size // MIB))
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return Place(data, {f.name: f.size for f in work.files}, str(out), str(source) if work.source else None)


def _output(folder: Path, argv: tuple[str, ...], ended: proc.Ended) -> Output:
    files = {path.name: path.read_text() for path in (folder / "out").iterdir()}
    said = [(folder / name).read_text() for name in ("stdout", "stderr")]
    return Output(argv, ended.exit_code, said[0], said[1], files, ended.wall_s, ended.cpu_s)


@pytest.mark.parametrize("name", list(runners.registry()))
def test_the_whole_life_of_a_runner_with_the_real_tool(name: str, tmp_path: Path) -> None:
    runner = runners.find(name)
    missing = [tool for tool in runner.TOOLS if proc.find(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    assert name == runner.NAME
    assert runner.SUMMARY
    if "buffered" not in {p.name for p in params.describe(runner.Params)} and not _direct(tmp_path):
        pytest.skip("needs a folder that takes direct I/O")
    works = _works(runner, tmp_path)
    assert works
    assert len({(w.workload, w.load, canonical(w.params)) for w in works}) == len(works)
    with ExitStack() as stack:
        started = {
            service: _served(service, tmp_path, stack) for service in {w.service for w in works} if service is not None
        }
        for work in works:
            _live(runner, work, tmp_path, started[work.service] if work.service else {})


def _served(service: Service, folder: Path, stack: ExitStack) -> servers.Endpoint:
    """Start the server that a work needs, as the engine does it; it is ended with the stack."""
    missing = [tool for tool in servers.module(service.kind).TOOLS if proc.find(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    short = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # for a socket
    for name in ("on-target", "shared", "log"):
        (folder / name).mkdir(mode=0o700)
    room = servers.Room(folder / "on-target", folder / "shared", short, folder / "log", proc.Stop())
    server = servers.module(service.kind).open(service, room)
    stack.callback(server.close, True)
    return server.start()


def _live(runner: runners.Runner, work: Work, folder: Path, endpoint: servers.Endpoint) -> None:
    assert work.runner == runner.NAME
    assert json.loads(canonical(work.params)) == dict(work.params)
    assert work.load >= 1
    assert (work.duration_s is None) == (work.fixed_bytes > 0)

    command = runner.command(work, dataclasses.replace(_place(work, folder), service=endpoint))
    if runner.TOOLS:
        assert command.tool in runner.TOOLS
        assert command.argv[0] == command.tool
    else:  # a program of our own
        assert command.argv[0] == sys.executable
    for name, text in command.inputs.items():
        (folder / "out" / name).write_text(text)
    assert all(isinstance(word, str) for word in command.argv)
    assert not {"sh", "bash", "-c"} & set(command.argv)
    assert command.timeout_s > 10

    ended = proc.watch(
        command.argv,
        stdout=folder / "stdout",
        stderr=folder / "stderr",
        timeout_s=command.timeout_s,
        stop=proc.Stop(),
        cwd=str(folder),
        env=command.env,
    )
    assert ended.exit_code == 0, (folder / "stderr").read_text()
    reading = runner.read(work, _output(folder, command.argv, ended))
    _holds(work, reading.samples)
    assert reading.measured_s > 0
    assert (reading.errors, reading.error_text) == (0, None)
    if reading.bytes_written is not None:
        assert bool(reading.bytes_written) == work.writes
        assert (reading.bytes_read or 0) + reading.bytes_written >= 512
    assert reading.operations
    for latency in reading.latencies:
        assert sum(latency.bins.values()) > 0
    assert all(point.t_s > 0 and point.value >= 0 for point in reading.series)


def _holds(work: Work, samples: tuple[Sample, ...]) -> None:
    assert samples
    assert len({(s.op, s.metric) for s in samples}) == len(samples)
    for sample in samples:
        assert sample.metric in METRICS
        assert sample.op in ("read", "write", "get", "set", "all")
        # A count of errors may be 0; a rate, a time or a size is not.
        assert sample.value >= 0 if METRICS[sample.metric].unit == "1" else sample.value > 0
    assert any(METRICS[s.metric].better == "higher" for s in samples), work.workload


@pytest.mark.parametrize("name", list(runners.registry()))
def test_each_workload_has_main_figures_and_a_name_in_every_language(name: str, tmp_path: Path) -> None:
    for workload in {work.workload for work in _works(runners.find(name), tmp_path)}:
        assert set(MAIN_METRICS[workload]) <= set(METRICS)
        assert [lang for lang, texts in TEXTS.items() if f"workload.{workload}" not in texts] == []


# --- planning --------------------------------------------------------------------------------------------


def test_seq_plans_a_work_for_each_direction() -> None:
    read, write = seq.plan(seq.Params(size=SIZE, jobs=2, depth=4, engine="io_uring"))
    assert (read.workload, read.load, read.writes) == ("seq-read", 8, False)
    assert (write.workload, write.load, write.writes) == ("seq-write", 8, True)
    assert read.params["depth"] == 4
    assert read.files == write.files
    assert (read.ramp_s, read.duration_s) == (1.0, 10.0)


def test_rand_plans_each_kind_at_each_load() -> None:
    works = rand.plan(rand.Params(size=SIZE, ops=("read", "mixed"), loads=(2, 8), jobs=2))
    assert [(w.workload, w.load, w.params["depth"]) for w in works] == [
        ("rand-read", 2, 1),
        ("rand-read", 8, 4),
        ("rand-mixed", 2, 1),
        ("rand-mixed", 8, 4),
    ]
    assert [w.writes for w in works] == [False, False, True, True]
    assert [w.params.get("read_share") for w in works] == [None, None, 70, 70]


def test_loads_that_the_jobs_cannot_share_are_refused() -> None:
    with pytest.raises(UsageError, match="load 3 cannot be shared by 2 jobs; use multiples of 2"):
        rand.plan(rand.Params(size=SIZE, loads=(2, 3), jobs=2))


def test_a_file_without_a_block_for_each_job_is_refused() -> None:
    seq.plan(seq.Params(size=2 * MIB, jobs=2, engine="libaio"))
    with pytest.raises(UsageError, match=r"size 1048576 has no block of 1048576 bytes for each of 2 job\(s\)"):
        seq.plan(seq.Params(size=MIB, jobs=2, engine="libaio"))


def test_dd_takes_whole_blocks_only() -> None:
    write, read = dd.plan(dd.Params(size=2 * MIB + 4096))
    assert write.fixed_bytes == read.fixed_bytes == write.params["size"] == 2 * MIB
    with pytest.raises(UsageError, match="size 4096 is less than one block of 1048576 bytes"):
        dd.plan(dd.Params(size=4096))


@pytest.mark.parametrize(
    ("flush", "words"),
    [
        ("fdatasync", {"conv=fdatasync"}),
        ("fsync", {"conv=fsync"}),
        ("direct", {"oflag=direct"}),
        ("dsync", {"oflag=dsync"}),
        ("none", set()),
    ],
)
def test_how_dd_flushes(flush: str, words: set[str]) -> None:
    (write,) = dd.plan(dd.Params(ops=("write",), size=MIB, flush=flush, source="zero"))
    argv = dd.command(write, Place({"dd": "made"}, {}, "/out")).argv
    assert {word for word in argv if word.startswith(("conv", "oflag"))} == words
    assert {"if=/dev/zero", "of=made", "bs=1048576", "count=1"} < set(argv)


def test_dd_on_a_device_makes_and_truncates_nothing() -> None:
    (write,) = dd.plan(dd.Params(ops=("write",), size=MIB))
    argv = dd.command(write, Place({"dd": "/dev/fd/9"}, {}, "/out", source="/dev/fd/8", block_device=True)).argv
    assert "conv=fdatasync,nocreat,notrunc" in argv


@pytest.mark.parametrize(("buffered", "flags"), [(False, ["iflag=direct"]), (True, [])])
def test_dd_reads_past_the_page_cache_unless_told(buffered: bool, flags: list[str]) -> None:
    (read,) = dd.plan(dd.Params(ops=("read",), size=MIB, buffered=buffered))
    argv = dd.command(read, Place({"data": "data"}, {"data": MIB}, "/out")).argv
    assert [word for word in argv if "flag" in word] == flags


# --- reading ---------------------------------------------------------------------------------------------


def fio_output(json_name: str | None, log: str | None = None, exit_code: int = 0, stderr: str = "") -> Output:
    files = {}
    if json_name is not None:
        files["fio.json"] = (FIXTURES / "fio-3.33" / json_name).read_text()
    if log is not None:
        files["fio_bw.log"] = (FIXTURES / "fio-3.33" / log).read_text()
    return Output(("fio",), exit_code, "", stderr, files, 2.0, 0.5)


def test_a_sequential_read_of_fio() -> None:
    (work,) = seq.plan(seq.Params(ops=("read",), size=32 * MIB, engine="io_uring"))
    reading = seq.read(work, fio_output("seq-read.json", "seq-read_bw.log"))
    values = {s.metric: s.value for s in reading.samples if s.op == "read"}
    assert (values["throughput"], values["iops"]) == (772708092, 732.273028)
    assert values["latency_mean"] == pytest.approx(0.010875715)
    assert values["latency_p99"] == 0.017432576  # what fio's own percentile list says
    assert values["latency_max"] == pytest.approx(0.022578128)
    assert "latency_p999" not in values  # 1,112 latencies: a single one lies beyond it
    assert (reading.bytes_read, reading.bytes_written, reading.measured_s) == (1166016512, 0, 1.509)
    assert reading.depth_achieved == pytest.approx(7.96, abs=0.01)
    assert reading.client_cpu == pytest.approx(0.0517, abs=1e-4)
    assert reading.ended_unix == 1795415851.918
    assert [p.t_s for p in reading.series] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5]


def test_the_window_ends_where_the_log_says_it_began_and_not_when_the_report_was_written() -> None:
    (work,) = rand.plan(rand.Params(ops=("read",), size=32 * MIB, loads=(8,), jobs=2, engine="io_uring", duration=2.0))
    reading = rand.read(work, fio_output("unix-times.json", "unix-times_bw.log"))
    assert (reading.ended_unix, reading.measured_s) == (pytest.approx(1795417315.267 + 2.001), 2.001)


@pytest.mark.parametrize("name", ["seq-read.json", "rand-read-group.json"])
def test_percentiles_from_bins_agree_with_fios_own(name: str) -> None:
    said = json.loads((FIXTURES / "fio-3.33" / name).read_text())["jobs"][0]["read"]["lat_ns"]["percentile"]
    bins = fio_work.fio.parse((FIXTURES / "fio-3.33" / name).read_text()).jobs[0].directions[0].bins
    ours = {s.metric: s.value for s in fio_work.percentiles("read", bins)}
    assert len(ours) >= 4
    for metric, value in ours.items():
        assert value * 1e9 == pytest.approx(said[f"{PERCENTILES[metric]:.6f}"], rel=0.01), metric


def test_mixed_work_has_sums_and_merged_latencies_as_op_all() -> None:
    (work,) = rand.plan(rand.Params(ops=("mixed",), size=32 * MIB, loads=(8,), engine="libaio"))
    reading = rand.read(work, fio_output("rand-mixed.json", "rand-mixed_bw.log"))
    values = {(s.op, s.metric): s.value for s in reading.samples}
    assert values["all", "iops"] == pytest.approx(27293.706294 + 11557.442557)
    assert values["all", "throughput"] == 111807296 + 47359744
    low, high = sorted((values["read", "latency_p99"], values["write", "latency_p99"]))
    assert low <= values["all", "latency_p99"] <= high
    assert ("all", "latency_mean") not in values  # means are not averaged
    assert [latency.op for latency in reading.latencies] == ["read", "write", "all"]
    assert (reading.bytes_read, reading.bytes_written) == (111919104, 47407104)
    assert reading.operations == 27321 + 11569


def test_threads_of_a_group_share_the_cpu() -> None:
    (work,) = rand.plan(rand.Params(ops=("read",), size=32 * MIB, loads=(8,), jobs=2, engine="io_uring"))
    reading = rand.read(work, fio_output("rand-read-group.json", "rand-read-group_bw.log"))
    assert reading.client_cpu == pytest.approx(2 * 0.2625)
    assert reading.client_threads == 2
    assert reading.depth_achieved == pytest.approx(8, rel=0.01)


def test_a_synchronous_engine_is_seen_to_be_one_deep() -> None:
    (work,) = rand.plan(rand.Params(ops=("write",), size=32 * MIB, loads=(8,), engine="psync"))
    assert rand.read(work, fio_output("psync-notice.json")).depth_achieved == pytest.approx(0.987, abs=0.001)


def test_buffered_libaio_is_one_deep_whatever_it_counts() -> None:
    (work,) = rand.plan(rand.Params(ops=("read",), size=32 * MIB, loads=(8,), jobs=2, engine="libaio", buffered=True))
    assert rand.read(work, fio_output("rand-read-group.json")).depth_achieved == 2.0


SEQ_WRITE = seq.plan(seq.Params(ops=("write",), size=SIZE))[0]


def test_an_error_of_fio_is_kept_beside_its_numbers() -> None:
    said = "fio: io_u error on file f: No space left on device: write offset=1048576, buflen=65536"
    reading = seq.read(SEQ_WRITE, fio_output("enospc.json", exit_code=1, stderr=said))
    assert (reading.errors, reading.error_text) == (28, said)
    assert reading.bytes_written == 1048576


def test_an_exit_code_alone_is_an_error() -> None:
    assert seq.read(SEQ_WRITE, fio_output("psync-notice.json", exit_code=1)).errors == 1


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (fio_output(None, exit_code=-9), r"fio wrote no result \(exit code -9\): it said nothing"),
        (fio_output(None, exit_code=1, stderr="a\nfio: bad option\n"), r"\(exit code 1\): fio: bad option"),
        (fio_output("no-io.json", exit_code=1), r"fio did no I/O \(exit code 1\): it said nothing"),
        (fio_output("no-io.json", exit_code=1, stderr="fio: pid=0, err=5\n"), r"\(exit code 1\): fio: pid=0, err=5"),
        (fio_output("two-jobs.json"), r"fio\.json holds 2 jobs; one job group was asked for"),
    ],
)
def test_no_number_from_what_is_none(output: Output, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        seq.read(SEQ_WRITE, output)


def test_a_cut_log_is_an_error_that_names_it() -> None:
    output = fio_output("seq-read.json")
    cut = Output(("fio",), 0, "", "", {**output.files, "fio_bw.log": "250, 794624, 0, 0, 0\n499, 72"}, 2.0, 0.5)
    with pytest.raises(ParseError, match=r"fio_bw\.log: '499, 72' is not a line"):
        seq.read(SEQ_WRITE, cut)


@pytest.mark.parametrize(
    ("count", "metric"), [(50, "latency_p90"), (100, "latency_p95"), (500, "latency_p99"), (5000, "latency_p999")]
)
def test_a_percentile_needs_five_operations_beyond_it(count: int, metric: str) -> None:
    enough = {s.metric for s in fio_work.percentiles("read", dict.fromkeys(range(1, count + 1), 1))}
    few = {s.metric for s in fio_work.percentiles("read", dict.fromkeys(range(1, count), 1))}
    assert metric in enough
    assert metric not in few
    assert "latency_p50" in few


def test_percentiles_are_those_of_the_counts() -> None:
    bins = {1_000_000: 900, 2_000_000: 90, 9_000_000: 10}
    got = {s.metric: s.value for s in fio_work.percentiles("read", bins)}
    assert got == {"latency_p50": 0.001, "latency_p90": 0.001, "latency_p95": 0.002, "latency_p99": 0.002}
    assert fio_work.percentiles("read", {}) == []


def test_one_direction_has_no_latencies_of_all() -> None:
    (read,) = fio_work.fio.parse((FIXTURES / "fio-3.33" / "few.json").read_text()).jobs[0].directions
    assert fio_work.latencies((read,)) == (LatencyBins("read", read.bins),)


DD_WRITE = dd.plan(dd.Params(ops=("write",), size=16 * MIB))[0]


def dd_output(name: str, exit_code: int = 0) -> Output:
    return Output(("dd",), exit_code, "", (FIXTURES / "dd-9.1" / name).read_text(), {}, 0.04, 0.01)


def test_a_file_creation_of_dd() -> None:
    reading = dd.read(DD_WRITE, dd_output("write.txt"))
    assert reading.samples == (
        Sample("write", "elapsed", 0.0329702),
        Sample("write", "throughput", 16777216 / 0.0329702),
    )
    assert (reading.bytes_written, reading.bytes_read, reading.operations) == (16777216, 0, 16)
    assert (reading.measured_s, reading.depth_achieved, reading.client_cpu) == (0.0329702, 1.0, 0.25)
    assert (reading.errors, reading.error_text) == (0, None)


def test_dd_that_copied_less_than_asked_is_an_error() -> None:
    reading = dd.read(DD_WRITE, dd_output("five-bytes.txt"))
    assert reading.errors == 1
    assert reading.error_text == "5 bytes copied, 3.6835e-05 s, 136 kB/s"


def test_dd_without_a_number_says_why() -> None:
    with pytest.raises(ParseError, match="exit code 1: dd: failed to open 'absent': No such file or directory"):
        dd.read(DD_WRITE, dd_output("absent.txt", exit_code=1))
    with pytest.raises(ParseError, match=r"dd's stderr says 0 bytes in 0\.000348056 s"):
        dd.read(DD_WRITE, dd_output("enospc.txt", exit_code=1))
    with pytest.raises(ParseError, match="exit code -9: it said nothing"):
        dd.read(DD_WRITE, dd_output("none.txt", exit_code=-9))


def _asked(**values: object) -> tuple[Work, ...]:
    return rand.plan(params.build(rand.Params, {"size": SIZE, "engine": "libaio", **values}, "test"))


def test_a_rate_is_offered_to_all_jobs_together() -> None:
    (work,) = _asked(ops="read", loads="8", jobs=4, rate="1001", arrival="poisson")
    assert work.rate == 1000, "fio takes whole numbers for each job, and what is offered is said"
    argv = rand.command(work, Place({"data": "data"}, {"data": SIZE}, "out")).argv
    assert "--rate_iops=250" in argv and "--rate_process=poisson" in argv
    assert work.params["arrival"] == "poisson"


def test_mixed_work_shares_its_rate() -> None:
    (work,) = _asked(ops="mixed", loads="8", rate=1000, read_share=70)
    argv = rand.command(work, Place({"data": "data"}, {"data": SIZE}, "out")).argv
    assert work.rate == 1000 and "--rate_iops=700,300" in argv and "--rate_process=linear" in argv


def test_without_a_rate_nothing_is_said_of_one() -> None:
    (work,) = _asked(ops="read", loads="8")
    argv = rand.command(work, Place({"data": "data"}, {"data": SIZE}, "out")).argv
    assert work.rate is None and "arrival" not in work.params
    assert not [word for word in argv if word.startswith("--rate")]


@pytest.mark.parametrize(
    "values", [{"rate": 3, "jobs": 8, "loads": "8"}, {"rate": 2, "ops": "mixed", "read_share": 90}]
)
def test_a_rate_that_leaves_a_job_nothing_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="higher rate"):
        _asked(**{"ops": "read", **values})


@pytest.mark.parametrize("rate", ["0", "-1", "many", "nan", "1e15"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(UsageError):
        _asked(rate=rate)
