"""dbench's works, commands and readings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from iobench.campaign import programs
from iobench.errors import CannotRunError, ParseError, UsageError
from iobench.model import Output, Passport, Place, Target
from iobench.runners import dbench
from iobench.servers import nfs

FIXTURES = Path(__file__).parent.parent / "fixtures"


def output(name: str, exit_code: int = 0, **more: object) -> Output:
    text = (FIXTURES / name).read_text()
    return Output(("dbench",), exit_code, text, "", {}, 14.0, 7.0, **more)  # type: ignore[arg-type]


def test_a_work_for_each_number_of_clients_with_a_tree_that_grows_with_them() -> None:
    works = dbench.plan(dbench.Params(duration=6.3))
    assert [w.load for w in works] == [1, 4, 16, 64]
    assert [w.tree.size for w in works if w.tree] == [n * dbench.CLIENT_BYTES for n in (1, 4, 16, 64)]
    assert {(w.duration_s, w.ramp_s) for w in works} == {(7.0, 2.0)}
    assert all(w.params["over"] == "local" and w.params["version"] == 4 for w in works)
    with pytest.raises(UsageError, match="too long"):
        dbench.plan(dbench.Params(duration=1e9))


def test_the_command_asks_for_a_second_more_than_is_measured() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,), duration=10.0, sync=True))
    command = dbench.command(work, Place({"dbench": "tree"}, {}, "/out"))
    assert command.argv == ("dbench", "-t", "11", "-s", "-D", "tree", "4")
    assert command.timeout_s > 11 * 2


def test_what_dbench_says_becomes_figures_a_series_and_a_window() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,)))
    text = (FIXTURES / "dbench-4.00/clients-4.txt").read_text()
    end = text.index("  cleanup") - 4
    reading = dbench.read(work, output("dbench-4.00/clients-4.txt", grown=((100.0, 300), (110.0, end), (111.0, 9999))))
    values = {(s.op, s.metric): s.value for s in reading.samples}
    assert values["all", "throughput"] == pytest.approx(482.64e6)
    assert values["all", "latency_max"] == pytest.approx(0.194312)
    assert values["write", "latency_mean"] == pytest.approx(27e-6)
    assert 0 < values["read", "latency_mean"] < values["all", "latency_mean"] < 1e-3
    assert (reading.measured_s, reading.ended_at, len(reading.series)) == (9, 110.0, 9)
    assert (reading.bytes_read, reading.bytes_written, reading.flushes) == (None, None, 10200)
    assert (reading.client_cpu, reading.client_threads, reading.errors) == (0.5, 4, 0)
    assert len(reading.operation_latencies) == 14 and reading.operations == sum(
        o.count for o in reading.operation_latencies
    )


def test_with_o_sync_each_write_is_a_flush() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(1,), sync=True))
    assert dbench.read(work, output("dbench-4.00/sync-1.txt")).flushes == 253 + 2147


def test_a_run_that_failed_says_why_and_gives_no_figure() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(2,)))
    with pytest.raises(ParseError, match=r"wrote 40960 bytes, expected to write 65536 .*; exit code 1"):
        dbench.read(work, output("dbench-4.00/enospc.txt", exit_code=1))
    assert dbench.read(work, output("dbench-4.00/clients-4.txt", exit_code=3)).errors == 1


def test_what_the_program_is_decides_how_it_is_asked(tmp_path: Path) -> None:
    asked = programs.resolved(dbench.Params(), {"dbench": "dbench version 4.00"}, {})
    assert (asked.version, asked.load_file) == (4, None)
    load = tmp_path / "mine.load"
    load.write_text("")
    mine = dbench.Params(dbench="/opt/dbench", load_file=str(load))
    asked = programs.resolved(mine, {"/opt/dbench": "dbench version 5.0.0", "dbench": "dbench version 4.00"}, {})
    assert (asked.version, asked.load_file) == (5, str(load))
    assert programs.named("dbench", {"dbench": "/opt/dbench"}) == ("/opt/dbench",)
    with pytest.raises(UsageError, match="there is no file 'nowhere'"):
        programs.resolved(dbench.Params(load_file="nowhere"), {"dbench": "dbench version 4.00"}, {})
    with pytest.raises(CannotRunError, match="does not say that it is dbench: 'true 9'"):
        programs.resolved(dbench.Params(dbench="true"), {"true": "true 9"}, {})


def test_a_dbench_that_speaks_nfs_is_started_in_the_servers_network_with_our_load() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,), nfs=True, over=nfs.CLIENT, version=5, dbench="/opt/dbench"))
    there = {"net": "/proc/7/ns/net", "url": "nfs://127.0.0.1/x"}
    argv = dbench.command(work, Place({}, {}, "/out", service=there)).argv
    assert argv[:4] == ("nsenter", "--net=/proc/7/ns/net", "--", "/opt/dbench")
    assert argv[4:9] == ("-B", "nfs", "--nfs=nfs://127.0.0.1/x", "--warmup=2", "-t")
    load = Path(argv[argv.index("-c") + 1])
    assert load.is_file() and "LINK3 " not in load.read_text().replace("LINK3 with", "")
    with pytest.raises(UsageError, match="--sync is unknown to dbench's own NFS client"):
        dbench.plan(dbench.Params(nfs=True, sync=True, over=nfs.CLIENT))


def test_a_mount_of_the_kernels_is_seen_in_the_servers_namespaces_alone() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,), nfs=True, over=nfs.MOUNT))
    there = {"net": "/proc/7/ns/net", "mnt": "/proc/7/ns/mnt", "folder": "/tmp/m"}
    argv = dbench.command(work, Place({}, {}, "/out", service=there)).argv
    assert argv[:4] == ("nsenter", "--net=/proc/7/ns/net", "--mount=/proc/7/ns/mnt", "--")
    assert argv[4:] == ("dbench", "-t", "11", "-D", "/tmp/m", "4")


def test_drives_that_are_on_nfs_mounts_are_recognised() -> None:
    tools = {"dbench": "dbench version 4.00"}
    where = {name: Passport(Target(name, "/x"), None, filesystem=kind) for name, kind in (("a", "nfs4"), ("b", "ext4"))}
    assert programs.resolved(dbench.Params(), tools, {"a": where["a"]}).over == nfs.MOUNT
    assert programs.resolved(dbench.Params(), tools, {"b": where["b"]}).over == nfs.LOCAL
    assert programs.resolved(dbench.Params(), tools, where).over == nfs.MIXED


def test_a_reading_over_nfs_counts_commits_as_flushes() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,), nfs=True, over=nfs.CLIENT, version=5))
    reading = dbench.read(work, output("dbench-5.0/nfs-4.txt"))
    values = {(s.op, s.metric): s.value for s in reading.samples}
    assert reading.flushes and reading.flushes > 1000
    assert values["read", "latency_mean"] > 0 and values["write", "latency_mean"] > 0


def test_clients_that_still_fill_their_folders_are_not_the_load() -> None:
    (work,) = dbench.plan(dbench.Params(clients=(4,)))
    text = (FIXTURES / "dbench-4.00/clients-4.txt").read_text()
    assert dbench.read(work, output("dbench-4.00/clients-4.txt")).unsettled is None
    slow = text.replace(
        "   4     78966   704.17 MB/sec  execute   1 sec", "   4       619   704.17 MB/sec  execute   1 sec"
    )
    assert slow != text
    said = str(dbench.read(work, dataclasses.replace(output("dbench-4.00/clients-4.txt"), stdout=slow)).unsettled)
    assert "a client stood at line 619 of the load" in said and "--duration" in said
    other = slow.replace("/usr/share/dbench/client.txt", "/mine.load")
    assert dbench.read(work, dataclasses.replace(output("dbench-4.00/clients-4.txt"), stdout=other)).unsettled is None
