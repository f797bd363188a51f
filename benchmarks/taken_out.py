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

_NEVER = "        if False:\n"


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
        ("only a block device", "        if not stat.S_ISBLK(os.fstat(node).st_mode):\n", "        if False:\n"),
        ("in use, by mounts, holders, swap and writers", "        _refuse_in_use(path, device)\n", ""),
        ("who has it mounted is told", "        if mount.number in names or _rdev(mount.source) in names:\n", _NEVER),
        ("swap on it is told", "        if _rdev(source) in names or (file", "        if (file"),
        ("a loop device on it", '        if backing.startswith("/dev/") and _rdev(backing) in names:\n', _NEVER),
        ("another program has it open for writing", ", *_writers(device.number)]", "]"),
        ("in use by another way to it", "    for way in other_ways(device.number):\n", "    for way in ():\n"),
        (
            "the file under it is open for writing",
            "    if file is not None and stat.S_ISREG(info.st_mode):\n",
            "    if False:\n",
        ),
        ("the id has to be given", "    if destroy_id is None:\n", "    if False:\n"),
        ("the id has to be exact", "        _refuse_other_id(path, device, destroy_id)\n", ""),
        ("set read-only, or too small", "        _refuse_unfit(path, fd, size_needed)\n", ""),
        ("too small", "    if size < size_needed:\n", "    if False:\n"),
        ("a signature", "        _refuse_signature(path, fd, yes, confirm)\n", ""),
        (
            "a signature without --yes and a terminal",
            "    if confirm is None:\n",
            "    if confirm is None:\n        return\n",
        ),
        ("a question that is answered with no", "    if not confirm(", "    if confirm(what) is None and not confirm("),
        (
            "two signatures",
            "    if done.exit_code == _BLKID_AMBIVALENT:\n",
            "    if done.exit_code == 8:\n        return []\n",
        ),
        ("not knowing is no permission", "    if done.exit_code != 0:\n", "    if False:\n"),
        ("no link is opened", "os.path.realpath(path), os.O_PATH | os.O_NOFOLLOW |", "path, os.O_PATH |"),
        ("the node, not the name, is opened", 'os.open(f"/proc/self/fd/{node}",', "os.open(path,"),
    ):
        yield Cut(f"block device: {name}", GUARDS, text, instead, tests)
    swapped = "tests/e2e/test_swapped.py"
    for name, file, text, instead, test in (
        (
            "what was planned is what is opened: a folder",
            "iobench/campaign/site.py",
            "        _refuse_other_drive(target, folder.dir_fd)\n",
            "        pass\n",
            f"{swapped}::test_a_drive_that_is_unmounted_between_plan_and_run",
        ),
        (
            "what was planned is what is opened: a device",
            "iobench/campaign/site.py",
            "                _refuse_other_drive(passport, ground.pass_fds[0])\n",
            "                pass\n",
            f"{swapped}::test_a_block_device_that_is_replaced_between_plan_and_run",
        ),
        (
            "a server's files go by descriptor",
            "iobench/campaign/ground.py",
            'f"/proc/{os.getpid()}/fd/{self._folder.dir_fd}/{name}"',
            'f"{self._folder.path}/{name}"',
            f"{swapped}::test_a_target_that_is_swapped_once_the_folder_is_made[kvs]",
        ),
        (
            "a resumed drive is the same",
            "iobench/campaign/assemble.py",
            "        refuse_other_drive(old, fresh[name])\n",
            "        pass\n",
            "tests/e2e/test_blocks.py",
        ),
        (
            "one campaign at a time on a drive",
            "iobench/drives/turns.py",
            "fcntl.LOCK_EX | fcntl.LOCK_NB)",
            "fcntl.LOCK_SH | fcntl.LOCK_NB)",
            "tests/e2e/test_faults.py::test_two_campaigns_at_once_on_one_drive_are_refused",
        ),
        (
            "one campaign at a time on a drive, through any mount of it",
            "iobench/drives/turns.py",
            "end.bind(_NAME + number)",
            'end.bind("")',
            "tests/e2e/test_faults.py::test_a_drive_that_is_measured_already_is_refused_through_another_mount_too",
        ),
        (
            "room is asked for before",
            "iobench/campaign/assemble.py",
            "    needs.check_room(works, passports)\n",
            "",
            "tests/e2e/test_places.py::test_too_little_room_is_told_with_the_figures_before_anything_is_written",
        ),
    ):
        yield Cut(f"target: {name}", file, text, instead, test)


