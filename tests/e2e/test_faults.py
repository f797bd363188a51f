"""What a long campaign meets: a drive that fails, one that turns read-only, a clock that is set, a reader that goes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import partitions
import pytest
from failing import Failing, quietly
from running import ONCE, Drive, Iobench, Result, journal, programs, reasons, rows, wait_for

from iobench import proc
from iobench.campaign import evidence, needs
from iobench.campaign import journal as story
from iobench.results import CampaignFolder
from iobench.tools import mariadb

Run = Callable[..., Result]
MIB = 1 << 20
SERVED = {"oltp": ("sysbench", mariadb.daemon()), "kvs": ("memcached",)}


def _two(iobench: Iobench, sound: Drive, bad: Failing, *more: str) -> subprocess.Popen[str]:
    targets = ("-t", f"bad={bad.drive.path}", "-t", f"sound={sound.path}")
    return iobench.start("run", *more, "--size", "16Mi", "--ramp", "0", *targets)


def test_a_drive_that_fails_costs_its_own_steps_only(
    iobench: Iobench, inside: Run, drive: Drive, failing: Failing
) -> None:
    options = ("rand", "--ops", "read", "--loads", "4", "--duration", "1s", "--repeats", "3")
    process = _two(iobench, drive, failing, *options)
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("finished") >= 2)
    failing.switch.touch()
    out, err = process.communicate(timeout=90)
    failing.switch.unlink()
    assert "Traceback" not in err + out
    assert process.returncode in (1, 4), err
    samples = rows(folder.read("samples"))
    assert {row["repeat"] for row in samples if row["target"] == "sound"} == {1, 2, 3}
    assert all("errors" not in row["reasons"] for row in samples if row["target"] == "sound")
    # The failed steps carry the reason, or are told as failed: none is a sound number.
    late = [row for row in samples if row["target"] == "bad" and row["repeat"] == 3]
    failed = [event for event, step in journal(folder) if event == "failed"]
    assert late or failed
    assert all(row["verdict"] == "invalid" and "errors" in row["reasons"] for row in late)
    shown = inside("compare", "--json", folder.id)
    assert (
        "I/O error" in err
        or "Input/output error" in err
        or any("errors" in found for found in reasons(folder).values())
    )
    for row in shown.json["rows"]:
        if row["metric"] == "iops":
            assert row["targets"]["bad"]["verdict"] == "invalid"
            assert all(ratio["difference"] == "none-shown" for ratio in row["ratios"].values())
    if late and os.access("/dev/kmsg", os.R_OK):
        said = inside("explain", folder.id, late[0]["step"]).out
        assert "the kernel said" in said and failing.drive.name in said, said


def test_a_search_on_a_drive_that_fails_ends_without_an_answer(iobench: Iobench, failing: Failing) -> None:
    """The drive is gone in the middle of a search: it is given up, and nothing is said of what it holds."""
    quick = ("--duration", "500ms", "--size", "16Mi", "--no-curve", "--json", "-q")
    process = iobench.start("capacity", "-t", f"bad={failing.drive.path}", "--slo", "rand-read max<30s", *quick)
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("finished") >= 2)
    failing.switch.touch()
    out, err = process.communicate(timeout=90)
    failing.switch.unlink()
    assert process.returncode == 4 and "Traceback" not in err, err
    (found,) = json.loads(out)["searches"]
    assert found["end"] == "open"
    assert not any(point["holds"] and "errors" in point["reasons"] for point in found["points"])


def test_a_drive_that_turns_read_only_costs_its_own_steps_only(
    iobench: Iobench, inside: Run, drive: Drive, failing: Failing
) -> None:
    options = ("rand", "--ops", "write", "--loads", "4", "--duration", "1s", "--repeats", "3")
    process = _two(iobench, drive, failing, *options)
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("finished") >= 2)
    failing.switch.touch()
    quietly("touch", str(failing.drive.path / "journal-me"))
    quietly("sync", "--file-system", str(failing.drive.path))
    out, err = process.communicate(timeout=90)
    failing.switch.unlink()
    assert "Traceback" not in err + out
    assert process.returncode in (1, 4), err
    samples = rows(folder.read("samples"))
    assert {row["repeat"] for row in samples if row["target"] == "sound"} == {1, 2, 3}
    assert not [row for row in samples if row["target"] == "bad" and row["repeat"] == 3 and row["verdict"] == "valid"]
    assert programs(iobench.results) == []
    assert drive.leftovers() == []


CLOCKED = {
    "rand": ("--ops", "read", "--loads", "4", "--duration", "1s", "--ramp", "500ms", "--size", "16Mi"),
    "dd": ("--ops", "write", "--size", "64Mi"),
    "dbench": ("--clients", "1", "--duration", "1s"),
    "oltp": ("--threads", "1", "--tables", "1", "--size", "8Mi", "--duration", "1s", "--ramp", "1s"),
    "kvs": (
        *("--loads", "2", "--size", "2Mi", "--duration", "2s", "--ramp", "1s", "--rate", "500"),
        *("--outage", "freeze", "--outage-time", "500ms"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workload", "hours"), [("rand", -5), ("rand", 5), ("dd", -5), ("dbench", 5), ("oltp", 5), ("kvs", -5)]
)
def test_a_clock_that_is_set_makes_nothing_negative_and_moves_no_window(
    workload: str,
    hours: int,
    inside: Run,
    anywhere: Drive,
    iobench: Iobench,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our clock is set by some hours in the middle of a step; the programs that measure have theirs."""
    if lacking := [name for name in (*SERVED.get(workload, ()), "dbench") if proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    real, calls, tick = time.time, [0], evidence.Watcher.tick

    def looked(watcher: evidence.Watcher) -> None:
        calls[0] += 1
        tick(watcher)

    monkeypatch.setattr(evidence.Watcher, "tick", looked)
    monkeypatch.setattr(time, "time", lambda: real() + (hours * 3600 if calls[0] > 1 else 0))
    said = inside("run", workload, *CLOCKED[workload], *ONCE, "-t", f"one={anywhere.path}")
    monkeypatch.undo()
    assert calls[0] > 1
    if workload == "dbench":  # it counts by that clock
        assert said.code == 4 and "the machine's clock was set by 18000 s while dbench measured" in said.err, said.err
        return
    assert said.code == 0, said.err
    folder = iobench.folder()
    (row,) = rows(folder.read("evidence"))
    samples = rows(folder.read("samples"))
    assert all(0 < sample["duration_s"] < 60 and sample["value"] >= 0 for sample in samples)
    assert all(abs(sample["started_at"] - datetime.now(UTC)) < timedelta(hours=1) for sample in samples)
    assert "page-cache" not in samples[0]["reasons"]
    series = rows(folder.read("series"))
    assert all(0 <= point["t_s"] < 60 for point in series)
    for op in ("read", "written"):
        if row[f"device_bytes_{op}"] is not None and row[f"tool_bytes_{op}"] and workload in ("rand", "dd"):
            assert row[f"device_bytes_{op}"] >= 0.8 * row[f"tool_bytes_{op}"]
    if workload == "kvs":
        marks = {point["metric"]: point["t_s"] for point in series if point["metric"].startswith("outage_")}
        assert 0 < marks["outage_began"] < marks["outage_restored"] < 60
    assert journal(folder)[-1] == ("ended", "") and 0 < story.spent_s(folder.path) < 600


def test_a_reader_that_goes_ends_it_without_a_complaint(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={anywhere.path}")
    assert inside(*once, "-q").code == 0
    process = iobench.start("compare")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert err == ""


def test_a_campaign_whose_reader_goes_ends_and_can_be_gone_on_with(
    iobench: Iobench, inside: Run, anywhere: Drive
) -> None:
    process = iobench.start("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={anywhere.path}")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert anywhere.leftovers() == [] and programs(iobench.results, "dd") == []
    folder = iobench.folder()
    assert inside("resume", folder.id, "-q").code == 0
    assert len(folder.finished()) == 1


LONG = ("rand", "--ops", "read", "--loads", "1,4", "--duration", "2s", "--ramp", "0", "--size", "16Mi", *ONCE)


def _second_step_begun(iobench: Iobench, *targets: str) -> tuple[subprocess.Popen[str], CampaignFolder]:
    process = iobench.start("run", *LONG, *targets)
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("started") == 2 and programs(iobench.results))
    return process, folder


@contextmanager
def _measuring(iobench: Iobench, *targets: str) -> Iterator[subprocess.Popen[str]]:
    """A campaign that measures for as long as is asked about it, however slow this machine is; then it is stopped."""
    process = iobench.start("run", *LONG, "--duration", "100s", *targets)
    folder = iobench.folder_soon()
    wait_for(lambda: "started" in [event for event, _ in journal(folder)] and programs(iobench.results))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


def test_results_that_are_gone_end_it_with_a_sentence(iobench: Iobench, anywhere: Drive) -> None:
    process, folder = _second_step_begun(iobench, "-t", f"one={anywhere.path}")
    folder.path.rename(folder.path.with_name("elsewhere"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "Traceback" not in err + out and "should not have happened" not in err
    assert str(folder.path) in err and "cannot be written" in err
    assert programs(iobench.results) == [] and anywhere.leftovers() == []
    # What had been finished is whole where the folder went.
    folder.path.with_name("elsewhere").rename(folder.path)
    assert len(folder.finished()) == 1 and folder.read("samples").num_rows > 0


@dataclass(frozen=True)
class Killed:
    """A campaign whose iobench was killed in its second step, and the programs of it that still ran then."""

    folder: CampaignFolder
    left: list[proc.ProcessId]


SERVED_RUNS = {
    "rand": LONG,
    "kvs": ("kvs", "--loads", "1,2", "--size", "2Mi", "--duration", "1s", "--ramp", "0", *ONCE),
    "oltp": (*("oltp", "--threads", "1,2", "--tables", "1", "--size", "8Mi", "--duration", "1s", "--ramp", "0"), *ONCE),
}


def _killed(workload: str, iobench: Iobench, drive: Drive, temporary: Path) -> Killed:
    """Kill -9 a campaign in its second step."""
    if lacking := [name for name in SERVED.get(workload, ()) if proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    argv = ("run", *SERVED_RUNS[workload], "-t", f"one={drive.path}")
    process = iobench.start(*argv, env={"TMPDIR": str(temporary)})
    owner = proc.identify(process.pid)
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("started") == 2, 90)
    process.kill()
    process.communicate()
    return Killed(folder, [each for each in proc.orphans() if proc._owner(each.pid) == owner])


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["rand", "kvs"])
def test_after_a_reboot_the_results_alone_are_enough(
    workload: str, iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path
) -> None:
    """As a reboot leaves it: no program, no folder for temporary files; what is on the drive is there."""
    killed = _killed(workload, iobench, anywhere, scratch)
    for each in killed.left:
        os.kill(each.pid, signal.SIGKILL)
    for entry in scratch.iterdir():
        shutil.rmtree(entry)
    assert len(anywhere.leftovers()) == 1
    folder = killed.folder
    before = {path: path.read_bytes() for path in (folder.path / "samples").iterdir()}
    said = inside("resume", folder.id, "-q")
    assert said.code in (0, 1), said.err
    assert len(folder.finished()) == 2
    assert before and all(path.read_bytes() == content for path, content in before.items())
    assert anywhere.leftovers() == []


@pytest.mark.slow
@pytest.mark.parametrize(("workload", "after"), [("kvs", "run"), ("oltp", "clean")])
def test_nothing_is_left_of_a_killed_campaign_after_the_next_start_or_clean(
    workload: str, after: str, iobench: Iobench, inside: Run, anywhere: Drive, scratch: Path
) -> None:
    """Private servers, what they had on the drive and in the folder for temporary files; no resume is needed."""
    killed = _killed(workload, iobench, anywhere, scratch)
    assert killed.left and len(anywhere.leftovers()) == 1
    assert [name.name.startswith(".iobench-") for name in scratch.iterdir()] == [True]
    elsewhere = ("--results", str(iobench.home / "other"))
    dd = ("dd", "--ops", "write", "--size", "1Mi", *ONCE, "-t", f"one={anywhere.path}", "-q")
    said = inside("run", *dd, *elsewhere) if after == "run" else inside("clean")
    assert said.code == 0, said.err
    assert not [each for each in killed.left if each.alive()]
    assert anywhere.leftovers() == [] and list(scratch.iterdir()) == []
    assert not [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(scratch) in line]


def test_test_files_that_somebody_removes_are_told_as_such(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    process, folder = _second_step_begun(
        iobench, "-t", f"one={anywhere.path}", "--loads", "1,2,4", "--duration", "800ms"
    )
    (ours,) = anywhere.leftovers()
    shutil.rmtree(anywhere.path / ours)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4 and "Traceback" not in err + out, err
    # The second step may have opened them before, or not.
    third = folder.campaign().steps[2].id
    (told,) = [line for line in err.splitlines() if " gave no number: " in line and "raw output" in line]
    assert "target one: somebody removed or shortened iobench's data while the campaign ran (" in told, told
    assert "`iobench resume` lays the files out again" in told and str(folder.path / "raw") in told
    assert (folder.raw(third) / "stderr").is_file() and 1 <= len(folder.finished()) <= 2
    assert "left on" not in err and anywhere.leftovers() == []
    assert inside("resume", folder.id, "-q").code == 0
    assert len(folder.finished()) == 3 and anywhere.leftovers() == []


@pytest.mark.slow
def test_an_iobench_that_was_stopped_in_a_step_gives_no_number_for_it(iobench: Iobench, anywhere: Drive) -> None:
    """Ctrl-Z, a paused container, a terminal that takes nothing: what nobody looked at has no evidence."""
    process = iobench.start("run", *LONG, "--loads", "1", "-t", f"one={anywhere.path}")
    folder = iobench.folder_soon()
    wait_for(lambda: [event for event, _ in journal(folder)].count("started") == 1 and programs(iobench.results))
    process.send_signal(signal.SIGSTOP)
    time.sleep(6)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert re.search(r"iobench could not look at the drive for \d+ s while this was measured", err), err
    assert folder.finished() == set() and anywhere.leftovers() == []


def test_a_drive_that_is_gone_is_not_gone_on_with(iobench: Iobench, inside: Run, block_device: Drive) -> None:
    """Unmounted between run and resume: the empty folder that is left lies on another drive."""
    subprocess.run(["mkfs.ext4", "-q", "-F", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    process, folder = _second_step_begun(iobench, "-t", f"one={block_device.path}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    subprocess.run(["umount", str(block_device.path)], check=True)
    said = inside("resume", folder.id)
    assert said.code == 3, said.err
    assert "target one is another drive than when the campaign began" in said.err
    assert f"it was {block_device.name}" in said.err and " and is " in said.err
    assert list(block_device.path.iterdir()) == []


def test_two_campaigns_at_once_on_one_drive_are_refused(iobench: Iobench, inside: Run, anywhere: Drive) -> None:
    process, folder = _second_step_begun(iobench, "-t", f"one={anywhere.path}")
    elsewhere = iobench.home / "other-results"
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "--results", str(elsewhere))
    said = inside(*once, "-t", f"two={anywhere.path}")
    assert said.code == 3, said.err
    assert f"target two: another iobench (process {process.pid}) is measuring the drive mounted at" in said.err
    assert not list(elsewhere.glob("*"))
    process.communicate(timeout=60)
    assert process.returncode in (0, 1)
    assert "background-io" not in {reason for found in reasons(folder).values() for reason in found}
    assert inside(*once, "-t", f"two={anywhere.path}", "-t", f"three={anywhere.path}").code in (0, 1)


def test_a_drive_that_is_measured_already_is_refused_through_another_mount_too(
    iobench: Iobench, inside: Run, drive: Drive, tmp_path: Path
) -> None:
    """Another root folder, as other partitions and a container's volumes have: the turn is the drive's as well."""
    inner, other = drive.path / "inner", tmp_path / "other"
    for folder in (inner, other):
        folder.mkdir()
    subprocess.run(["mount", "--bind", str(inner), str(other)], check=True)
    try:
        once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"two={other}")
        with _measuring(iobench, "-t", f"one={drive.path}") as process:
            said = inside(*once, "--results", str(tmp_path / "results"))
        assert said.code == 3, said.err
        assert f"target two: another iobench (process {process.pid}) is measuring on the drive {drive.name}" in said.err
        assert not list((tmp_path / "results").glob("*")) and list(inner.iterdir()) == []
        assert inside(*once).code in (0, 1)
    finally:
        subprocess.run(["umount", str(other)], check=True)
        inner.rmdir()


def test_a_drive_that_is_measured_already_is_refused_through_another_partition_too(
    iobench: Iobench, inside: Run, block_device: Drive, tmp_path: Path
) -> None:
    device = str(block_device.device)
    partitions.add(device, (2048, 61440), (65536, 61440))
    parts = [(f"{device}p{number}", tmp_path / f"part-{number}") for number in (1, 2)]
    if not all(Path(part).exists() for part, _ in parts):
        pytest.skip("needs partitions of loop devices")
    try:
        for part, folder in parts:
            folder.mkdir()
            subprocess.run(["mkfs.ext4", "-q", "-F", part], check=True)
            subprocess.run(["mount", part, str(folder)], check=True)
        with _measuring(iobench, "-t", f"one={parts[0][1]}", "--size", "8Mi") as process:
            said = inside("run", "dd", "--ops", "write", "--size", "1Mi", *ONCE, "-t", f"two={parts[1][1]}")
        assert said.code == 3, said.err
        what = f"another iobench (process {process.pid}) is measuring on the drive {block_device.name}"
        assert f"target two: {what}" in said.err
        assert [entry.name for entry in parts[1][1].iterdir()] == ["lost+found"]
    finally:
        for _, folder in parts:
            quietly("umount", str(folder))
        quietly(*partitions.REMOVE, device)


def test_results_on_a_drive_that_fails_and_turns_read_only_end_it_with_a_sentence(
    iobench: Iobench, inside: Run, drive: Drive, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = failing.drive.path / "results"
    iobench.results = results
    iobench.environment["IOBENCH_RESULTS"] = str(results)
    process, folder = _second_step_begun(iobench, "-t", f"one={drive.path}")
    kept = folder.finished()
    failing.switch.touch()
    out, err = process.communicate(timeout=90)
    failing.switch.unlink()
    assert process.returncode == 4, err
    assert "Traceback" not in err + out and "should not have happened" not in err, err
    assert "cannot be written" in err and str(results) in err, err
    assert programs(results) == [] and drive.leftovers() == []
    assert len(kept) == 1 and folder.finished() >= kept
    assert {row["step"] for row in rows(folder.read("samples"))} >= kept


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["dd", "oltp", "kvs"])
def test_a_target_that_somebody_fills_costs_its_own_steps_only(
    workload: str, iobench: Iobench, inside: Run, drive: Drive, block_device: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full as soon as the first file of ours is to be made on it: what it needs had been free when it was planned."""
    if workload != "dd" and (lacking := [name for name in SERVED[workload] if proc.find(name) is None]):
        pytest.skip(f"needs {', '.join(lacking)}")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    options = {
        "dd": ("--ops", "write", "--size", "8Mi"),
        "oltp": ("--threads", "2", "--tables", "1", "--size", "8Mi", "--ramp", "0", "--duration", "1s"),
        "kvs": ("--loads", "2", "--size", "2Mi", "--ramp", "0", "--duration", "1s"),
    }[workload]
    monkeypatch.setattr(needs, "check_room", lambda *_: None)  # it sees that a database is larger than this drive
    watch = proc.watch

    def fill_first(*words: object, **named: object) -> proc.Ended:
        """Somebody else fills the drive before the first program of ours is started there."""
        filler = block_device.path / "filler"
        if not filler.exists():
            with filler.open("wb") as file, suppress(OSError):
                while True:
                    file.write(bytes(MIB))
        return watch(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(proc, "watch", fill_first)
    short = Path(tempfile.mkdtemp(prefix="io-", dir="/tmp"))
    try:
        with monkeypatch.context() as patched:
            patched.setattr(tempfile, "tempdir", str(short))
            targets = ("-t", f"full={block_device.path}", "-t", f"sound={drive.path}")
            said = inside("run", workload, *options, *ONCE, *targets)
        assert list(short.iterdir()) == []
    finally:
        shutil.rmtree(short)
    assert said.code == 4 and "Traceback" not in said.err and "should not have happened" not in said.err, said.err
    assert "No space left on device" in said.err or "full" in said.err, said.err
    folder = iobench.folder()
    finished = {step.target for step in folder.campaign().steps if step.id in folder.finished()}
    assert finished == {"sound"}
    assert block_device.leftovers() == ["filler"]
