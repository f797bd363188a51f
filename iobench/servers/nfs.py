"""A private NFS server that gives out a folder on the drive under test, to nobody but the measuring program.

nfs-ganesha and a port mapper run in namespaces of their own: their network has a loopback interface and nothing
else, their /run is their own, so no port, socket or file of this machine's is met. A process that only sleeps
holds the namespaces; when it has ended, mounts and network are gone with it, whatever happened to us.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from iobench import proc
from iobench.drives.asking import Asked
from iobench.drives.mounts import mount_of, mounts
from iobench.errors import CannotRunError, InterruptedCampaign, IobenchError, ToolError
from iobench.model import Facts, Service, Work
from iobench.servers import Endpoint, Room, Server
from iobench.texts import Phrase, Told
from iobench.tools import ganesha

TOOLS: tuple[str, ...] = (ganesha.PROGRAM,) if proc.find(ganesha.PROGRAM) else ()
EXAMPLE: Endpoint = {
    **{"net": "/proc/PID/ns/net", "mnt": "/proc/PID/ns/mnt"},
    **{"url": "nfs://127.0.0.1/EXPORT", "folder": "/MOUNT/OF/IT"},
}
FILESYSTEMS = ("nfs", "nfs4")
# How the measuring program reaches the files: not over NFS, through a mount of the kernel's, by a client of its own,
# over NFS but in no way that works here; or some targets are on NFS mounts and some are not.
LOCAL, MOUNT, CLIENT, NONE, MIXED = "local", "nfs-mount", "nfs-client", "nfs", "mixed"
_READY_S = 20.0
_SETTLE_S = 15.0
_ANSWER_S = 10.0
# While it is measured it is asked every 10 s; it may be busy, and then one call waits behind others.
_ASK_EVERY_S = 10.0
_SILENT_S = 40.0


def kernel_client() -> bool:
    """Whether this machine can mount NFS: the kernel knows it, or has a module for it, and mount.nfs is there."""
    if os.geteuid() != 0 or proc.find("mount.nfs") is None:
        return False
    if any(line.split()[-1:] == ["nfs"] for line in _text(Path("/proc/filesystems")).splitlines()):
        return True
    try:
        return proc.capture(("modprobe", "--dry-run", "--quiet", "nfs"), check=False).exit_code == 0
    except IobenchError:
        return False


def open(service: Service, room: Room) -> Server:
    """Return a server that is not started yet."""
    return Private(str(service.params["over"]), room)


class Private:
    """A server of ours, with what it needs around it."""

    def __init__(self, over: str, room: Room) -> None:
        self._over, self._room = over, room
        self._data = os.path.realpath(room.data)  # what is exported is known by its name
        self._holder: proc.Running | None = None
        self._running: list[proc.Running] = []
        self._settled = 0.0
        self._hung: Told | None = None
        self._begun: tuple[float, float] | None = None
        self._asked: Asked | None = None

    def start(self) -> Endpoint:
        """Start it and return where it is reached; on a target that is on NFS already nothing is started."""
        if self._on_nfs():
            return {"folder": self._data}
        self._refuse()
        self._hold()
        self._inside_once("ip", "link", "set", "lo", "up")
        self._inside_once("mount", "-t", "tmpfs", "-o", "mode=0755,size=16m", "iobench-run", "/run")
        self._serve(("rpcbind", "-w", "-f"), "rpcbind.log")
        self._wait(lambda: 111 in self._ports(), self._running[-1])
        state = self._room.private / "state"
        state.mkdir(mode=0o700)
        setup = ganesha.Setup(self._data, str(state), str(self._room.log / "ganesha.log"))
        config = self._room.private / "ganesha.conf"
        config.write_text(ganesha.config(setup), encoding="utf-8")
        self._serve(ganesha.argv(str(config), setup), "server.log", self._room.group)
        log = self._room.log / "ganesha.log"
        self._wait(lambda: ganesha.READY in _text(log) and ganesha.NFS_PORT in self._ports(), self._running[-1])
        return self._endpoint()

    def _refuse(self) -> None:
        """Raise CannotRunError, with the remedy, where it cannot be done here."""
        if self._over == NONE:
            raise CannotRunError(
                "nothing here speaks NFS: the kernel has no NFS client, and the dbench that is installed has none of "
                "its own. Give one that has (upstream's version 5, built with libnfs) with --dbench PATH, or measure "
                "without --nfs, on the drive itself"
            )
        if os.geteuid() != 0:
            raise CannotRunError("a private NFS server opens files by their handles, which only root may; run as root")
        lacking = [
            p for p in (ganesha.PROGRAM, "rpcbind", "rpcinfo", "unshare", "nsenter", "ip") if proc.find(p) is None
        ]
        if lacking:
            raise CannotRunError(
                f"{', '.join(lacking)} is not installed, and a private NFS server needs it: `iobench doctor` shows "
                "what installs it"
            )

    def _on_nfs(self) -> bool:
        """Whether the target is on an NFS mount; a dbench that speaks NFS itself replays another load than there."""
        mount = mount_of(self._data, mounts())
        if mount is None or mount.filesystem not in FILESYSTEMS:
            return False
        if self._over == CLIENT:
            raise CannotRunError(
                f"the target is on the NFS mount {mount.source} already, and the dbench here would reach the other "
                "targets by its own NFS client, with another load: measure this target in a campaign of its own"
            )
        return True

    def _hold(self) -> None:
        argv = ("unshare", "--net", "--mount", "--propagation", "private", "--", "sleep", "infinity")
        self._holder = proc.serve(argv, log=self._room.log / "namespaces.log")
        own = _link("/proc/self/ns/net")
        holder = self._holder
        self._wait(
            lambda: _link(f"/proc/{holder.pid}/ns/net") not in ("", own) and _name(holder.pid) == "sleep", holder
        )

    def _enter(self) -> tuple[str, ...]:
        assert self._holder is not None
        ns = f"/proc/{self._holder.pid}/ns"
        return ("nsenter", f"--net={ns}/net", f"--mount={ns}/mnt", "--")

    def _inside_once(self, *argv: str) -> None:
        proc.capture((*self._enter(), *argv), timeout_s=_READY_S)

    def _serve(self, argv: tuple[str, ...], log: str, group: Path | None = None) -> None:
        whole = (*self._enter(), *argv)
        self._running.append(proc.serve(whole, log=self._room.log / log, env=ganesha.ENVIRONMENT, cwd="/", group=group))

    def _ports(self) -> frozenset[int]:
        assert self._holder is not None
        net = Path(f"/proc/{self._holder.pid}/net")
        return ganesha.listening(_text(net / "tcp")) | ganesha.listening(_text(net / "tcp6"))

    def _wait(self, ready: Callable[[], bool], running: proc.Running) -> None:
        deadline = time.monotonic() + _READY_S
        while not ready():
            if self._room.stop.requested:
                raise InterruptedCampaign
            if not running.alive():
                raise ToolError(self.problem() or f"{running.argv[0]} ended: {running.last_lines()}")
            if time.monotonic() > deadline:
                raise ToolError(Phrase("failed.nfs.late", {"seconds": _READY_S, "said": self._last_lines()}))
            time.sleep(0.01)

    def _endpoint(self) -> Endpoint:
        assert self._holder is not None
        ns = f"/proc/{self._holder.pid}/ns"
        if self._over == CLIENT:
            return {"net": f"{ns}/net", "url": f"nfs://127.0.0.1{self._data}"}
        folder = self._room.private / "mounted"
        folder.mkdir(mode=0o700)
        options = f"vers=3,proto=tcp,nolock,port={ganesha.NFS_PORT},mountport={ganesha.MOUNT_PORT},mountproto=tcp"
        try:
            self._inside_once("mount", "-t", "nfs", "-o", options, f"127.0.0.1:{self._data}", str(folder))
        except ToolError as error:
            raise CannotRunError(
                f"the kernel does not mount the private NFS server ({error}); give a dbench that speaks NFS itself "
                "with --dbench PATH, or measure without --nfs"
            ) from error
        return {"net": f"{ns}/net", "mnt": f"{ns}/mnt", "folder": str(folder)}

    # --- around a step ---------------------------------------------------------------------------------

    def settle(self, work: Work) -> None:
        """Bring to the drive what an earlier step left in memory, 15 s at most."""
        begin = time.monotonic()
        with contextlib.suppress(ToolError):  # a slow drive: what is left falls into the step, as its evidence shows
            proc.capture(("sync", "--file-system", self._data), timeout_s=_SETTLE_S, check=False)
        self._settled = time.monotonic() - begin

    def begin(self, work: Work) -> None:
        """Note the server's processor time."""
        self._begun = time.monotonic(), self._cpu()
        self._drop_asked()
        if self._running:
            self._asked = Asked((*self._enter(), *ganesha.ask()), _ASK_EVERY_S, lambda done: done.exit_code == 0)

    def tick(self, elapsed_s: float) -> None:
        """Raise ToolError when a server has ended, or does not answer: a client would wait for it for minutes."""
        if self._ended() is not None:
            raise ToolError(Phrase("failed.nfs.ended"))  # why is added by who asks `problem`
        silent_s = self._asked.look() if self._asked is not None else 0.0
        if silent_s >= _SILENT_S:
            self._hung = self._hangs(silent_s)
            raise ToolError(Phrase("failed.nfs.given-up"))

    def end(self, work: Work) -> Facts:
        """Return the processor cores that the server used."""
        if self._begun is None or not self._running:
            return Facts(settled_s=self._settled)
        at, cpu = self._begun
        seconds = time.monotonic() - at
        used = (self._cpu() - cpu) / seconds if seconds > 0 and self._ended() is None else None
        return Facts(server_cpu=used, settled_s=self._settled)

    def _cpu(self) -> float:
        return sum(proc.cpu_seconds(running.pid) or 0.0 for running in self._running)

    def problem(self) -> Told | None:
        """Return which part has ended, or that the server does not answer, with its last lines."""
        ended = self._ended()
        if ended is None and self._hung is None and self._running and not self._answers():  # asking takes its time
            self._hung = self._hangs(_ANSWER_S)
        return ended or self._hung

    def _hangs(self, seconds: float) -> Told:
        how = {"part": ganesha.PROGRAM, "seconds": f"{seconds:.0f}", "said": self._last_lines(self._running[-1])}
        return Phrase("failed.nfs.hangs", how)

    def _drop_asked(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None

    def _answers(self) -> bool:
        """Whether the server answers a call that does nothing, made by a program that can be given up."""
        try:
            asked = proc.capture((*self._enter(), *ganesha.ask()), timeout_s=_ANSWER_S, check=False)
        except ToolError:
            return False
        return asked.exit_code == 0

    def _ended(self) -> Told | None:
        for running in (*self._running, *([self._holder] if self._holder else ())):
            if not running.alive():
                name = running.argv[running.argv.index("--") + 1]
                how = {"part": name, "code": str(running.exit_code), "said": self._last_lines(running)}
                return Phrase("failed.nfs.part", how)
        return None

    def _last_lines(self, running: proc.Running | None = None) -> str:
        """The last line of the server's log without its stamps, and what the program itself said."""
        lines = [line.rpartition(" :")[2] for line in _text(self._room.log / "ganesha.log").splitlines()]
        told = [line.strip() for line in lines if line.strip(" -")][-1:]
        own = running.last_lines(2) if running is not None else ""
        return " / ".join([*told, *([own] if own and own != "it said nothing" else [])]) or "it said nothing"

    def close(self, kill: bool) -> None:
        """End the server and its namespaces. What it gave out is thrown away, so it is killed in either case."""
        self._drop_asked()
        for running in (*reversed(self._running), *([self._holder] if self._holder else ())):
            running.kill()
        self._running, self._holder = [], None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _name(pid: int) -> str:
    return _text(Path(f"/proc/{pid}/comm")).strip()
