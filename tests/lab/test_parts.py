"""The parts of an emulated drive that need no root: limits, images, measured speeds, the state."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench import proc
from iobench.drives import emulated, throttle
from iobench.drives.emulated import Record
from iobench.drives.throttle import Throttle, find_throttle
from iobench.errors import CannotRunError, ParseError, ToolError, UsageError
from iobench.lab import custom, image, measure, work
from iobench.model import Emulation
from iobench.texts import Phrase

MIB = 2**20
STATE = Path("/run/iobench/lab/sas.json")
LIMITS = Emulation("x", read_bps=137e6, write_iops=733.4)


def record(folder: Path, **changes: Any) -> Record:
    base = Record(
        name="sas",
        id="ab12",
        folder=str(folder / "sas"),
        image_folder=str(folder / "images"),
        image=str(folder / "images" / "drive.img"),
        backing=str(folder / "images" / "drive.img"),
        size=MIB,
        title="SAS",
        kind="SAS",
        emulation=LIMITS,
        device="/dev/loop3",
        number="7:3",
        throttle_version=2,
        throttle_path="/cg/iobench-lab",
    )
    return replace(base, **changes)


# --- limits --------------------------------------------------------------------------------------------


def cgroup_v2(root: Path, controllers: str = "cpu io memory") -> Path:
    (root / "cgroup.controllers").write_text(controllers + "\n")
    return root


def test_v1_writes_one_file_a_limit_and_takes_them_off(tmp_path: Path) -> None:
    (tmp_path / "blkio").mkdir()
    (tmp_path / "blkio" / "blkio.throttle.read_bps_device").write_text("")
    throttle = find_throttle(tmp_path)
    throttle.set("7:3", LIMITS)
    assert throttle.version == 1
    assert (tmp_path / "blkio" / "blkio.throttle.write_iops_device").read_text() == "7:3 733"
    assert (tmp_path / "blkio" / "blkio.throttle.write_bps_device").read_text() == "7:3 0"
    throttle.clear("7:3")
    assert (tmp_path / "blkio" / "blkio.throttle.read_bps_device").read_text() == "7:3 0"


def test_v2_limits_a_group_that_counts_memory_too(tmp_path: Path) -> None:
    throttle = find_throttle(cgroup_v2(tmp_path))
    throttle.prepare()
    throttle.set("7:3", LIMITS)
    assert (throttle.version, throttle.path) == (2, tmp_path / "iobench-lab")
    assert (throttle.path / "io.max").read_text() == "7:3 rbps=137000000 wbps=max riops=max wiops=733"
    assert throttle.limits("7:3") == {"read_bps": 137_000_000, "write_iops": 733}
    assert throttle.limits("7:4") == {}
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"
    throttle.clear("7:3")
    assert throttle.limits("7:3") == {}


def test_the_group_of_v2_stays_while_another_labs_drive_is_limited_in_it(tmp_path: Path) -> None:
    throttle = find_throttle(cgroup_v2(tmp_path))
    throttle.prepare()
    throttle.set("7:9", LIMITS)
    throttle.retire()
    assert throttle.limits("7:9")
    (throttle.path / "io.max").unlink()  # the kernel's group has no files to be removed
    throttle.retire()
    assert not throttle.path.exists()


def test_a_machine_without_limits_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="measure real paths"):
        find_throttle(cgroup_v2(tmp_path, "cpu memory"))


def test_a_refused_limit_is_an_error_and_not_a_fast_drive(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="speed cannot be set"):
        Throttle(2, tmp_path / "gone").set("7:3", LIMITS)


# --- measured speeds -----------------------------------------------------------------------------------


def test_a_speed_out_of_reach_is_lowered_with_both_figures() -> None:
    limits, notes = measure.lowered({"read": 500e6, "write_iops": 100}, {"read": 400e6, "write_iops": 5000})
    assert limits == {"read": 320e6, "write_iops": 100}
    assert len(notes) == 1
    assert all(rate in str(notes[0]) for rate in ("500 MB/s", "400 MB/s", "320 MB/s"))


def test_a_speed_just_in_reach_is_kept() -> None:
    assert measure.lowered({"read": 500e6}, {"read": 551e6}) == ({"read": 500e6}, [])
    assert measure.lowered({"read": 500e6}, {}) == ({"read": 500e6}, [])


FIO = Path(__file__).parents[1] / "fixtures" / "fio-3.33"


def test_what_a_device_reaches_is_read_from_fios_own_report(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def says(name: str) -> None:
        def capture(argv: Sequence[str], **_: object) -> proc.Done:
            asked.append(tuple(argv))
            return proc.Done(tuple(argv), 0, (FIO / name).read_text(), "")

        monkeypatch.setattr(proc, "capture", capture)

    says("seq-read.json")
    assert measure.reach("/dev/loop3", 64 * MIB, "read") == 772708092
    assert measure.reach("/dev/loop3", 64 * MIB, "read_iops") == 732.273028
    assert measure.latency("/dev/loop3", 64 * MIB) == pytest.approx(10875715.428058e-9)
    assert {"--rw=read", "--bs=1048576", "--iodepth=8", "--direct=1", f"--size={64 * MIB}"} <= set(asked[0])
    assert {"--rw=randread", "--bs=4096", "--iodepth=64", "--runtime=400ms"} <= set(asked[1])
    assert {"--filename=/dev/loop3", "--rw=randread", "--iodepth=1"} <= set(asked[2])
    says("no-io.json")
    assert measure.reach("/dev/loop3", 64 * MIB, "write") is None and measure.latency("/dev/loop3", MIB) is None


def test_what_cannot_be_measured_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> proc.Done:
        raise ToolError("fio ended with exit code 1")

    monkeypatch.setattr(proc, "capture", broken)
    assert measure.reach("/dev/loop3", 64 * MIB, "write_iops") is None
    monkeypatch.setattr(proc, "capture", lambda argv, **_: proc.Done(tuple(argv), 0, "rubbish", ""))
    assert measure.reach("/dev/loop3", 64 * MIB, "write_iops") is None


def test_a_lowered_rate_is_known_by_data_and_not_by_a_sentence(tmp_path: Path) -> None:
    profile = custom("sas", read=500e6)
    slower = Emulation("sas", read_bps=320e6, notes=("read lowered from 500 MB/s to 320 MB/s", "read is assumed"))
    work._check_same(record(tmp_path, emulation=slower, lowered=("read",)), profile, MIB, block=False)
    for changes in ({"lowered": ()}, {"lowered": ("write",)}):
        with pytest.raises(UsageError, match="is up with other figures"):
            work._check_same(record(tmp_path, emulation=slower, **changes), profile, MIB, block=False)
    faster = replace(slower, read_bps=600e6)
    with pytest.raises(UsageError, match="is up with other figures"):
        work._check_same(record(tmp_path, emulation=faster, lowered=("read",)), profile, MIB, block=False)


# --- images --------------------------------------------------------------------------------------------


def test_an_image_is_written_whole_with_data_that_does_not_shrink(tmp_path: Path) -> None:
    path, size = tmp_path / "x", 9 * MIB + 4096
    image.write(path, size)
    data = path.read_bytes()
    assert len(data) == size and path.stat().st_blocks * 512 >= size
    assert len(zlib.compress(data, 1)) > 0.99 * size


def test_an_image_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "x").symlink_to(victim)
    with pytest.raises(CannotRunError):
        image.write(tmp_path / "x", 4096)
    assert victim.read_text() == "precious"


def test_a_folder_without_our_marker_is_neither_used_nor_removed(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    folder.mkdir()
    (folder / image.IMAGE).write_text("precious")
    with pytest.raises(CannotRunError, match="does not carry our marker"):
        image.claim(folder, "ab12", STATE)
    assert not image.remove(folder, "ab12")
    assert (folder / image.IMAGE).read_text() == "precious"


def test_another_drives_marker_keeps_its_image(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    image.claim(folder, "ab12", STATE)
    (folder / image.IMAGE).write_text("x")
    assert not image.remove(folder, "cd34")
    assert (folder / image.IMAGE).exists()
    assert image.remove(folder, "ab12")
    assert not folder.exists()


def test_a_file_that_someone_put_beside_the_image_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    image.claim(folder, "ab12", STATE)
    (folder / "notes.txt").write_text("precious")
    assert not image.remove(folder, "ab12")
    assert (folder / "notes.txt").read_text() == "precious"


def test_what_a_killed_start_left_is_claimed_again(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    folder.mkdir()  # killed before the marker
    image.claim(folder, "ab12", STATE)
    (folder / image.IMAGE).write_text("half")  # killed while writing
    image.claim(folder, "cd34", STATE)
    assert [path.name for path in folder.iterdir()] == [emulated.MARKER]


def test_too_little_room_is_said_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match=r"has .* free, and 3 drives of 1,?000 TB take"):
        image.check_room(tmp_path, 10**15, 3)
    with pytest.raises(UsageError, match="too small"):
        image.check_room(tmp_path, MIB, 1)


# --- the state -----------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder in a made /sys, where loop3 is on the image of `record`."""
    monkeypatch.setenv(emulated.STATE_VARIABLE, str(tmp_path / "state"))
    state = emulated.writable_state()
    loop_on(tmp_path, record(state).backing)
    return state


