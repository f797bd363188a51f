"""Targets and results folders that will not do: told before anything is written, and nothing lost."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import ONCE, SHORT, SMALL, Drive, Iobench, Result, reasons

import iobench as package
from iobench.cli import main

Run = Callable[..., Result]
NOBODY = 65534
BESIDE = ("concurrent.futures.thread", "encodings.ascii", "hdrh.histogram", "pyarrow.parquet")


def _modules() -> list[str]:
    found = pkgutil.walk_packages(package.__path__, "iobench.")
    return [module.name for module in found if not module.name.endswith("__main__")]


@pytest.fixture
def nobody(tmp_path: Path, iobench: Iobench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run iobench as an ordinary user: in a child of this process, since the venv may not be readable to one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    for name in (*_modules(), *BESIDE):
        importlib.import_module(name)  # the user cannot

    home = Path(tempfile.mkdtemp(prefix="iobench-nobody-", dir="/var/tmp"))
    home.chmod(0o777)
    monkeypatch.setenv("IOBENCH_RESULTS", str(home / "results"))
    monkeypatch.setenv("IOBENCH_LAB_STATE", str(home / "lab"))

    def run(*argv: str) -> Result:
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                for number, name in ((1, "out"), (2, "err")):
                    fd = os.open(home / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
                    os.dup2(fd, number)
                import sys

                sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                os.chdir(home)
                code = main.run(argv)
                sys.stdout.flush()
                sys.stderr.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        return Result(os.waitstatus_to_exitcode(status), (home / "out").read_text(), (home / "err").read_text())

    yield run
    shutil.rmtree(home)


def _untouched(said: Result, iobench: Iobench) -> None:
    assert "Traceback" not in said.err and said.err.startswith("iobench: ")
    assert not list(iobench.results.glob("*"))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("missing", "missing cannot be used (No such file or directory); give an existing folder"),
        ("file", "file is neither a folder nor a block device; give a folder"),
        ("pipe", "pipe is neither a folder nor a block device; give a folder"),
        ("loop", "loop cannot be used (Too many levels of symbolic links)"),
    ],
)
def test_a_target_that_is_no_folder(path: str, sentence: str, inside: Run, iobench: Iobench) -> None:
    (iobench.home / "file").write_text("kept")
    os.mkfifo(iobench.home / "pipe")
    (iobench.home / "loop").symlink_to(iobench.home / "loop")
    said = inside("run", "seq", "-t", f"one={iobench.home / path}", *SMALL, *SHORT)
    assert said.code == 3 and sentence in said.err
    _untouched(said, iobench)
    assert (iobench.home / "file").read_text() == "kept"


def test_too_little_room_is_told_with_the_figures_before_anything_is_written(
    inside: Run, drive: Drive, iobench: Iobench
) -> None:
    said = inside("run", "seq", "-t", f"one={drive.path}", "--size", "4G", *SHORT)
    assert said.code == 3
    assert "target one has too little room: the files take 4.00 GB and 4" in said.err
    assert "MB are free; give a smaller --size or make room. Nothing was written" in said.err
    _untouched(said, iobench)


def test_two_targets_fill_one_file_system_together(inside: Run, drive: Drive, iobench: Iobench) -> None:
    targets = ("-t", f"a={drive.path}", "-t", f"b={drive.path}")
    said = inside("run", "seq", *targets, "--size", "300M", *SHORT)
    assert said.code == 3
    assert "targets a, b together have too little room: the files take 600 MB" in said.err
    _untouched(said, iobench)


def test_two_targets_with_one_name(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    said = inside("run", "seq", "-t", f"one={anywhere.path}", "-t", f"One={iobench.home}", *SMALL, *SHORT)
    assert said.code == 2 and "two targets are named 'One'" in said.err
    _untouched(said, iobench)


def test_two_targets_on_one_device_are_a_warning(inside: Run, drive: Drive) -> None:
    targets = ("-t", f"a={drive.path}", "-t", f"b={drive.path}")
    said = inside("run", "dd", *targets, "--size", "4Mi", "--dry-run")
    assert said.code == 0
    assert f"warning: targets 'a' and 'b' are on one device ({drive.name})" in said.err


def test_a_link_in_the_way_is_never_followed(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    said = inside("run", "dd", "-t", f"one={anywhere.path}", "--ops", "write", "--size", "4Mi", *ONCE, "-q")
    assert said.code == 0
    folder = iobench.folder()
    for path in (folder.path / "samples").iterdir():
        path.unlink()
    precious = iobench.home / "precious"
    precious.mkdir()
    (precious / "dd").write_text("precious")
    trap = anywhere.path / f".iobench-{folder.id}-1"
    trap.symlink_to(precious)
    try:
        said = inside("resume")
        assert said.code == 3 and "is not a folder that iobench made" in said.err
        assert (precious / "dd").read_text() == "precious"
    finally:
        trap.unlink()


def test_an_ordinary_user_is_told_where_it_may_not_write(nobody: Run, drive: Drive, tmp_path: Path) -> None:
    closed = Path(tempfile.mkdtemp(prefix="iobench-closed-", dir="/var/tmp"))
    closed.chmod(0o755)
    try:
        said = nobody("run", "seq", "-t", f"one={closed}", *SMALL, *SHORT)
        assert said.code == 3, said.err
        assert f"{closed} cannot be written (Permission denied); give a folder that you may write in" in said.err
        assert list(closed.iterdir()) == []
        results = closed / "results"
        said = nobody("run", "seq", "-t", "one=.", "--results", str(results), *SMALL, *SHORT)
        assert said.code == 3, said.err
        assert "cannot be written (Permission denied)" in said.err and "--results" in said.err
        device = nobody("run", "seq", "-t", f"raw={drive.device}", *SMALL, *SHORT)
        assert device.code == 3 and "is in use" in device.err
    finally:
        closed.rmdir()


def test_an_ordinary_user_measures_a_folder(nobody: Run) -> None:
    said = nobody("run", "dd", "-t", "one=.", "--ops", "write", "--size", "4Mi", *ONCE, "--json")
    assert said.code == 0, said.err
    assert {row["workload"] for row in said.json["comparison"]["rows"]} == {"dd-write"}
    looked = nobody("doctor", "--json").json
    assert next(each for each in looked["machine"] if each["name"] == "root")["ok"] is False


# --- the results folder ---------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "new"])
def test_a_read_only_results_folder(below: str, inside: Run, memory: Callable[[str], Path], anywhere: Drive) -> None:
    results = memory("ro,size=1M") / below
    said = inside("run", "seq", "-t", f"one={anywhere.path}", "--results", str(results), *SMALL, *SHORT)
    assert said.code == 3
    assert f"the results folder {results} cannot be written (Read-only file system)" in said.err
    assert "nothing was measured" in said.err


def test_a_results_folder_that_is_a_file(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    (iobench.home / "file").write_text("kept")
    said = inside("run", "seq", "-t", f"one={anywhere.path}", "--results", "file", *SMALL, *SHORT)
    assert said.code == 2 and "'file' is a file" in said.err
    assert (iobench.home / "file").read_text() == "kept"


@pytest.mark.slow
def test_a_full_results_disk_loses_nothing_that_was_finished(
    inside: Run, memory: Callable[[str], Path], anywhere: Drive, iobench: Iobench
) -> None:
    results = memory("size=160k")
    argv = ("rand", "--ops", "read", "--loads", "1,2,4,8,16,32,64", "--size", "4Mi", *SHORT)
    said = inside("run", *argv, "-t", f"one={anywhere.path}", "--results", str(results))
    assert said.code == 4, said.err
    assert "No space left on device; make room or choose another folder with --results" in said.err
    assert "`iobench resume` goes on" in said.err and "Traceback" not in said.err
    folder = iobench.folder(results)
    kept = folder.finished()
    assert 1 <= len(kept) < 7 and folder.read("samples").num_rows > 0
    assert not list(folder.path.rglob("*.part"))
    before = {path: path.read_bytes() for path in (folder.path / "samples").iterdir()}
    os.sync()
    assert os.system(f"mount -o remount,size=20M {results}") == 0
    again = inside("resume", "--results", str(results), "-q")
    assert again.code == 0, again.err
    assert len(folder.finished()) == 7
    assert all(path.read_bytes() == content for path, content in before.items())
    assert set(reasons(folder)) == folder.finished()


def test_a_results_disk_that_is_full_from_the_start(
    inside: Run, memory: Callable[[str], Path], anywhere: Drive
) -> None:
    results = memory("size=4k")
    (results / "filler").write_bytes(bytes(4096))
    said = inside("run", "dd", "-t", f"one={anywhere.path}", "--size", "4Mi", "--results", str(results))
    assert said.code == 3 and "No space left on device" in said.err
    assert [path.name for path in results.iterdir()] == ["filler"]


def test_two_that_begin_in_one_second_do_not_share_a_campaign(
    inside: Run, anywhere: Drive, iobench: Iobench, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = ("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-t", f"one={anywhere.path}", "-q")
    assert inside(*once).code == 0
    folder = iobench.folder()
    before = sorted(folder.path.rglob("*"))
    # The second did not see the first's folder when it chose its id.
    monkeypatch.setattr("iobench.campaign.assemble.new_id", lambda now, taken: folder.id)
    said = inside(*once)
    assert said.code == 3 and f"another iobench began the campaign {folder.id}" in said.err
    assert sorted(folder.path.rglob("*")) == before


def test_a_log_file_that_cannot_be_written(inside: Run, anywhere: Drive, iobench: Iobench) -> None:
    said = inside("run", "dd", "-t", f"one={anywhere.path}", "--size", "4Mi", "--log-file", "missing/log", "-q")
    assert said.code == 3 and "the log file missing/log cannot be written" in said.err
    _untouched(said, iobench)
