"""Emulated drives on the real machine: their speed, and that nothing is left of them."""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from labbench import MIB, Bench

from iobench import lab, proc
from iobench.cli.lab import lab as command
from iobench.drives import emulated
from iobench.drives.throttle import find_throttle, loop_numbers
from iobench.errors import CannotRunError, ToolError, UsageError
from iobench.lab import stack
from iobench.model import Emulation

pytestmark = pytest.mark.root

SLOW = lab.custom("slow", read=40e6, write=40e6)
DELAYED = lab.custom("delayed", read=200e6, latency=0.005, parallel=8)
needs_delay = pytest.mark.skipif(not stack.can_delay(), reason="needs nbdkit, nbdfuse and /dev/fuse")
v1_only = pytest.mark.skipif(
    not Path("/sys/fs/cgroup/blkio").exists(), reason="cgroup v2 limits only programs in its group"
)


def read_rate(device: str, total: int = 48 * MIB) -> float:
    """B/s of direct sequential reads, from the device's start."""
    buffer, done = mmap.mmap(-1, MIB), 0
    descriptor = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        begin = time.monotonic()
        while done < total:
            done += os.preadv(descriptor, [buffer], done)
        return done / (time.monotonic() - begin)
    finally:
        os.close(descriptor)


def random_reads(device: str, threads: int, seconds: float = 1.0) -> float:
    """Direct 4 KiB reads a second by so many threads."""
    counts = [0] * threads
    deadline = time.monotonic() + seconds

    def work(index: int) -> None:
        buffer, draw = mmap.mmap(-1, 4096), random.Random(index)
        descriptor = os.open(device, os.O_RDONLY | os.O_DIRECT)
        while time.monotonic() < deadline:
            os.preadv(descriptor, [buffer], draw.randrange(60 * MIB // 4096) * 4096)
            counts[index] += 1
        os.close(descriptor)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / seconds


def start_up(bench: Bench, *names: str, size: str = "256Mi") -> subprocess.Popen[bytes]:
    """`iobench lab up` in a process of its own."""
    line = "from iobench.cli.lab import lab; lab(standalone_mode=False)"
    argv = [sys.executable, "-c", line, "up", *names, "--size", size, "--dir", str(bench.images)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)


def device_of(drive: lab.LabDrive) -> str:
    assert drive.device is not None
    return drive.device


def number_of(drive: lab.LabDrive) -> str:
    return emulated.device_number(Path(device_of(drive)).name)


def test_up_and_down_can_be_called_twice(bench: Bench) -> None:
    first, again = bench.up(SLOW), bench.up(SLOW)
    assert first == again == lab.list_drives()
    assert first[0].state == "up" and first[0].mount is not None
    assert first[0].target == f"slow={first[0].mount}"
    (Path(first[0].mount) / "file").write_text("a user's file")
    assert lab.down() == ["slow"]
    assert lab.down() == [] == lab.down(["sas"])
    assert bench.leftovers() == []


def test_the_mount_is_open_to_every_user_and_the_image_is_not(bench: Bench) -> None:
    mount = Path(bench.up(SLOW)[0].mount or "")
    assert mount.stat().st_mode & 0o7777 == 0o1777
    assert all(path.stat().st_mode & 0o077 == 0 for path in bench.images.rglob("drive.img"))


def test_a_drive_that_is_up_otherwise_is_refused_and_stays(bench: Bench) -> None:
    bench.up(SLOW)
    for profile, size in ((lab.custom("slow", read=41e6, write=40e6), 64 * MIB), (SLOW, 128 * MIB)):
        with pytest.raises(UsageError, match="iobench lab down slow"):
            bench.up(profile, size=size)
    with pytest.raises(UsageError, match="named twice"):
        bench.up(SLOW, SLOW)
    assert [drive.state for drive in lab.list_drives()] == ["up"]


def test_an_unknown_drive_cannot_be_taken_down(bench: Bench) -> None:
    bench.up(SLOW)
    with pytest.raises(UsageError, match="did you mean 'slow'"):
        lab.down(["slwo"])


@v1_only
def test_the_limit_holds_and_a_foreign_image_after_down_is_free_of_it(bench: Bench, tmp_path: Path) -> None:
    device = device_of(bench.up(SLOW)[0])
    rates = [read_rate(device)]
    while rates[-1] < 0.85 * 40e6 and len(rates) < 3:  # a busy machine may be late with its requests
        rates.append(read_rate(device))
    assert max(rates) == pytest.approx(40e6, rel=0.15)
    number = emulated.device_number(Path(device).name)
    emulation = emulated.emulation_of(number)
    assert emulation is not None and emulation.read_bps == 40e6
    lab.down()
    assert find_throttle().limits(number) == {}
    foreign = tmp_path / "foreign.img"
    foreign.write_bytes(os.urandom(64 * MIB))
    if proc.capture(["losetup", "--direct-io=on", device, str(foreign)], check=False).exit_code:
        pytest.skip(f"{device} was taken by another program meanwhile")
    try:
        assert emulated.emulation_of(number) is None
        assert read_rate(device) > 2 * 40e6
    finally:
        proc.capture(["losetup", "--detach", device])


@v1_only
def test_a_limit_that_another_left_on_the_number_is_cleared(bench: Bench) -> None:
    throttle = find_throttle()
    device = device_of(bench.up(SLOW, block=True)[0])
    number = emulated.device_number(Path(device).name)
    lab.down()
    with loop_numbers():  # limits that are not ours to touch are those of another lab's drive, which may measure now
        if emulated.emulation_of(number) is not None:
            pytest.skip(f"{device} was taken by another lab meanwhile")
        throttle.set(number, Emulation("left", read_bps=1e6, read_iops=10))
    try:
        only_writes = bench.up(lab.custom("w", write=50e6), block=True)[0]
        if device_of(only_writes) != device:
            pytest.skip(f"{device} was taken by another program meanwhile")
        assert throttle.limits(number) == {"write_bps": 50_000_000}
    finally:
        lab.down()
        with loop_numbers():
            if emulated.emulation_of(number) is None:
                throttle.clear(number)


@v1_only
@pytest.mark.parametrize("profile", [SLOW, pytest.param(DELAYED, marks=needs_delay)], ids=["bare", "served"])
def test_another_labs_drive_on_a_number_that_was_ours_keeps_its_limits(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: lab.DriveProfile
) -> None:
    ours = device_of(bench.up(SLOW, block=True)[0])
    other = Bench(tmp_path / "other-state", tmp_path / "other-images")
    proc.capture(["losetup", "--detach", ours])  # as a user may, by hand
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv(emulated.STATE_VARIABLE, str(other.state))
        theirs = other.up(profile, block=True)[0]
    try:
        number = number_of(theirs)
        limits = find_throttle().limits(number)
        if device_of(theirs) != ours:
            pytest.skip(f"{ours} was taken by another program meanwhile")
        assert limits and lab.down() == ["slow"]
        assert find_throttle().limits(number) == limits
    finally:
        monkeypatch.setenv(emulated.STATE_VARIABLE, str(other.state))
        lab.down()
        assert other.leftovers() == []
        monkeypatch.setenv(emulated.STATE_VARIABLE, str(bench.state))
    assert find_throttle().limits(number) == {}


@v1_only
def test_limits_of_a_drive_that_was_detached_by_hand_are_taken_off(bench: Bench) -> None:
    drive = bench.up(SLOW, block=True)[0]
    number = number_of(drive)
    with loop_numbers():  # no other lab takes it meanwhile
        proc.capture(["losetup", "--detach", device_of(drive)])
        assert find_throttle().limits(number)
        down = threading.Thread(target=lab.down)
        down.start()
        down.join(0.2)
        assert down.is_alive(), "it waits for whoever looks at loop numbers"
    down.join()
    assert find_throttle().limits(number) == {} and bench.leftovers() == []


def test_a_bare_device_has_no_file_system(bench: Bench) -> None:
    drive = bench.up(SLOW, block=True)[0]
    assert drive.mount is None and drive.target == f"slow={drive.device}"
    assert proc.capture(["blkid", "-p", device_of(drive)], check=False).stdout == ""


@needs_delay
def test_latency_and_parallel_outlive_the_program_that_made_them(bench: Bench, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    figures = ["read = { value = 200, assumed = 'x' }", "latency = { value = '5ms', assumed = 'x' }"]
    mine.write_text("\n".join(["[figures]", *figures, "parallel = { value = 8, assumed = 'x' }"]))
    assert start_up(bench, str(mine), size="64Mi").wait(60) == 0
    drive = lab.list_drives()[0]
    assert (drive.state, drive.emulation.latency_s, drive.emulation.parallel) == ("up", 0.005, 8)
    alone, eight = random_reads(device_of(drive), 1), random_reads(device_of(drive), 8)
    assert 80 < alone <= 200  # 1/5 ms, less what the way costs on a busy machine
    assert eight > 2.5 * alone
    assert lab.down() == ["mine"]


@needs_delay
def test_a_drive_whose_server_died_is_half_made_and_made_again(bench: Bench) -> None:
    bench.up(DELAYED)
    assert lab.clean() == []
    record = emulated.records()[0]
    for program, process in list(stack._servers(record)):
        if program == "nbdkit":
            os.kill(process.pid, signal.SIGKILL)
            while process.alive():
                time.sleep(0.01)
    assert [drive.state for drive in lab.list_drives()] == ["half-made"]
    assert [drive.state for drive in bench.up(DELAYED)] == ["up"]


@needs_delay
def test_a_drive_whose_server_took_its_mount_along_leaves_no_loop_device(bench: Bench) -> None:
    bench.up(DELAYED)
    record = emulated.records()[0]
    for program, process in list(stack._servers(record)):
        if program == "nbdfuse":
            proc.end(process)
    lab.down()
    assert not Path(f"/sys/block/{Path(str(record.device)).name}/loop").exists()


@pytest.mark.parametrize(("root", "ours"), [("/", True), ("elsewhere", False)])
def test_a_server_of_another_root_file_system_is_not_ours(bench: Bench, tmp_path: Path, root: str, ours: bool) -> None:
    # As a container's that shares its processes with us: its lab has the same paths, and other files behind them.
    bench.up(SLOW)
    record = emulated.records()[0]
    (tmp_path / "elsewhere").mkdir()
    inside = "import os, sys, time; os.chroot(sys.argv[1]); print(1, flush=True); time.sleep(60)"
    argv = ["nbdkit", "-c", inside, str(tmp_path / root), record.socket]
    with subprocess.Popen(argv, executable=sys.executable, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        found = [identity.pid for _, identity in stack._servers(record)]
        lab.down()
        assert found == ([process.pid] if ours else [])
        assert (process.poll() is not None) is ours
        process.kill()


def test_without_the_servers_only_the_limits_are_set_and_that_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "can_delay", lambda: False)
    emulation = bench.up(DELAYED)[0].emulation
    assert emulation.throttle_only and emulation.latency_s is None and emulation.parallel is None
    assert any("throttle only" in str(note) and "5.00 ms" in str(note) for note in emulation.notes)


def test_a_speed_that_the_disk_cannot_reach_is_lowered_aloud(bench: Bench) -> None:
    if proc.find("fio") is None:
        pytest.skip("needs fio")
    said: list[str] = []
    drive = lab.up([lab.custom("dream", read=9e13)], 64 * MIB, bench.images, said.append)[0]
    assert drive.emulation.read_bps is not None and drive.emulation.read_bps < 9e13
    assert any("read lowered from" in line for line in said)
    assert any("read lowered from" in str(note) for note in drive.emulation.notes)
    # What was lowered is still the same drive to a second `up`.
    assert bench.up(lab.custom("dream", read=9e13))[0] == drive


@pytest.mark.parametrize("program", ["losetup", "mkfs.ext4", "mount"])
def test_a_half_made_lab_is_cleaned_up(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    kept = bench.up(lab.custom("kept", read=40e6))
    broken = tmp_path / program
    broken.write_text("#!/bin/sh\ncase $1 in --detach) exec /usr/sbin/losetup $*;; esac\necho no luck >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises((ToolError, CannotRunError), match="no luck"):
        bench.up(SLOW)
    assert lab.list_drives() == kept
    assert not any("slow" in left for left in bench.leftovers())


@needs_delay
def test_a_server_that_does_not_start_is_an_error_with_its_words(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "nbdkit"
    broken.write_text("#!/bin/sh\necho no such filter >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(ToolError, match="no such filter"):
        bench.up(DELAYED)
    assert bench.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.3, 0.6, 1.0, 1.5, 2.5])
def test_killed_at_any_moment_it_can_be_undone(bench: Bench, moment: float) -> None:
    process = start_up(bench, "sas", "iodrive")
    numbers = set()
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline:
        numbers |= bench.numbers()
        time.sleep(0.01)
    process.kill()
    process.wait()
    numbers |= bench.numbers()
    # `iobench clean` alone: only a drive that was made whole by then stays.
    proc.end_orphans()
    lab.clean()
    whole = [drive.name for drive in lab.list_drives()]
    assert [drive.state for drive in lab.list_drives()] == ["up"] * len(whole)
    if not whole:
        assert bench.leftovers() == []
    assert all(any(f"/{name}" in left for name in whole) for left in bench.leftovers()), bench.leftovers()
    # Whose number it was is free, or somebody's else by now.
    throttle = find_throttle()
    assert not [n for n in numbers - bench.numbers() if emulated.emulation_of(n) is None and throttle.limits(n)]
    lab.down()
    assert bench.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.4, 1.2])
def test_killed_at_any_moment_the_next_start_makes_it_anew(bench: Bench, moment: float) -> None:
    process = start_up(bench, "iodrive", size="64Mi")
    time.sleep(moment)
    process.kill()
    process.wait()
    assert [drive.state for drive in lab.up(["iodrive"], 64 * MIB, bench.images)] == ["up"]
    assert len(bench.numbers()) == 1 and sum("/mnt" in line for line in bench.leftovers() if " ext4 " in line) == 1
    lab.down()
    assert bench.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_undoes_itself(bench: Bench, signum: signal.Signals) -> None:
    process = start_up(bench, "sas")
    while not any(bench.images.rglob("drive.img")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signum)
    assert process.wait(20) != 0
    assert bench.leftovers() == []


def test_clean_takes_only_the_half_made(bench: Bench) -> None:
    bench.up(SLOW, lab.custom("torn", read=40e6))
    torn = Path(lab.list_drives()[1].mount or "")
    proc.capture(["umount", str(torn)])
    assert lab.clean() == ["took down half-made emulated drive torn"]
    assert [(drive.name, drive.state) for drive in lab.list_drives()] == [("slow", "up")]


def test_a_drive_in_use_says_by_whom_and_stays(bench: Bench) -> None:
    mount = bench.up(SLOW)[0].mount or ""
    with (Path(mount) / "open").open("w"), pytest.raises(ToolError, match=rf"\b{os.getpid()}\b"):
        lab.down()
    assert [drive.state for drive in lab.list_drives()] == ["up"]
    assert lab.down() == ["slow"]


def test_a_drive_on_cgroup_v2_names_the_group_of_its_programs(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("io memory\n")
    drive = bench.up(SLOW, cgroup=tmp_path)[0]
    group = tmp_path / "iobench-lab"
    assert drive.group == str(group)
    assert emulated.groups() == {number_of(drive): group}
    assert "rbps=40000000 wbps=40000000" in (group / "io.max").read_text()
    lab.down()
    assert "rbps=max wbps=max" in (group / "io.max").read_text()


def test_the_commands_print_one_document_or_a_table(bench: Bench) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    made = json.loads(run("up", "iodrive", "--size", "64Mi", "--dir", str(bench.images), "--json"))
    assert made["schema_version"] == 1
    assert made["drives"][0]["target"].startswith("iodrive=/")
    assert json.loads(run("list", "--json")) == made
    assert "emulated" in run("list") and "\x1b" not in run("list")
    assert json.loads(run("down", "--json")) == {"schema_version": 1, "down": ["iodrive"]}
    assert "iobench lab up" in run("list")


def test_a_user_who_is_not_root_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(emulated.STATE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotRunError, match=r"need root.*-t NAME=PATH"):
        lab.up(["sas"])
