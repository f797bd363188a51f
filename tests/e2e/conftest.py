"""Real drives for the end-to-end tests: loop devices with direct I/O, made once and always detached."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import failing as failings
import pytest
from running import Drive, Iobench, Result

from iobench import proc
from iobench.cli import main

MIB = 1 << 20
SIZE = 512 * MIB


def no_loops() -> str | None:
    """Why no loop devices can be had here, else None."""
    if os.geteuid() != 0:
        return "needs root for loop devices"
    if not os.access("/dev/loop-control", os.R_OK | os.W_OK):
        return "needs loop devices (/dev/loop-control)"
    lacking = [name for name in ("losetup", "mkfs.ext4", "mount") if proc.find(name) is None]
    return f"needs {', '.join(lacking)}" if lacking else None


def _system(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def _unmount(folder: Path) -> None:
    """Unmount, whatever a failed test left running there; the failure is still told."""
    done = subprocess.run(["umount", str(folder)], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        _system("umount", "--lazy", str(folder))
        pytest.fail(f"the tests left the drive in use: {done.stderr}")


def _loop(image: Path, size: int, stack: ExitStack) -> str:
    """Attach a fully written image, and detach it when the stack unwinds."""
    block = os.urandom(MIB)
    with image.open("wb") as file:
        for _ in range(size // MIB):
            file.write(block)
        os.fsync(file.fileno())
    stack.callback(image.unlink)
    device = _system("losetup", "--find", "--show", "--direct-io=on", str(image))
    stack.callback(_system, "losetup", "--detach", device)
    return device


@pytest.fixture(autouse=True)
def _needs_fio() -> None:
    if proc.find("fio") is None:
        pytest.skip("needs fio")


@pytest.fixture(scope="session")
def _made_drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drive]:
    home = tmp_path_factory.mktemp("drive")
    with ExitStack() as stack:
        device = _loop(home / "image", SIZE, stack)
        _system("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", device)
        (home / "mounted").mkdir()
        _system("mount", "-o", "noatime", device, str(home / "mounted"))
        stack.callback(_unmount, home / "mounted")
        yield Drive(home / "mounted", device)


@pytest.fixture
def drive(request: pytest.FixtureRequest) -> Iterator[Drive]:
    """A drive with ext4, which a test has to leave as empty as it found it."""
    reason = no_loops()
    if reason is not None:
        pytest.skip(reason)
    made: Drive = request.getfixturevalue("_made_drive")
    yield made
    assert made.leftovers() == []


@pytest.fixture
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Drive]:
    """A drive where loop devices can be had, else a folder of the disk that the tests stand on."""
    if no_loops() is None:
        yield request.getfixturevalue("drive")
        return
    folder = tmp_path / "folder"
    folder.mkdir()
    yield Drive(folder, None)
    assert Drive(folder, None).leftovers() == []


@pytest.fixture
def block_device(tmp_path: Path) -> Iterator[Drive]:
    """A block device of 64 MiB with nothing on it; `path` is a folder to mount it on."""
    reason = no_loops()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        device = _loop(tmp_path / "image", 64 * MIB, stack)
        (tmp_path / "mounted").mkdir()
        yield Drive(tmp_path / "mounted", device)
        subprocess.run(["umount", str(tmp_path / "mounted")], check=False, capture_output=True)


@pytest.fixture
def failing(drive: Drive, tmp_path: Path) -> Iterator[failings.Failing]:
    """A drive that fails or hangs when it is told to."""
    if lacking := [name for name in ("nbdkit", "nbdfuse") if proc.find(name) is None]:
        pytest.skip(f"needs {', '.join(lacking)}")
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    with failings.made(tmp_path) as made:
        yield made


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a tmpfs with the options that are given, and returns its folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tmpfs")
    with ExitStack() as stack:

        def mount(options: str) -> Path:
            folder = tmp_path / f"memory-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            _system("mount", "-t", "tmpfs", "-o", options, "none", str(folder))
            stack.callback(_system, "umount", str(folder))
            return folder

        yield mount


@pytest.fixture
def iobench(tmp_path: Path) -> Iterator[Iobench]:
    home = tmp_path / "home"
    home.mkdir()
    yield Iobench(home)


@pytest.fixture
def inside(
    iobench: Iobench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Run iobench inside of the test's own process: the same code, without its start-up time."""
    for name in ("IOBENCH_RESULTS", "IOBENCH_LAB_STATE", "COLUMNS"):
        monkeypatch.setenv(name, iobench.environment[name])
    monkeypatch.chdir(iobench.home)

    def run(*argv: str) -> Result:
        capfd.readouterr()
        code = main.run(argv)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files with a short path (a socket's has 107 bytes), which a test leaves empty."""
    with tempfile.TemporaryDirectory(prefix="io-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []
