"""`iobench targets` where a program is missing, hangs or talks rubbish: a line says so, and nothing passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from madesys import make_tree

from iobench import proc
from iobench.analysis import handover, order
from iobench.analysis.handover import Known
from iobench.cli import targets as targets_module
from iobench.cli.main import iobench
from iobench.drives import facts, health, inventory, passport
from iobench.drives.emulated import STATE_VARIABLE
from iobench.model import Passport, Target
from iobench.texts import told_of

STATUS = Path(__file__).parents[1] / "fixtures" / "fio-status-synthetic"
PROGRAMS = ("lsblk", "findmnt", "smartctl", "fio-status")
# What a program does, as a line of shell; None is missing.
BEHAVIOURS = {
    "missing": None,
    "fails": "echo 'Zugriff verweigert' >&2; exit 4",
    "silent": "exit 0",
    "rubbish": "echo 'no such thing'",
    "no text": "printf '\\377\\376{\\000'",
    "cut off": 'printf \'{"blockdevices":[{"name":"sda"\'',
    "other shape": 'echo \'{"blockdevices": 3, "filesystems": {}, "smart_status": [], "adapter": "x"}\'',
    "deep": "head -c 300000 /dev/zero | tr '\\0' '['",
    "killed": "kill -9 $$",
    "hangs": "sleep 60 & wait",
    "endless": "yes",
}


class Machine:
    """The programs of a machine: none, but for those that are told what to do, as a line of shell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._present: dict[str, Path] = {}

    def does(self, name: str, line: str | None) -> None:
        if line is not None:
            path = self._present[name] = self._folder / name
            path.write_text(f"#!/bin/sh\n{line}\n")
            path.chmod(0o755)

    def find(self, name: str) -> str | None:
        return str(self._present[name]) if name in self._present else None


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "bin").mkdir()
    made = Machine(tmp_path / "bin")
    monkeypatch.setattr(proc, "find", made.find)
    return made