def loop_on(sys: Path, backing: str, number: str = "7:3") -> None:
    """Make a /sys with loop3 on a backing file."""
    home = sys / "devices/virtual/block/loop3"
    (home / "loop").mkdir(parents=True, exist_ok=True)
    (home / "loop/backing_file").write_text(backing + "\n")
    (home / "dev").write_text(f"{number}\n")
    link(sys / "block/loop3", home)
    link(sys / "dev/block" / number, home)


def link(at: Path, to: Path) -> None:
    at.parent.mkdir(parents=True, exist_ok=True)
    if not at.is_symlink():
        at.symlink_to(to)


def test_a_record_comes_back_as_it_was(state: Path, tmp_path: Path) -> None:
    before = record(state, emulation=replace(LIMITS, notes=("遅い", "b")), lowered=("read", "write_iops"))
    emulated.save_record(before)
    assert emulated.records() == [before]
    assert emulated.emulation_of("7:3", tmp_path) == before.emulation
    assert emulated.groups(tmp_path) == {"7:3": Path("/cg/iobench-lab")}


def test_a_full_state_folder_is_said_and_leaves_what_was_there(state: Path) -> None:
    before = record(state)
    emulated.save_record(before)
    (state / "sas.draft").symlink_to("/dev/full")
    with pytest.raises(CannotRunError, match=r"No space left on device.*IOBENCH_LAB_STATE"):
        emulated.save_record(replace(before, ready=True))
    assert emulated.records() == [before] and not (state / "sas.draft").is_symlink()


