"""What smartctl and fio-status say: parsed, truncated, mutated; and what is told where they are not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench import proc
from iobench.drives import health, link, prometheus
from iobench.drives.inventory import DriveRecord, MountedFs
from iobench.errors import ParseError
from iobench.model import Health
from iobench.tools import fio_status, smartctl

FIXTURES = Path(__file__).parent.parent / "fixtures"
REAL = Path(os.environ.get("IOBENCH_FIXTURES", ""))
SMART = {p.stem: p.read_text() for p in (FIXTURES / "smartctl-synthetic").glob("*.json")}
STATUS = {p.name: p.read_text() for p in (FIXTURES / "fio-status-synthetic").glob("status-*")}
PARSERS: list[tuple[Callable[[str], Any], str]] = [
    *((smartctl.parse, text) for text in SMART.values()),
    *((fio_status.parse, text) for text in STATUS.values()),
]


def _drive(**changes: Any) -> DriveRecord:
    fields: dict[str, Any] = dict.fromkeys(DriveRecord.__dataclass_fields__)
    fields |= {"name": "sda", "number": "8:0", "kind": "SAS disk", "size": 10**12}
    fields |= {"mounts": (), "partitions": (), "below": (), "notes": ()}
    return DriveRecord(**(fields | changes))


def test_nvme() -> None:
    said = smartctl.parse(SMART["nvme"])
    assert (said.passed, said.model, said.firmware, said.temperature_c) == (True, "EXAMPLE NVME 1T", "1.0.4", 36)
    assert (said.used_share, said.reserve_share, said.media_errors) == (0.73, 0.99, 0)
    assert said.written_bytes == 2000 * 512_000
    assert said.reallocated is None


def test_sata_ssd() -> None:
    said = smartctl.parse(SMART["sata-ssd"])
    assert said.used_share == pytest.approx(0.15)
    assert (said.reserve_share, said.media_errors, said.reallocated) == (0.98, 2, 3)
    assert said.written_bytes == 10 * 32 * 2**20
    assert said.read_bytes is None


def test_sas_disk() -> None:
    said = smartctl.parse(SMART["sas"])
    assert (said.passed, said.firmware, said.temperature_limit_c) == (False, "A2A8", 68)
    assert (said.media_errors, said.reallocated, said.written_bytes) == (536, 260, pytest.approx(11151.772e9))
    assert said.used_share is None


@pytest.mark.parametrize(
    ("form", "firmware", "model"),
    [
        ("status-3.json", "7.1.17", "ioDrive 160GB SLC"),
        ("status-3.txt", "7.1.17", "ioDrive 160GB SLC"),
        ("status-2.txt", "5.0.5", "Fusion-io ioDrive 160GB SLC"),
    ],
)
def test_an_iodrive(form: str, firmware: str, model: str) -> None:
    (name, said), *others = fio_status.parse(STATUS[form]).items()
    assert (name, others) == ("fioa", [])
    assert (said.passed, said.state, said.model) == (True, "Healthy", model)
    assert (said.serial, said.firmware, said.temperature_c) == ("1234D0001", firmware, 47.7)
    # The driver of 2.x rates no endurance, the text of 3.x has no physical size.
    assert said.used_share == (None if form == "status-2.txt" else pytest.approx(0.0059))
    assert said.physical_bytes == (None if form == "status-3.txt" else 201e9)
    assert (said.reserve_share, said.reserve_warning_share) == (pytest.approx(0.985), pytest.approx(0.1))
    assert (said.written_bytes, said.formatted_bytes) == (29471835766784, 160e9)
    assert (said.link_width, said.link_gtps) == (4, 2.5)


@pytest.mark.parametrize(("word", "passed"), [("Read-only", False), ("Reduced-write", False), ("Odd", None)])
def test_a_state_that_is_not_healthy_is_not_passed(word: str, passed: bool | None) -> None:
    for form in STATUS:
        (said,) = fio_status.parse(STATUS[form].replace("Healthy", word)).values()
        assert (said.passed, said.state) == (passed, word)


@pytest.mark.skipif(not (REAL / "smartctl").is_dir(), reason="IOBENCH_FIXTURES names no folder of real outputs")
def test_real_outputs_of_smartctl() -> None:
    for path in (REAL / "smartctl").glob("*.json"):
        said = smartctl.parse(path.read_text())
        assert said.passed is True and said.model and said.serial is not None, path.name
        assert said.temperature_c and 10 < said.temperature_c < 60, path.name
        assert said.media_errors is not None, path.name


@pytest.mark.skipif(not (REAL / "fio-status").is_dir(), reason="IOBENCH_FIXTURES names no folder of real outputs")
def test_real_text_of_fio_status() -> None:
    (path,) = (REAL / "fio-status").glob("*.txt")
    found = fio_status.parse(path.read_text())
    assert list(found) == ["fioa", "fiob"]
    assert (found["fioa"].passed, found["fioa"].firmware, found["fioa"].serial) == (True, "5.0.7", "06665")
    assert found["fioa"].physical_bytes == 396e9 and found["fioa"].formatted_bytes == 322.55e9
    assert (found["fiob"].temperature_c, found["fiob"].link_width, found["fiob"].reserve_share) == (42.8, 4, 1.0)


@pytest.mark.parametrize(("parse", "text"), PARSERS)
def test_cut_off_is_never_another_error(parse: Callable[[str], Any], text: str) -> None:
    for end in range(0, len(text), max(1, len(text) // 60)):
        try:
            parse(text[:end])
        except ParseError as error:
            assert str(error)


@settings(deadline=None)
@given(st.data())
def test_mutated_is_health_or_parse_error(data: st.DataObject) -> None:
    parse, text = data.draw(st.sampled_from(PARSERS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        words = st.sampled_from(['""', "null", "true", "-1", "1e999", "[]", "{}", "NaN", "9" * 5000, ",", "."])
        text = text[:start] + data.draw(words) + text[start + data.draw(st.integers(0, 30)) :]
    try:
        parse(text)
    except ParseError as error:
        assert str(error)


# --- asking --------------------------------------------------------------------------------------------


def _program(folder: Path, name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_what_has_no_health_says_so() -> None:
    said = health.of(_drive(kind="emulated", name="loop0"))
    assert said.passed is None and "no health of its own" in str(said.notes[0])


def test_without_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "find", lambda _program: None)
    drives = [_drive(), _drive(name="fioa", kind="PCIe flash")]
    said = health.of_all(drives)
    assert "smartctl is not installed" in str(said["sda"].notes[0])
    assert "fio-status is not installed" in str(said["fioa"].notes[0])


@pytest.mark.parametrize("says", ["", "rubbish", "{}", '{"smart_status": 3}', "[1]"])
def test_rubbish_is_a_note_and_never_passed(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "smartctl", says, monkeypatch)
    _program(tmp_path, "fio-status", says, monkeypatch)
    for name, kind in (("sda", "SAS disk"), ("fioa", "PCIe flash")):
        said = health.of(_drive(name=name, kind=kind))
        assert said.passed is None and said.notes


def test_an_iodrive_is_asked_by_its_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "fio-status", STATUS["status-3.json"], monkeypatch)
    assert health.of(_drive(name="fioa", kind="PCIe flash")).reserve_share == pytest.approx(0.985)
    other = health.of(_drive(name="fiob", kind="PCIe flash"))
    assert other.passed is None


def test_the_link_is_read_from_the_nearest_pci_device(tmp_path: Path) -> None:
    for name, text in (("current_link_width", "4"), ("max_link_width", "8"), ("current_link_speed", "2.5 GT/s PCIe")):
        (tmp_path / name).write_text(f"{text}\n")
    assert link.link_of([tmp_path / "none", tmp_path]) == link.Link(4, 8, 2.5, None)
    (tmp_path / "current_link_width").write_text("0\n")
    assert link.link_of([tmp_path]) is None


# --- prometheus ----------------------------------------------------------------------------------------


def _metrics() -> str:
    mount = MountedFs('/mnt/a "b"\\c', "ext4", "rw", 100, 60, 30)
    drives = [_drive(mounts=(mount,), model="x"), _drive(name="fioa", number="9:0", kind="PCIe flash")]
    return prometheus.render(drives, {"sda": smartctl.parse(SMART["sas"]), "fioa": Health()})


def test_what_is_not_known_has_no_line() -> None:
    lines = _metrics().splitlines()
    assert 'iobench_drive_media_errors_total{device="sda"} 536.0' in lines
    assert (
        'iobench_filesystem_reserved_bytes{device="sda",mountpoint="/mnt/a \\"b\\"\\\\c",fstype="ext4"} 10.0' in lines
    )
    assert not [line for line in lines if "fioa" in line and "temperature" in line]


def test_promtool_takes_the_metrics(tmp_path: Path) -> None:
    if proc.find("promtool") is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    (tmp_path / "in").write_text(_metrics())
    with (tmp_path / "in").open() as file:
        import subprocess

        done = subprocess.run(["promtool", "check", "metrics"], stdin=file, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_json_of_health_is_json() -> None:
    json.dumps({name: smartctl.parse(text).notes for name, text in SMART.items()})
