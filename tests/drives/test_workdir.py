"""The work folder: made, taken over, swapped, linked out of, left behind; nothing but ours is ever removed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from iobench import proc
from iobench.drives import leftovers
from iobench.drives import marker as markers
from iobench.drives.leftovers import find_leftovers, remove_leftover
from iobench.drives.marker import MARKER
from iobench.drives.workdir import WorkFolder
from iobench.errors import CannotRunError, ResultsError

KILLED = """
import os, sys
from iobench.drives.workdir import WorkFolder
folder = WorkFolder.make(sys.argv[1], "c1")
os.close(folder.open("data", os.O_WRONLY | os.O_CREAT))
print(flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder that a killed run of campaign c1 left, with a file in it."""
    done = subprocess.run((sys.executable, "-c", KILLED, str(tmp_path)), check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    return tmp_path / ".iobench-c1"


def test_two_that_find_one_leftover_at_once_remove_it_once(tmp_path: Path) -> None:
    """Both start, and both find what a killed one left in the folder for temporary files."""
    for number in range(5):
        name = f"c{number}"
        child = os.fork()
        if child == 0:
            folder = WorkFolder.make(str(tmp_path), name)
            for file in range(50):
                os.close(folder.open(f"f{file}", os.O_WRONLY | os.O_CREAT))
            Path(folder.make_folder("server"), "data").touch()
            os._exit(0)  # as if it had been killed: nothing is removed
        os.waitpid(child, 0)
        (leftover,) = find_leftovers(str(tmp_path))
        begin, told = threading.Barrier(4), list[object]()

        def remove(begin: threading.Barrier = begin, told: list[object] = told, one: Any = leftover) -> None:
            begin.wait()
            try:
                told.append(remove_leftover(one))
            except Exception as error:
                told.append(error)

        threads = [threading.Thread(target=remove) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == [()] * 4 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["server/deep", "server"])
def test_what_somebody_mounted_inside_is_never_emptied(where: str, tmp_path: Path) -> None:
    """A bind mount has the device of what is around it, so it is told by the mount and not by the device."""
    precious = tmp_path / "precious"
    (precious / "sub").mkdir(parents=True)
    (precious / "sub" / "file").write_text("kept")
    (precious / MARKER).write_text("")  # even where it looks like ours
    folder = WorkFolder.make(str(tmp_path), "c1")
    (Path(folder.make_folder("server")) / "deep").mkdir()
    at = tmp_path / folder.name / where
    done = subprocess.run(["mount", "--bind", str(precious), str(at)], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        folder.remove()
        pytest.skip(f"needs to mount: {done.stderr}")
    try:
        with contextlib.suppress(ResultsError):
            assert folder.remove() == ("server",)
        assert (precious / "sub" / "file").read_text() == "kept" and (precious / MARKER).exists()
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_made_used_and_removed(tmp_path: Path) -> None:
    with WorkFolder.make(str(tmp_path), "c1") as folder:
        at = tmp_path / ".iobench-c1"
        assert at.stat().st_mode & 0o777 == 0o700
        fd = folder.open("data", os.O_WRONLY | os.O_CREAT)
        os.write(fd, b"x" * 10)
        os.close(fd)
        assert (folder.size("data"), folder.size("none")) == (10, None)
        folder.unlink("data")
        folder.unlink("data")
        assert folder.size("data") is None
        marker = json.loads((at / MARKER).read_text(encoding="utf-8"))
        assert (marker["campaign"], marker["pid"]) == ("c1", os.getpid())
    assert list(tmp_path.iterdir()) == []
    assert folder.remove() == ()


def test_where_owners_are_not_kept_it_is_refused_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on vfat, or NFS for root: what was just made belongs to another user."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(CannotRunError, match=r"keeps no owners.*give a folder on another one") as caught:
        WorkFolder.make(str(tmp_path), "c1")
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_marked_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CannotRunError, match="cannot be marked"):
        WorkFolder.make(str(tmp_path), "c1")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays_when_it_is_refused(tmp_path: Path) -> None:
    at = tmp_path / ".iobench-c1"
    at.mkdir(mode=0o777)
    at.chmod(0o777)
    with pytest.raises(CannotRunError, match="another user; remove it"):
        WorkFolder.make(str(tmp_path), "c1")
    assert at.is_dir()


def test_a_child_works_in_the_descriptor_even_when_the_name_is_swapped(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with WorkFolder.make(str(tmp_path), "c1") as folder:
        at = tmp_path / ".iobench-c1"
        at.rename(tmp_path / "moved")
        at.symlink_to(other)
        proc.capture(("dd", "if=/dev/zero", "of=made", "bs=1", "count=1"), cwd=folder.cwd, pass_fds=(folder.dir_fd,))
        assert (tmp_path / "moved/made").exists()
        fd = folder.open("also", os.O_WRONLY | os.O_CREAT)
        os.close(fd)
        assert folder.remove() == (".iobench-c1",)
    assert list(other.iterdir()) == []
    assert at.is_symlink()
    assert list((tmp_path / "moved").iterdir()) == []


def test_a_planted_link_is_not_written_through_nor_followed_when_removing(tmp_path: Path) -> None:
    precious, tree = tmp_path / "precious", tmp_path / "tree"
    precious.write_text("keep", encoding="ascii")
    tree.mkdir()
    (tree / "file").write_text("keep", encoding="ascii")
    folder = WorkFolder.make(str(tmp_path), "c1")
    at = tmp_path / ".iobench-c1"
    (at / "data").symlink_to(precious)
    (at / "folder").symlink_to(tree)
    os.link(precious, at / "hard")
    (at / "sub").mkdir()
    os.mkfifo(at / "fifo")
    for flags in (os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC, os.O_RDONLY):
        with pytest.raises(CannotRunError, match="is a link that iobench did not make"):
            folder.open("data", flags)
    with pytest.raises(CannotRunError, match="not a plain file"):
        folder.open("hard", os.O_WRONLY)
    with pytest.raises((CannotRunError, OSError)):
        folder.open("fifo", os.O_RDONLY)
    assert folder.size("data") is None
    assert folder.remove() == ("data", "fifo", "folder", "sub")
    assert precious.read_text(encoding="ascii") == "keep"
    assert (tree / "file").read_text(encoding="ascii") == "keep"
    assert (at / MARKER).exists()


def test_truncating_does_not_happen_before_a_hard_link_is_seen(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep", encoding="ascii")
    with WorkFolder.make(str(tmp_path), "c1") as folder:
        os.link(precious, tmp_path / ".iobench-c1/hard")
        with pytest.raises(CannotRunError):
            folder.open("hard", os.O_WRONLY | os.O_TRUNC)
    assert precious.read_text(encoding="ascii") == "keep"


def test_the_folder_itself_is_a_planted_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / ".iobench-c1").symlink_to(other)
    with pytest.raises(CannotRunError, match="not a folder that iobench made"):
        WorkFolder.make(str(tmp_path), "c1")
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", MARKER, "a\0b"])
def test_names_that_are_no_file_of_the_folder(tmp_path: Path, name: str) -> None:
    with WorkFolder.make(str(tmp_path), "c1") as folder, pytest.raises(ValueError, match="not the name of a file"):
        folder.open(name, os.O_RDONLY)


@pytest.mark.parametrize("campaign", ["a/../b", "", "a;b", "a\nb", "x" * 201, "日" * 100])
def test_campaigns_that_cannot_name_a_folder(tmp_path: Path, campaign: str) -> None:
    with pytest.raises(CannotRunError):
        WorkFolder.make(str(tmp_path), campaign)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_taken_over_by_the_same_campaign(killed: Path) -> None:
    with WorkFolder.make(str(killed.parent), "c1") as folder:
        assert folder.size("data") is None
    assert not killed.exists()


def test_what_a_killed_run_left_is_found_and_removed(killed: Path) -> None:
    with WorkFolder.make(str(killed.parent), "c2"):
        (leftover,) = find_leftovers(str(killed.parent))
        assert (leftover.path, leftover.marker.campaign) == (str(killed), "c1")
        assert remove_leftover(leftover) == ()
        assert not killed.exists()
        assert find_leftovers(str(killed.parent)) == []


def test_a_leftover_that_was_taken_over_meanwhile_is_left_alone(killed: Path) -> None:
    (leftover,) = find_leftovers(str(killed.parent))
    with WorkFolder.make(str(killed.parent), "c1"):
        assert remove_leftover(leftover) == (".iobench-c1",)
        assert (killed / MARKER).exists()


def test_a_folder_in_use_is_not_taken(tmp_path: Path) -> None:
    with WorkFolder.make(str(tmp_path), "c1"):
        assert find_leftovers(str(tmp_path)) == []
        with pytest.raises(CannotRunError, match="in use by this process"):
            WorkFolder.make(str(tmp_path), "c1")


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ({}, True),
        ({"started": 1}, True),
        ({"host": "elsewhere"}, True),  # it got another name since
        ({"namespace": "1"}, False),  # in another container, as it may run there
        ({"boot": "another", "pid": 1}, True),
        ({"boot": "another", "host": "elsewhere"}, False),  # a clone, with the id of the machine that it is of
        ({"boot": "another", "machine": "another"}, False),  # two machines of one name, on a network drive
        ({"boot": "another", "host": "elsewhere", "machine": ""}, False),
    ],
)
def test_whose_owner_is_gone(
    killed: Path, change: dict[str, object], gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process number is used again, after a boot too; of another machine's process nothing is known."""
    monkeypatch.setattr(markers, "_machine", lambda: "this")
    marker = {**json.loads((killed / MARKER).read_text(encoding="utf-8")), "machine": "this"}
    if change.get("started"):
        marker["pid"] = os.getpid()
    (killed / MARKER).write_text(json.dumps(marker | change), encoding="utf-8")
    assert bool(find_leftovers(str(killed.parent))) is gone


@pytest.mark.parametrize(("says", "known"), [("0" * 31 + "a\n", True), ("uninitialized\n", False), ("", False)])
def test_a_machine_is_known_by_an_id_of_its_own(says: str, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self, encoding="": says)
    assert bool(markers._machine()) is known


def test_a_folder_on_a_drive_that_failed_is_told_as_staying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """XFS that shut down answers every question with an I/O error, also what is asked of an opened folder."""
    folder = WorkFolder.make(str(tmp_path), "c1")

    def fails(*_: object, **__: object) -> object:
        raise OSError(errno.EIO, "Input/output error")

    for name in ("fstat", "stat", "open", "scandir"):
        monkeypatch.setattr(os, name, fails)
    try:
        stayed = folder.remove()
    finally:
        monkeypatch.undo()
    assert stayed == (".iobench-c1",)


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"campaign": "c1"}', "[" * 4000, "{}" + " " * 5000])
def test_a_folder_without_our_marker_is_left_alone(tmp_path: Path, marker: str) -> None:
    at = tmp_path / ".iobench-c1"
    at.mkdir(mode=0o700)
    (at / MARKER).write_text(marker, encoding="ascii")
    (at / "theirs").write_text("keep", encoding="ascii")
    assert find_leftovers(str(tmp_path)) == []
    with pytest.raises(CannotRunError, match="does not carry iobench's marker"):
        WorkFolder.make(str(tmp_path), "c1")
    assert (at / "theirs").read_text(encoding="ascii") == "keep"