@pytest.fixture
def listing(fake_sys: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`iobench targets` on a machine with an ioDrive and a SAS disk, whose programs do what they are told to."""
    monkeypatch.setattr(proc, "_MOST_SAID", 1 << 20)
    monkeypatch.setattr(targets_module.inventory, "devices", partial(inventory.devices, fake_sys))

    def run(*options: str, columns: int = 300, **lines: str | None) -> str:
        for name, line in lines.items():
            machine.does(name.replace("_", "-"), line)
        got = CliRunner().invoke(iobench, ["targets", *options], env={"COLUMNS": str(columns)})
        assert got.exit_code == 0 and got.exception is None, got.output
        return got.stdout

    return run


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_source_that_is_no_good_is_named_and_nothing_passes(
    listing: Callable[..., str], monkeypatch: pytest.MonkeyPatch, program: str, behaviour: str
) -> None:
    if behaviour == "hangs":
        monkeypatch.setattr(proc, "capture", partial(proc.capture, timeout_s=0.4))
    text = listing(**{program.replace("-", "_"): BEHAVIOURS[behaviour]})
    assert f"{program} " in text.partition("\n\n")[2] and "passed" not in text
    assert "Traceback" not in text and "\x1b" not in text
    document = json.loads(listing("--json"))
    assert any(program in note for drive in document["targets"] for note in drive["notes"])
    for drive in document["targets"]:
        assert drive["healthy"] is None and all(drive["unknown"].values())
        nothing = {f"health.{name}" for name, value in drive["health"].items() if value is None}
        assert nothing == {name for name in drive["unknown"] if name.startswith("health.")}
    assert "iobench_drive_healthy" not in listing("--prometheus")


@pytest.mark.parametrize("form", ["status-3.json", "status-3.txt", "status-2.txt"])
def test_an_iodrive_is_asked_by_its_own_program_and_never_by_fio(
    listing: Callable[..., str], tmp_path: Path, form: str
) -> None:
    said = f"cat <<'END'\n{(STATUS / form).read_text()}\nEND"
    # The tester is called fio, and the vendor's programs fio-status, fio-format …: one must not be taken for the other.
    lines = {"fio_status": said, "fio": "echo wrong >&2; touch $0.asked", "fio_format": "touch $0.asked"}
    document = json.loads(listing("--json", **lines))
    assert not list(tmp_path.rglob("*.asked"))
    fioa, sda = document["targets"]
    assert (fioa["kind"], fioa["healthy"]) == ("PCIe flash", True)
    assert fioa["health"]["model"].endswith("ioDrive 160GB SLC")
    assert "smartctl is not installed" in sda["unknown"]["health.passed"] and sda["healthy"] is None
    assert "passed" in listing() and 'iobench_drive_healthy{device="fioa"} 1.0' in listing("--prometheus")


def test_a_failed_health_check_is_seen_in_a_narrow_window_too(listing: Callable[..., str], machine: Machine) -> None:
    machine.does("smartctl", """echo '{"smart_status": {"passed": false}}'""")
    assert "sda: its own health check FAILED" in listing(columns=60)


def test_a_lab_whose_state_cannot_be_read_is_said_of_loop_devices(
    listing: Callable[..., str], fake_sys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = fake_sys / "devices/virtual/block/loop3"
    make_tree(loop, {"dev": "7:3\n", "size": "2048\n", "loop/backing_file": "/x.img\n"})
    (fake_sys / "block/loop3").symlink_to(loop)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/sas.json").write_text("{")
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "lab"))
    text = listing()
    assert "loop3: iobench lab tells nothing" in text and "sas.json" in text


def test_a_machine_that_shows_no_block_devices_has_no_drives(tmp_path: Path) -> None:
    assert inventory.devices(tmp_path) == []


# --- a handover of drives that this machine does not have ------------------------------------------------


def _judged(name: str, number: str) -> dict[str, str]:
    """What comes of a shipped profile's identity and health, for a drive as this machine would show it."""
    found, _ = order.read(name)
    told = facts.of_targets([Passport(Target("x", "/x"), passport.device_of(number))])["x"]
    known = Known(told["facts"], {what: told_of(why) for what, why in told["unknown"].items()})
    return {fact.id: handover.judge_fact(fact, "x", known, known).outcome.value for fact in found.facts}


@pytest.mark.parametrize("form", ["status-3.json", "status-3.txt", "status-2.txt"])
def test_a_sound_iodrive_passes_its_profile_and_one_that_is_worn_fails(
    machine: Machine, fake_sys: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(inventory, "find", partial(inventory.find, sys=fake_sys))
    (fake_sys / "dev/block/252:0/size").write_text(f"{160 * 10**9 // 512}\n")
    said = (STATUS / form).read_text()
    machine.does("fio-status", f"cat <<'END'\n{said}\nEND")
    assert set(_judged("iodrive-160-slc", "252:0").values()) == {"pass"}
    machine.does("fio-status", f"cat <<'END'\n{said.replace('Healthy', 'Read-only').replace('98.50', '94.00')}\nEND")
    outcomes = _judged("iodrive-160-slc", "252:0")
    assert {what for what, outcome in outcomes.items() if outcome == "fail"} == {
        *("health.passed", "health.state", "health.reserve")
    }
    machine.does("fio-status", "exit 1")
    outcomes = _judged("iodrive-160-slc", "252:0")
    assert "pass" not in {outcome for what, outcome in outcomes.items() if what.startswith("health.")}
    # Of another drive than the one ordered, identity fails.
    assert _judged("nvme", "252:0")["identity.kind"] == "fail"


def test_a_set_over_several_drives_is_as_healthy_as_the_worst(machine: Machine, fake_sys: Path) -> None:
    sound = {"smart_status": {"passed": True}, "temperature": {"current": 30}, "scsi_grown_defect_list": 1}
    bad = {"smart_status": {"passed": False}, "temperature": {"current": 41}, "scsi_grown_defect_list": 2}
    raid = fake_sys / "devices/virtual/block/md0"
    make_tree(raid, {"dev": "9:0\n", "size": "1024\n"})
    (raid / "slaves").mkdir()
    for name, number in (("sdb", "8:16"), ("sdc", "8:32")):
        home = fake_sys / f"devices/x/{name}"
        make_tree(home, {"dev": f"{number}\n", "size": "1024\n", "device/vendor": "ATA\n"})
        (fake_sys / f"block/{name}").symlink_to(home)
        (fake_sys / f"dev/block/{number}").symlink_to(home)
        (raid / f"slaves/{name}").symlink_to(home)
    (fake_sys / "block/md0").symlink_to(raid)
    (fake_sys / "dev/block/9:0").symlink_to(raid)
    machine.does("smartctl", f"case $* in *sdb) echo '{json.dumps(sound)}';; *) echo '{json.dumps(bad)}';; esac")
    (md0,) = (drive for drive in inventory.devices(fake_sys) if drive.name == "md0")
    said = health.of(md0, fake_sys)
    assert (md0.kind, said.passed, said.temperature_c, said.reallocated) == ("RAID volume", False, 41, 3)
    # Those that are left of a set that lost one are well, and the set is not.
    machine.does("smartctl", f"echo '{json.dumps(sound)}'")
    assert health.of(md0, fake_sys).passed is True
    make_tree(raid, {"md/degraded": "1\n"})
    said = health.of(md0, fake_sys)
    assert said.passed is False and "degraded" in str(said.notes[0])
    make_tree(raid, {"md/degraded": "0\n"})
    machine.does("smartctl", f"case $* in *sdb) echo '{json.dumps(sound)}';; *) exit 1;; esac")
    said = health.of(md0, fake_sys)
    assert (said.passed, said.reallocated) == (None, None)
    assert "sdb and sdc" in str(said.notes[0]) and any("sdc: " in str(note) for note in said.notes)
