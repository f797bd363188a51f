"""`iobench targets` where a program is missing, hangs or talks rubbish: a line says so, and nothing passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from iobench import proc
from iobench.cli import targets as targets_module
from iobench.cli.targets import targets
from iobench.drives import inventory

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


@pytest.fixture
def listing(fake_sys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`iobench targets` on a machine with an ioDrive and a SAS disk, whose programs do what they are told to."""
    monkeypatch.setattr(proc, "capture", partial(proc.capture, timeout_s=0.4))
    monkeypatch.setattr(proc, "_MOST_SAID", 1 << 20)
    monkeypatch.setattr(targets_module.inventory, "devices", partial(inventory.devices, fake_sys))
    folder = tmp_path / "bin"
    folder.mkdir()
    present = {}

    def does(name: str, line: str | None) -> None:
        if line is not None:
            present[name] = folder / name
            present[name].write_text(f"#!/bin/sh\n{line}\n")
            present[name].chmod(0o755)

    def run(*options: str, **lines: str | None) -> str:
        for name, line in lines.items():
            does(name.replace("_", "-"), line)
        monkeypatch.setattr(proc, "find", lambda name: str(present[name]) if name in present else None)
        got = CliRunner().invoke(targets, list(options), env={"COLUMNS": "300"})
        assert got.exit_code == 0 and got.exception is None, got.output
        return got.stdout

    return run


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_a_source_that_is_no_good_is_named_and_nothing_passes(
    listing: Callable[..., str], program: str, behaviour: str
) -> None:
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


@pytest.mark.parametrize("form", ["json", "txt"])
def test_an_iodrive_is_asked_by_its_own_program_and_never_by_fio(
    listing: Callable[..., str], tmp_path: Path, form: str
) -> None:
    said = f"cat <<'END'\n{(STATUS / f'status-3.{form}').read_text()}\nEND"
    # The tester is called fio, and the vendor's programs fio-status, fio-format …: one must not be taken for the other.
    lines = {"fio_status": said, "fio": "echo wrong >&2; touch $0.asked", "fio_format": "touch $0.asked"}
    document = json.loads(listing("--json", **lines))
    assert not list(tmp_path.rglob("*.asked"))
    fioa, sda = document["targets"]
    assert (fioa["kind"], fioa["healthy"], fioa["health"]["model"]) == ("PCIe flash", True, "ioDrive 160GB SLC")
    assert "smartctl is not installed" in sda["unknown"]["health.passed"] and sda["healthy"] is None
    assert "passed" in listing() and 'iobench_drive_healthy{device="fioa"} 1.0' in listing("--prometheus")


def test_a_machine_that_shows_no_block_devices_has_no_drives(tmp_path: Path) -> None:
    assert inventory.devices(tmp_path) == []