def test_an_empty_folder_of_a_run_killed_before_its_marker_is_used(tmp_path: Path) -> None:
    (tmp_path / ".iobench-c1").mkdir(mode=0o700)
    (tmp_path / ".iobench-c1" / MARKER).touch()
    with WorkFolder.make(str(tmp_path), "c1"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".iobench-c1").mkdir()
    (tmp_path / ".iobench-c1").chmod(0o777)
    with pytest.raises(CannotRunError, match="another user"):
        WorkFolder.make(str(tmp_path), "c1")


def test_a_marker_that_was_replaced_stops_the_removal(tmp_path: Path) -> None:
    folder = WorkFolder.make(str(tmp_path), "c1")
    at = tmp_path / ".iobench-c1"
    (at / "data").touch()
    (at / MARKER).write_text('{"campaign": "other"}', encoding="ascii")
    assert folder.remove() == (".iobench-c1",)
    assert (at / "data").exists()


def test_where_nothing_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="cannot be opened"):
        WorkFolder.make(str(tmp_path / "none"), "c1")
    with pytest.raises(CannotRunError, match="cannot be written"):
        WorkFolder.make("/proc", "c1")
    (tmp_path / "file").touch()
    with pytest.raises(CannotRunError, match="cannot be opened"):
        WorkFolder.make(str(tmp_path / "file"), "c1")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with WorkFolder.make(str(tmp_path), "c1"), pytest.raises(CannotRunError):
        WorkFolder.make(str(tmp_path), "c1")
    (tmp_path / ".iobench-c2").symlink_to(tmp_path)
    with pytest.raises(CannotRunError):
        WorkFolder.make(str(tmp_path), "c2")
    find_leftovers(str(tmp_path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_folder_of_ours_is_removed_with_all_in_it_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("theirs")
    with WorkFolder.make(str(tmp_path), "trees") as folder:
        made = Path(folder.make_folder("server"))
        assert made.stat().st_mode & 0o777 == 0o700
        (made / "a" / "b").mkdir(parents=True)
        (made / "a" / "b" / "file").write_text("x")
        (made / "a" / "link").symlink_to(outside)
        assert Path(folder.make_folder("server")) == made
        assert sorted(entry.name for entry in made.iterdir()) == [MARKER]
        (made / "link").symlink_to(outside)
    assert (outside / "kept").read_text() == "theirs"
    assert not Path(folder.path).exists()


def test_a_folder_that_we_did_not_make_stays(tmp_path: Path) -> None:
    folder = WorkFolder.make(str(tmp_path), "trees")
    foreign = Path(folder.path) / "theirs"
    foreign.mkdir()
    (foreign / "file").write_text("x")
    with pytest.raises(CannotRunError, match="not a folder that iobench made"):
        folder.remove_folder("theirs")
    assert folder.remove() == ("theirs",)
    assert (foreign / "file").exists()


def test_where_nothing_temporary_can_be_written_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place is full: Python's own error names them all and no remedy."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/1/nowhere"])
    with pytest.raises(CannotRunError, match="no folder for temporary files can be written"):
        leftovers.temporary_folder()
    assert {"/tmp", "/var/tmp"} <= leftovers.temporary_folders()


def test_a_folder_of_another_container_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    """Its process has a number there that nobody, or somebody else, has here."""
    if os.geteuid() != 0 or proc.find("unshare") is None:
        pytest.skip("needs root, for a numbering of processes of its own")
    code = (
        "import sys; from iobench.drives.workdir import WorkFolder\n"
        "folder = WorkFolder.make(sys.argv[1], 'c1'); print(folder.marker.pid, flush=True); sys.stdin.read()\n"
        "folder.remove()\n"
    )
    argv = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code, str(tmp_path))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as there:
        assert there.stdin is not None and there.stdout is not None
        told = there.stdout.readline().strip()
        if not told:
            pytest.skip("needs namespaces")
        assert told == "1"
        assert find_leftovers(str(tmp_path)) == []
        with pytest.raises(CannotRunError, match=r"in use by process 1 on .*, or in a container there"):
            WorkFolder.make(str(tmp_path), "c1")
        there.stdin.close()
        assert there.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