def test_a_loop_number_that_another_file_has_now_is_not_emulated(state: Path, tmp_path: Path) -> None:
    emulated.save_record(record(state))
    loop_on(tmp_path, "/other.img")
    assert emulated.emulation_of("7:3", tmp_path) is None and emulated.groups(tmp_path) == {}


def test_v1_has_no_group(state: Path, tmp_path: Path) -> None:
    emulated.save_record(record(state, throttle_version=1, throttle_path="/cg/blkio"))
    assert emulated.groups(tmp_path) == {} and emulated.emulation_of("7:3", tmp_path) == LIMITS


def test_another_version_of_the_state_is_said(state: Path) -> None:
    emulated.save_record(record(state))
    path = state / "sas.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(ParseError, match="schema_version 2"):
        emulated.emulation_of("7:3")


def test_a_state_of_before_the_lowered_rates_is_read(state: Path) -> None:
    emulated.save_record(record(state))
    path = state / "sas.json"
    path.write_text(path.read_text().replace(' "lowered": [],\n', ""))
    assert "lowered" not in path.read_text()
    assert emulated.records() == [record(state)]


# --- what stands on an emulated drive is emulated -------------------------------------------------------


def stacked(sys: Path) -> None:
    """On loop3: partition 259:1; on that the mapped device 252:0; and one of its own, 252:1, on a drive 8:0."""
    loop = sys / "devices/virtual/block/loop3"
    for home, number in ((loop / "loop3p1", "259:1"), (sys / "devices/dm-0", "252:0"), (sys / "devices/dm-1", "252:1")):
        home.mkdir(parents=True)
        (home / "dev").write_text(f"{number}\n")
        link(sys / "dev/block" / number, home)
    (loop / "loop3p1/partition").write_text("1\n")
    sda = sys / "devices/sda"
    sda.mkdir()
    (sda / "dev").write_text("8:0\n")
    link(sys / "dev/block/8:0", sda)
    link(sys / "devices/dm-0/slaves/loop3p1", loop / "loop3p1")
    link(sys / "devices/dm-1/slaves/sda", sda)


def test_a_partition_and_a_mapped_device_on_an_emulated_drive_are_emulated(state: Path, tmp_path: Path) -> None:
    stacked(tmp_path)
    emulated.save_record(record(state))
    for number in ("7:3", "259:1", "252:0"):
        assert emulated.emulation_of(number, tmp_path) == LIMITS
    for number in ("8:0", "252:1", "9:9"):
        assert emulated.emulation_of(number, tmp_path) is None


def test_the_limits_that_stand_are_read_back_of_what_is_on_an_emulated_drive(state: Path, tmp_path: Path) -> None:
    stacked(tmp_path)
    group = tmp_path / "cg/iobench-lab"
    emulated.save_record(record(state, throttle_path=str(group)))
    assert throttle.reader("252:0", tmp_path) is None, "what cannot be read is not known, and not no limit"
    group.mkdir(parents=True)
    (group / "io.max").write_text("7:2 rbps=5 wbps=max riops=max wiops=max\n7:3 rbps=9000 wbps=max riops=max wiops=7\n")
    limits = throttle.reader("252:0", tmp_path)
    assert limits is not None and limits() == {"read_bps": 9000, "write_iops": 7}
    (group / "io.max").write_text("")
    assert limits() == {}
    assert throttle.reader("8:0", tmp_path) is None