def _doors() -> Iterator[Cut]:
    """What keeps others out, and secrets in."""
    others = "tests/e2e/test_other_users.py"
    for name, file, text, instead, test in (
        (
            "a database listens on its socket alone",
            "iobench/tools/mariadb.py",
            '        "--skip-networking",\n',
            '        "--bind-address=127.0.0.2", "--port=3399",\n',
            f"{others}::test_another_user_reads_nothing_and_reaches_no_server[oltp]",
        ),
        (
            "a memcached's socket is its owner's",
            "iobench/servers/memcached_sizes.py",
            '"-a", "0700"',
            '"-a", "0777"',
            "tests/servers/test_memcached_server.py",
        ),
        (
            "our folders are our own",
            WORKDIR,
            "        os.mkdir(name, 0o700, dir_fd=base_fd)\n",
            "        os.mkdir(name, 0o755, dir_fd=base_fd)\n",
            "tests/drives/test_workdir.py",
        ),
        (
            "a password leaves the environment",
            "iobench/servers/secrets.py",
            "os.environ.pop(VARIABLE, None)",
            "os.environ.get(VARIABLE, None)",
            "tests/e2e/test_oltp.py::test_a_server_that_exists_is_measured_in_tables_of_our_own",
        ),
        (
            "an option file that others can read",
            "iobench/servers/secrets.py",
            "        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):\n",
            "        if False:\n",
            "tests/e2e/test_oltp.py::test_a_database_with_somebodys_tables_is_refused_and_left_alone",
        ),
        (
            "an archive's files stay in its folder",
            "iobench/campaign/archive.py",
            "    if not plain or not",
            "    if not",
            "tests/campaign/test_archive.py",
        ),
        (
            "an archive's hash",
            "iobench/campaign/archive.py",
            '    if unpacked.digest() != about.get("sha256"):\n',
            "    if False:\n",
            "tests/campaign/test_archive.py",
        ),
        (
            "an archive's commands are not run",
            "iobench/cli/resume.py",
            "    if folder.taken_in():\n",
            "    if False:\n",
            "tests/cli/test_stored_files.py",
        ),
        (
            "names in a plan lead nowhere",
            "iobench/results/plan.py",
            '    if not name or "/" in name or',
            "    if not name or",
            "tests/cli/test_stored_files.py",
        ),
        (
            "a diary that is a link",
            "iobench/campaign/journal.py",
            " | os.O_NOFOLLOW",
            "",
            "tests/cli/test_stored_files.py",
        ),
        (
            "an archive is not put in a device's place",
            "iobench/campaign/archive.py",
            "    plain = os.path.isfile(to) or not os.path.exists(to)",
            "    plain = True",
            "tests/campaign/test_archive.py",
        ),
        (
            "no escape code in an error",
            "iobench/cli/main.py",
            "clean(shortened(sentence))",
            "shortened(sentence)",
            "tests/cli/test_bad_input.py",
        ),
    ):
        yield Cut(f"doors: {name}", file, text, instead, test)


def _folders() -> Iterator[Cut]:
    tests = "tests/drives/test_workdir.py"
    for name, file, text, instead in (
        (
            "a file that is a link is not opened",
            WORKDIR,
            "flags & ~os.O_TRUNC | os.O_NOFOLLOW |",
            "flags & ~os.O_TRUNC |",
        ),
        ("a hard link is not written to", WORKDIR, "or info.st_nlink > 1", ""),
        (
            "the folder is no link",
            "iobench/drives/marker.py",
            "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
            "os.O_RDONLY",
        ),
        ("a folder that others may write is refused", WORKDIR, "or info.st_mode & 0o022", ""),
        (
            "nothing without our marker is taken over",
            WORKDIR,
            "    if marker is None:\n        # Killed",
            "    if False:\n        #",
        ),
        ("a folder in use is not taken over", WORKDIR, "    if not marker.owner_gone:\n", "    if False:\n"),
        (
            "a marker that was replaced stops the removal",
            WORKDIR,
            "if read_marker(self.dir_fd) != self.marker:",
            "if False:",
        ),
        (
            "what is mounted inside is not emptied",
            "iobench/drives/entries.py",
            "    if _mount_id(fd) != _mount_id(dir_fd):\n",
            "    if False:\n",
        ),
        (
            "a folder without our marker is not removed",
            "iobench/drives/entries.py",
            "if marker is None or not stat.S_ISREG(marker.st_mode):",
            "if 0:",
        ),
    ):
        yield Cut(f"work folder: {name}", file, text, instead, tests)


def _limits() -> Iterator[Cut]:
    file, tests = "iobench/campaign/limits.py", "tests/campaign/test_limits.py"
    for name, text in (
        ("--max-write, before", "        if limits.max_write is not None and before + written > limits.max_write:\n"),
        ("--max-write, while it runs", "            if total > limits.max_write:\n"),
        ("--min-free, before", "    if free - needed < least:\n"),
        (
            "--min-free, while it runs",
            "        if limits.min_free is not None and room is not None and room[0] < _least(limits, room[1]):\n",
        ),
        ("--max-temp", "            if now is not None and now > limits.max_temp_c:\n"),
    ):
        yield Cut(f"limits: {name}", file, text, f"{text[: len(text) - len(text.lstrip())]}if False:\n", tests)


