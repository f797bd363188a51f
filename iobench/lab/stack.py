"""The parts of an emulated drive, each taken by one function here and given back by `undo`.

What is taken is found again by what is ours alone (the image's path, the socket's path), not by a number
that was noted: a start that was killed between taking and noting is undone like any other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from iobench import proc
from iobench.drives import emulated
from iobench.drives.emulated import Record
from iobench.drives.mounts import mounts
from iobench.drives.throttle import Throttle, loop_numbers
from iobench.errors import CannotRunError, ToolError
from iobench.lab import image

Say = Callable[[str], None]
_SERVERS = ("nbdkit", "nbdfuse")
_LONGEST_SOCKET = 107
_PATIENCE_S = 10.0
_GONE_S = 1.0


def can_delay() -> bool:
    """Whether the two programs that give a drive its latency are here."""
    return all(proc.find(program) for program in _SERVERS) and Path("/dev/fuse").exists()


def serve(record: Record, latency_s: float, parallel: int) -> None:
    """Serve a drive's image as a file that answers after `latency_s`, `parallel` requests at once.

    Raises CannotRunError for a state folder with too long a path, ToolError when they do not come up.
    """
    if len(os.fsencode(record.socket)) > _LONGEST_SOCKET:
        raise CannotRunError(
            f"{record.socket} is too long for a socket; set {emulated.STATE_VARIABLE} to a shorter one"
        )
    folder, served = Path(record.folder), Path(record.backing)
    served.parent.mkdir()
    # It goes to the background by itself: nbdkit 1.32 kept in the foreground ends with the program that
    # started it. One thread a connection, so that `parallel` connections are `parallel` requests at once.
    argv = ["nbdkit", "--pidfile", str(folder / "nbdkit.pid"), "--unix", record.socket, "--threads", "1"]
    # The filter counts whole milliseconds; below that the way through two programs is the latency.
    delay = round(latency_s * 1000)
    if delay:
        argv += ["--filter=delay", "file", record.image, f"delay-read={delay}ms", f"delay-write={delay}ms"]
    else:
        argv += ["file", record.image]
    _start(record, argv, folder / "nbdkit.pid")
    argv = ["nbdfuse", "--connections", str(parallel), record.backing, "--unix", record.socket]
    _start(record, argv, served)


def served(record: Record) -> bool:
    """Whether both programs that give a drive its latency still run."""
    return {program for program, _ in _servers(record)} == set(_SERVERS)


def attach(record: Record, throttle: Throttle) -> str:
    """Put a loop device without limits on a drive's backing file and return its kernel name.

    Raises CannotRunError when the system has none to give.
    """
    with loop_numbers():
        try:
            said = proc.capture(["losetup", "--direct-io=on", "--find", "--show", record.backing], timeout_s=20).stdout
        except ToolError as error:
            raise CannotRunError(
                f"no loop device is to be had here: {error}; measure real paths with -t NAME=PATH"
            ) from error
        device = Path(said.strip()).name
        throttle.clear(emulated.device_number(device))  # what an earlier user of this number may have left
        return device


def direct(device: str) -> bool:
    """Whether a loop device passes the page cache by."""
    return Path(f"/sys/block/{device}/loop/dio").read_text(encoding="ascii").strip() == "1"


def make_filesystem(device: str) -> None:
    """Make ext4 that does nothing by itself later: what is written lazily would enter a measurement.

    Raises ToolError when it fails.
    """
    quiet = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    # 4 KiB blocks, which mkfs does not choose for small drives; and no share kept back for root.
    proc.capture(["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", quiet, device], timeout_s=300)


def mount(device: str, folder: Path) -> None:
    """Mount a drive where every user may write. Raises ToolError when it fails."""
    folder.mkdir(exist_ok=True)
    proc.capture(["mount", "-t", "ext4", "-o", "noatime", device, str(folder)], timeout_s=60)
    folder.chmod(0o1777)


def undo(record: Record, throttle: Throttle | None, say: Say) -> None:
    """Give back everything a drive has taken, whatever of it there is, and delete its image and state.

    Raises ToolError when a part is still in use; calling it again goes on from there.
    """
    folder = Path(record.folder)
    _unmount_all(record, folder)
    _detach_all(record, throttle)
    _stop_servers(record, folder)
    if not image.remove(Path(record.image_folder), record.id):
        say(f"{record.name}: {record.image_folder} is left: it holds files that are not ours")
    for name in ("nbd.sock", "nbd.log", "nbdkit.pid"):
        (folder / name).unlink(missing_ok=True)
    for place in (folder / "mnt", folder / "nbd", folder):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    emulated.delete_record(record)


def _unmount_all(record: Record, folder: Path) -> None:
    devices = {f"/dev/{name}" for name in emulated.loops_on(record.backing)}
    deadline = time.monotonic() + 2
    # The user may have mounted it elsewhere too, and a child of a killed start may still be mounting.
    while ours := [
        mount.mount_point for mount in mounts() if mount.source in devices or mount.mount_point == str(folder / "mnt")
    ]:
        done = proc.capture(["umount", ours[-1]], timeout_s=120, check=False)
        if done.exit_code != 0 and time.monotonic() > deadline:
            raise ToolError(
                f"{record.name} is still in use at {ours[-1]}: {done.stderr.strip()}; end what works there"
                f"{_holders(ours[-1])}, then run `iobench lab down {record.name}` again"
            )
        time.sleep(0.1 if done.exit_code else 0)


def _holders(place: str) -> str:
    """The processes with an open file, or their folder, in a place, as an aside for a message."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = [process / "cwd", process / "root", *(process / "fd").iterdir()]
            if any(link.readlink().is_relative_to(place) for link in links):
                found.add(int(process.name))
        except OSError:
            continue
    return f" (process {', '.join(map(str, sorted(found)))})" if found else ""