def test_a_set_over_several_drives_has_not_the_limits_of_one_of_them(state: Path, tmp_path: Path) -> None:
    """Two striped do twice as much: no reason to call that impossible."""
    stacked(tmp_path)
    link(tmp_path / "devices/dm-0/slaves/sda", tmp_path / "devices/sda")
    group = tmp_path / "cg/iobench-lab"
    group.mkdir(parents=True)
    (group / "io.max").write_text("7:3 rbps=9000\n")
    emulated.save_record(record(state, throttle_path=str(group)))
    emulation = emulated.emulation_of("252:0", tmp_path)
    assert emulation is not None and emulation.read_bps is None and emulation.notes == (Phrase("lab.several"),)
    assert throttle.reader("252:0", tmp_path) is None


@pytest.fixture
def elsewhere(state: Path, tmp_path: Path) -> Path:
    """A drive whose state is in another folder than the one that is looked at, and so in nobody's records."""
    other = tmp_path / "other state"
    other.mkdir()
    drive = record(other)
    image.claim(Path(drive.image_folder), drive.id, drive.state_file)
    loop_on(tmp_path, drive.backing)
    assert emulated.records() == []
    return other


def test_a_drive_of_another_state_folder_is_known_by_its_mark_with_its_figures(elsewhere: Path, tmp_path: Path) -> None:
    stacked(tmp_path)
    emulated.save_record(record(elsewhere))
    assert emulated.emulation_of("7:3", tmp_path) == LIMITS == emulated.emulation_of("252:0", tmp_path)


@pytest.mark.parametrize("what", ["gone", "broken", "of another drive"])
def test_a_mark_is_enough_where_the_figures_cannot_be_had(elsewhere: Path, tmp_path: Path, what: str) -> None:
    if what == "broken":
        (elsewhere / "sas.json").write_text("{")
    if what == "of another drive":
        emulated.save_record(record(elsewhere, id="cd34"))
    found = emulated.emulation_of("7:3", tmp_path)
    assert found is not None
    assert (found.profile, found.read_bps, found.write_iops) == ("unknown", None, None)
    assert "figures are not known" in str(found.notes[0])


def test_a_served_drive_of_another_state_folder_is_known_by_that_state(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    drive = record(other, backing=str(emulated.served_path(other / "sas")))
    loop_on(tmp_path, drive.backing)
    assert emulated.emulation_of("7:3", tmp_path) is None
    emulated.save_record(drive)
    assert emulated.emulation_of("7:3", tmp_path) == LIMITS


def test_a_loop_device_on_a_file_on_an_emulated_drive_is_emulated(state: Path, tmp_path: Path) -> None:
    """The drive is made to be the device that tmp_path is on: a file there is a file on it."""
    number = f"{os.major(tmp_path.stat().st_dev)}:{os.minor(tmp_path.stat().st_dev)}"
    emulated.save_record(record(state, number=number))
    nested = tmp_path / "nested.img"
    nested.touch()
    home = tmp_path / "devices/virtual/block/loop4"
    (home / "loop").mkdir(parents=True)
    (home / "dev").write_text("7:4\n")
    (home / "loop/backing_file").write_text(f"{nested}\n")
    link(tmp_path / "dev/block/7:4", home)
    assert emulated.emulation_of("7:4", tmp_path) == LIMITS
    nested.unlink()
    assert emulated.emulation_of("7:4", tmp_path) is None


@given(st.data())
def test_mutated_state_is_a_record_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("state")
    emulated.save_record(record(folder))
    path = folder / "sas.json"
    text = path.read_text().replace(str(folder), "/x")  # the same text each time
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    path.write_text(text[:start] + data.draw(st.text(max_size=8)) + text[end:], encoding="utf-8", errors="replace")
    try:
        found = emulated.read_record(path)
    except ParseError as error:
        assert str(path) in str(error)
    else:
        json.dumps(found.size + 1)
        assert isinstance(os.fspath(Path(found.folder)), str)


def test_truncated_state_is_an_error(tmp_path: Path) -> None:
    emulated.save_record(record(tmp_path))
    path = tmp_path / "sas.json"
    text = path.read_text().rstrip()
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        with pytest.raises(ParseError):
            emulated.read_record(path)


def test_another_users_state_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sudo -E` keeps his XDG_RUNTIME_DIR: what he wrote there would be unmounted and detached by root."""
    monkeypatch.delenv(emulated.STATE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert emulated.state_folders()[1:] == [tmp_path / "iobench" / "lab"]
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert emulated.state_folders()[1:] == []