def _given_up() -> Iterator[Cut]:
    """What ends a step that would give no number, or refuses it."""
    silence, measuring = "iobench/campaign/silence.py", "iobench/campaign/measuring.py"
    struck = "tests/e2e/test_struck.py::test_a"
    moved = "test_a_clock_that_is_set_makes_nothing_negative_and_moves_no_window"
    for name, file, text, tests in (
        ("a file system that is silent", silence, "        if files >= FILES_S:\n", "tests/campaign/test_silence.py"),
        ("a drive that is silent", silence, "        if drive >= DRIVE_S and", "tests/campaign/test_silence.py"),
        (
            "looked at while silent",
            "iobench/drives/asking.py",
            "    if not answers(path):\n",
            "tests/drives/test_asking.py",
        ),
        ("slept", measuring, "    if slept > SLEPT_S:\n", "tests/campaign/test_measuring.py"),
        ("blind", measuring, "    if watcher.blind_s > BLIND_S:\n", "tests/campaign/test_measuring.py"),
        (
            *("stopped", measuring, "        if ended.stopped_s > STOPPED_S:\n"),
            f"{struck}_program_that_is_stopped_and_let_go_on_gives_no_number",
        ),
        (
            *("a clock that was set", measuring, "        if command.wall_clock and"),
            f"tests/e2e/test_faults.py::{moved}[dbench-5]",
        ),
        (
            *("not prepared", "iobench/campaign/engine.py", "        if failed is not None and failed is not step and"),
            f"{struck}_preparation_that_is_struck_leaves_no_round_to_measure",
        ),
    ):
        head = text[: len(text) - len(text.lstrip())]
        yield Cut(
            f"given up: {name}", file, text, f"{head}if False" + (":\n" if text.endswith("\n") else " and"), tests
        )


def _rules() -> Iterator[Cut]:
    source = (ROOT / VERDICT).read_text(encoding="utf-8")
    for rule in re.findall(r"^            (_\w+),$", source, re.MULTILINE):
        yield Cut(
            f"evidence: {rule.strip('_')}", VERDICT, f"            {rule},\n", "", "tests/campaign/test_verdict.py"
        )
    steady = ") + tuple(_not_steady(context, reading, series))"
    yield Cut("evidence: not_steady", VERDICT, steady, ")", "tests/campaign/test_verdict.py")


def main() -> None:
    asked = common.arguments(__doc__ or "", first=0, last=1000)
    cuts = _cuts()[asked.first : asked.last]
    common.head("Checks taken out")
    rows = []
    with tempfile.TemporaryDirectory(prefix="iobench-benchmark-", dir="/var/tmp") as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(ROOT, copy, ignore=_not_ours)
        for tests in sorted({cut.tests for cut in cuts}):
            assert _failed(copy, tests) is None, f"{tests} fails with every check in place"
        for cut in cuts:
            rows.append((cut.name, _tried(copy, cut) or "**no test noticed**"))
            print(f"{cut.name}: {rows[-1][1]}", file=sys.stderr, flush=True)
    common.table(["check", "the test that fails without it"], rows)
    unseen = sum(found.startswith("**") for _, found in rows)
    print(f"{len(rows) - unseen} of {len(rows)} noticed")
    common.conclude(unseen, short=False)


def _not_ours(folder: str, names: list[str]) -> set[str]:
    """What is not copied: hidden folders, and a user's results (the package has one of that name)."""
    return {n for n in names if n == "__pycache__" or (Path(folder) == ROOT and (n.startswith(".") or n == "results"))}


def _cuts() -> list[Cut]:
    return [*_guards(), *_folders(), *_doors(), *_limits(), *_given_up(), *_rules()]


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
    """Return the first test that fails in the copy, twice, or None. Raises SystemExit where pytest cannot run."""
    noisy: list[str] = []
    while True:
        done = _pytest(copy, tests, *(f"--deselect={name}" for name in noisy))
        if done.returncode in (0, 5):
            return None
        match = re.search(r"^(?:FAILED|ERROR) (\S+?(?:::\S+)?)(?: |$)", done.stdout, re.MULTILINE)
        if done.returncode not in (1, 2) or match is None:
            raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        if "::" not in match[1]:
            return "(all: it cannot be imported)"
        # On a busy machine a test may fail for a reason of its own: that one says nothing of the check.
        if _pytest(copy, match[1]).returncode == 1:
            return match[1].partition("::")[2]
        noisy.append(match[1])


def _pytest(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *words],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
