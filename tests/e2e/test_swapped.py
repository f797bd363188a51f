"""A name that comes to lead elsewhere between plan, run and step: nothing of what is there now is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from running import ONCE, Drive, Iobench, Result, journal

from iobench import proc
from iobench.campaign import assemble, site
from iobench.drives.workdir import WorkFolder
from iobench.model import Passport
from iobench.tools import mariadb

Run = Callable[..., Result]
MIB = 1 << 20
SERVED = ("--duration", "1s", "--ramp", "0", *ONCE)
WORKLOADS = {
    "dd": (("--size", "8Mi", *ONCE), "dd"),
    # At a rate: as fast as it goes, so few values are in the page cache again as soon as they are dropped from it.
    "kvs": (("--loads", "2", "--rate", "300", "--size", "4Mi", *SERVED), "memcached"),
    "oltp": (("--threads", "2", "--tables", "1", "--size", "8Mi", *SERVED), mariadb.daemon()),
}


def _everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.slow
@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_a_target_that_is_swapped_once_the_folder_is_made(
    workload: str,
    inside: Run,
    iobench: Iobench,
    drive: Drive,
    scratch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The target is a link. It comes to lead to a folder where all the names are that ours has."""
    options, program = WORKLOADS[workload]
    if proc.find(program) is None:
        pytest.skip(f"needs {program}")
    link, precious = tmp_path / "link", tmp_path / "precious"
    link.symlink_to(drive.path)
    precious.mkdir()
    swapped: list[dict[str, bytes | None]] = []
    make = site.open_folder

    def make_and_swap(target: Passport, name: str, keep: Sequence[str] = ()) -> WorkFolder:
        folder = make(target, name, keep)
        trap = precious / folder.name
        for each in ("dbench", "memcached-1", "mariadb-1", "mariadb-1/data"):
            (trap / each).mkdir(parents=True)
        for each in ("iobench.marker", "data", "dd", "rand", "dbench/theirs", "memcached-1/ext", "mariadb-1/theirs"):
            (trap / each).write_text("precious")
        link.unlink()
        link.symlink_to(precious)
        swapped.append(_everything(precious))
        return folder

    monkeypatch.setattr(site, "open_folder", make_and_swap)
    said = inside("run", workload, *options, "-t", f"one={link}", "-q")
    assert said.code == 0, said.err
    assert swapped and _everything(precious) == swapped[0]
    assert iobench.folder().finished() and drive.leftovers() == []


def test_a_folder_that_lost_its_marker_stays_and_is_told(
    inside: Run, iobench: Iobench, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its marker it may be somebody else's by now."""
    make, made = site.open_folder, list[WorkFolder]()

    def make_and_strip(target: Passport, name: str, keep: Sequence[str] = ()) -> WorkFolder:
        made.append(make(target, name, keep))
        Path(made[0].path, "iobench.marker").unlink()
        return made[0]

    monkeypatch.setattr(site, "open_folder", make_and_strip)
    said = inside("run", "dd", "--size", "8Mi", *ONCE, "-t", f"one={drive.path}")
    assert said.code == 0, said.err
    path = made[0].path
    assert (
        Path(path).is_dir() and f"left on one, as iobench's marker is gone: {path}" in said.err and "marker" in said.err
    )
    shutil.rmtree(path)
    assert "stays" in [event for event, _ in journal(iobench.folder())]


@pytest.mark.parametrize("form", ["link", "link/..", "{up}"])
def test_a_target_that_leads_elsewhere_by_its_name_is_measured_where_it_leads(
    form: str, inside: Run, iobench: Iobench, drive: Drive
) -> None:
    (iobench.home / "link").symlink_to(drive.path if form == "link" else drive.path / "lost+found")
    path = form.format(up=os.path.relpath(drive.path, iobench.home))
    said = inside("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={path}", "-q")
    assert said.code == 0, said.err
    (passport,) = iobench.folder().campaign().passports.values()
    assert passport.device is not None and passport.device.name == drive.name
    assert drive.leftovers() == [] and sorted(path.name for path in iobench.home.iterdir()) == ["link", "results"]


def _then(do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something once a campaign is planned, before it begins."""

    def planned(assembled: assemble.Assembled) -> assemble.Assembled:
        do()
        return assembled

    monkeypatch.setattr(assemble, "probed", planned)


def _refused(said: Result, iobench: Iobench) -> None:
    assert said.code == 3 and "Traceback" not in said.err, said.err
    assert not list(iobench.results.glob("*"))


def test_a_drive_that_is_unmounted_between_plan_and_run(
    inside: Run, iobench: Iobench, block_device: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["mkfs.ext4", "-q", "-F", str(block_device.device)], check=True)
    subprocess.run(["mount", str(block_device.device), str(block_device.path)], check=True)
    _then(lambda: subprocess.run(["umount", str(block_device.path)], check=True) and None, monkeypatch)
    said = inside("run", "dd", "--size", "4Mi", *ONCE, "-t", f"one={block_device.path}")
    _refused(said, iobench)
    assert f"target one is another drive than when the campaign began: it was {block_device.name}" in said.err
    assert list(block_device.path.iterdir()) == []


def test_a_block_device_that_is_replaced_between_plan_and_run(
    inside: Run, iobench: Iobench, block_device: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another drive under the same name, even where it may be overwritten as well: it is not the one of the plan."""
    other = tmp_path / "other"
    other.write_bytes(b"precious" * (65 * MIB // 8))

    def replace() -> None:
        subprocess.run(["losetup", "--detach", str(block_device.device)], check=True)
        subprocess.run(["losetup", str(block_device.device), str(other)], check=True)

    _then(replace, monkeypatch)
    ids = [f"--destroy-data={block_device.name}:{size * MIB}" for size in (65, 64)]
    for allowed in (ids[1:], ids[:1]):
        said = inside("run", "dd", "--size", "4Mi", *ONCE, "-t", f"raw={block_device.device}", *allowed, "--yes")
        _refused(said, iobench)
        subprocess.run(["losetup", "--detach", str(block_device.device)], check=True)
        image = block_device.path.parent / "image"
        subprocess.run(["losetup", str(block_device.device), str(image)], check=True)
    assert str(64 * MIB) in said.err and str(65 * MIB) in said.err
    assert other.read_bytes() == b"precious" * (65 * MIB // 8)
