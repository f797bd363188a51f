"""Each guard and each check of the evidence is taken out of a copy once: a test has to fail then.

The claim: none is missed. A check whose absence no test notices is one that nobody would miss when it breaks.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import common

ROOT = Path(__file__).parent.parent
GUARDS, WORKDIR, VERDICT = "iobench/drives/guards.py", "iobench/drives/workdir.py", "iobench/campaign/verdict.py"


@dataclass(frozen=True)
class Cut:
    """A check: what it is, the text that makes it, what stands there without it, and the tests that should miss it."""

    name: str
    file: str
    text: str
    instead: str
    tests: str


def _guards() -> Iterator[Cut]:
    tests = "tests/drives/test_guards.py"
    for name, text, instead in (
        ("opened exclusively", "os.O_RDWR | os.O_EXCL |", "os.O_RDWR |"),
        ("in use, by mounts, holders, swap and writers", "        _refuse_in_use(path, device)\n", ""),
        ("another program has it open for writing", " + list(_writers(device.number))", ""),
        ("the id has to be exact", "        _refuse_other_id(path, device, destroy_id)\n", ""),
        ("set read-only, or too small", "        _refuse_unfit(path, fd, size_needed)\n", ""),
        ("a signature", "        _refuse_signature(path, fd, yes, confirm)\n", ""),
        ("no link is opened", "os.path.realpath(path), os.O_PATH | os.O_NOFOLLOW |", "path, os.O_PATH |"),
        ("the node, not the name, is opened", 'os.open(f"/proc/self/fd/{node}",', "os.open(path,"),
    ):
        yield Cut(f"block device: {name}", GUARDS, text, instead, tests)


def _folders() -> Iterator[Cut]:
    tests = "tests/drives/test_workdir.py"
    for name, text, instead in (
        ("a file that is a link is not opened", "flags & ~os.O_TRUNC | os.O_NOFOLLOW |", "flags & ~os.O_TRUNC |"),
        ("a hard link is not written to", "or info.st_nlink > 1", ""),
        ("the folder is no link", "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC", "os.O_RDONLY"),
        ("a folder that others may write is refused", "or info.st_mode & 0o022", ""),
        (
            "nothing without our marker is taken over",
            "    if marker is None:\n        # Killed",
            "    if False:\n        #",
        ),
        ("a folder in use is not taken over", "    if not marker.owner_gone:\n", "    if False:\n"),
        ("a marker that was replaced stops the removal", "if _read_marker(self.dir_fd) != self.marker:", "if False:"),
        (
            "a folder without our marker is not removed",
            "if marker is None or not stat.S_ISREG(marker.st_mode):",
            "if 0:",
        ),
    ):
        yield Cut(f"work folder: {name}", WORKDIR, text, instead, tests)


def _rules() -> Iterator[Cut]:
    source = (ROOT / VERDICT).read_text(encoding="utf-8")
    for rule in re.findall(r"^            (_\w+),$", source, re.MULTILINE):
        yield Cut(
            f"evidence: {rule.strip('_')}", VERDICT, f"            {rule},\n", "", "tests/campaign/test_verdict.py"
        )
    steady = ") + tuple(_not_steady(context, reading, series))"
    yield Cut("evidence: not_steady", VERDICT, steady, ")", "tests/campaign/test_verdict.py")


def main() -> None:
    common.arguments(__doc__ or "")
    common.head("Checks taken out")
    rows = []
    with tempfile.TemporaryDirectory(prefix="iobench-benchmark-", dir="/var/tmp") as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "results", "__pycache__"))
        for tests in sorted({cut.tests for cut in _cuts()}):
            assert _failed(copy, tests) is None, f"{tests} fails with every check in place"
        for cut in _cuts():
            rows.append((cut.name, _tried(copy, cut) or "**no test noticed**"))
    common.table(["check", "the test that fails without it"], rows)
    unseen = sum(found.startswith("**") for _, found in rows)
    print(f"{len(rows) - unseen} of {len(rows)} noticed")
    common.conclude(unseen, short=False)


def _cuts() -> list[Cut]:
    return [*_guards(), *_folders(), *_rules()]


def _tried(copy: Path, cut: Cut) -> str | None:
    path = copy / cut.file
    whole = path.read_text(encoding="utf-8")
    assert whole.count(cut.text) >= 1, f"{cut.name}: {cut.file} has no {cut.text!r} any more"
    path.write_text(whole.replace(cut.text, cut.instead, 1), encoding="utf-8")
    try:
        return _failed(copy, cut.tests)
    finally:
        path.write_text(whole, encoding="utf-8")


def _failed(copy: Path, tests: str) -> str | None:
    """Return the first test that fails in the copy, or None."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.search(r"^(?:FAILED|ERROR) \S*?(?:::(\S+))?(?: |$)", done.stdout, re.MULTILINE)
    if match is None and done.returncode not in (0, 5):
        return f"(exit code {done.returncode})"
    return match[1] or "(all: it cannot be imported)" if match else None


if __name__ == "__main__":
    main()
