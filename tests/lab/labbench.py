"""Where a test's emulated drives stand, what they need, and what is left of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iobench import lab
from iobench.drives import emulated
from iobench.drives.throttle import CGROUP_ROOT, find_throttle
from iobench.errors import CannotRunError

MIB = 2**20


def lacking() -> str | None:
    """Why drives cannot be emulated here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    try:
        throttle = find_throttle()
        throttle.prepare()
    except CannotRunError as error:
        return str(error)
    taken = subprocess.run(["losetup", "--find"], capture_output=True, text=True)
    return None if taken.returncode == 0 else f"needs a free loop device: {taken.stderr.strip()}"


def loops() -> Iterator[tuple[str, str]]:
    """Yield every loop device in use, and the file that /sys names under it."""
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        yield file.parent.parent.name, file.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")


@dataclass(frozen=True)
class Bench:
    """Where a test's lab stands."""

    state: Path
    images: Path

    def up(
        self, *drives: str | lab.DriveProfile, size: int = 64 * MIB, block: bool = False, cgroup: Path | None = None
    ) -> list[lab.LabDrive]:
        return lab.up(drives, size, self.images, block=block, cgroup_root=cgroup or CGROUP_ROOT)

    def leftovers(self) -> list[str]:
        """What of this lab is still on the machine."""
        found = [f"{name} on {file}" for name, file in loops() if self._ours(file)]
        found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if self._ours(line)]
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if self._ours(line) and line.startswith(("nbdkit", "nbdfuse")):
                found.append(line)
        found += [str(path) for path in self.images.rglob("*")] if self.images.exists() else []
        return found + [str(path) for path in self.state.rglob("*") if path.name != "lock"]

    def numbers(self) -> set[str]:
        """The loop devices of this lab, as `major:minor`."""
        return {emulated.device_number(name) for name, file in loops() if self._ours(file)}

    def _ours(self, text: str) -> bool:
        return str(self.state) in text or str(self.images) in text
