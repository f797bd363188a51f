"""The parts of an emulated drive that need no root: limits, images, measured speeds, the state."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.drives import emulated
from iobench.drives.emulated import Record
from iobench.errors import CannotRunError, ParseError, UsageError
from iobench.lab import image, measure
from iobench.lab.throttle import Throttle, find_throttle
from iobench.model import Emulation

MIB = 2**20
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
    assert "500 MB/s" in notes[0] and "400 MB/s" in notes[0] and "320 MB/s" in notes[0]


def test_a_speed_just_in_reach_is_kept() -> None:
    assert measure.lowered({"read": 500e6}, {"read": 551e6}) == ({"read": 500e6}, [])
    assert measure.lowered({"read": 500e6}, {}) == ({"read": 500e6}, [])


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
        image.claim(folder, "ab12")
    assert not image.remove(folder, "ab12")
    assert (folder / image.IMAGE).read_text() == "precious"


def test_another_drives_marker_keeps_its_image(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    image.claim(folder, "ab12")
    (folder / image.IMAGE).write_text("x")
    assert not image.remove(folder, "cd34")
    assert (folder / image.IMAGE).exists()
    assert image.remove(folder, "ab12")
    assert not folder.exists()


def test_a_file_that_someone_put_beside_the_image_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    image.claim(folder, "ab12")
    (folder / "notes.txt").write_text("precious")
    assert not image.remove(folder, "ab12")
    assert (folder / "notes.txt").read_text() == "precious"


def test_what_a_killed_start_left_is_claimed_again(tmp_path: Path) -> None:
    folder = tmp_path / "iobench-lab-sas"
    folder.mkdir()  # killed before the marker
    image.claim(folder, "ab12")
    (folder / image.IMAGE).write_text("half")  # killed while writing
    image.claim(folder, "cd34")
    assert [path.name for path in folder.iterdir()] == [image.MARKER]


def test_too_little_room_is_said_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match=r"has .* free, and 3 drives of 1,?000 TB need"):
        image.check_room(tmp_path, 10**15, 3)
    with pytest.raises(UsageError, match="too small"):
        image.check_room(tmp_path, MIB, 1)


# --- the state -----------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder and a /sys/block of our own, with loop3 on the image of `record`."""
    monkeypatch.setenv(emulated.STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setattr(emulated, "_SYS_BLOCK", tmp_path / "block")
    state = emulated.writable_state()
    backing = tmp_path / "block" / "loop3" / "loop" / "backing_file"
    backing.parent.mkdir(parents=True)
    backing.write_text(record(state).backing + "\n")
    return state


def test_a_record_comes_back_as_it_was(state: Path) -> None:
    before = record(state, emulation=replace(LIMITS, notes=("遅い", "b")))
    emulated.save_record(before)
    assert emulated.records() == [before]
    assert emulated.emulations() == {"7:3": before.emulation}
    assert emulated.groups() == {"7:3": Path("/cg/iobench-lab")}


def test_a_loop_number_that_another_file_has_now_is_not_emulated(state: Path, tmp_path: Path) -> None:
    emulated.save_record(record(state))
    (tmp_path / "block" / "loop3" / "loop" / "backing_file").write_text("/other.img\n")
    assert emulated.emulations() == {} and emulated.groups() == {}


def test_v1_has_no_group(state: Path) -> None:
    emulated.save_record(record(state, throttle_version=1, throttle_path="/cg/blkio"))
    assert emulated.groups() == {} and set(emulated.emulations()) == {"7:3"}


def test_another_version_of_the_state_is_said(state: Path) -> None:
    emulated.save_record(record(state))
    path = state / "sas.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(ParseError, match="schema_version 2"):
        emulated.emulations()


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