def _detach_all(record: Record, throttle: Throttle | None) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    devices = _detach(record, throttle)
    if not devices and throttle is not None and record.number is not None:
        _clear_left(record.number, throttle)
    while devices := devices and _detach(record, throttle):
        if time.monotonic() > deadline:
            raise ToolError(
                f"{record.name}: {', '.join(devices)} is held open by another program; end it, then run "
                f"`iobench lab down {record.name}` again"
            )
        time.sleep(0.05)


def _detach(record: Record, throttle: Throttle | None) -> list[str]:
    """Take limits and file off the drive's loop devices; return those that were found."""
    with loop_numbers():
        devices = emulated.loops_on(record.backing) or emulated.orphan_of(record)
        for device in devices:
            # First the limits: they outlive the device and would hit the next image on the same number.
            if throttle is not None:
                throttle.clear(emulated.device_number(device))
            proc.capture(["losetup", "--detach", f"/dev/{device}"], timeout_s=20, check=False)
        return devices


def _clear_left(number: str, throttle: Throttle) -> None:
    """Take off the limits of a drive that someone else detached, unless a drive of some lab has its number now."""
    with loop_numbers():
        if emulated.emulation_of(number) is None:
            throttle.clear(number)


def _stop_servers(record: Record, folder: Path) -> None:
    served = folder / "nbd"
    for _ in range(20):
        if not any(mount.mount_point == str(served) for mount in mounts()):
            break
        # umount and not fusermount3: a lab has root, and this needs no package of its own.
        if proc.capture(["umount", str(served)], timeout_s=20, check=False).exit_code != 0:
            time.sleep(0.1)
    else:
        raise ToolError(f"{served} cannot be unmounted: end what has files open there, then run the command again")
    for _, process in _servers(record):
        proc.end(process)


def _servers(record: Record) -> Iterator[tuple[str, proc.ProcessId]]:
    """The programs that serve a drive's image, known by the socket that no other has on this root file system.

    In a container that shares its processes with us, another lab may have one of the same path.
    """
    socket, root = os.fsencode(record.socket), Path("/").stat()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            program = Path(os.fsdecode(arguments[0])).name
            ours = program in _SERVERS and socket in arguments and os.path.samestat(root, (entry / "root").stat())
        except OSError:
            continue
        if ours:
            identity = proc.identify(int(entry.name))
            if identity is not None and identity.alive():
                yield program, identity


def _start(record: Record, argv: list[str], sign: Path) -> None:
    """Start a server and wait until `sign`, a file, shows that it is ready."""
    log = Path(record.folder) / "nbd.log"
    try:
        proc.spawn_daemon(argv, log)
    except CannotRunError:
        # One that goes to the background may have ended its first process by now, and be well.
        if proc.find(argv[0]) is None:
            raise
    deadline = time.monotonic() + _PATIENCE_S
    seen = time.monotonic()
    while not sign.exists():
        if any(program == argv[0] for program, _ in _servers(record)):
            seen = time.monotonic()
        # While it goes to the background, its first process ends and a look at /proc can miss both.
        if time.monotonic() > min(deadline, seen + _GONE_S):
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ToolError(f"{argv[0]} did not start: {said[-1] if said else 'it said nothing'}")
        time.sleep(0.02)
