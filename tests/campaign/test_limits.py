"""Limits for a machine in service: what a plan may do, and what stops it while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored import Measured, make_campaign

from iobench.campaign import journal, limits, spending
from iobench.campaign.limits import Guard, LimitReached, Limits
from iobench.campaign.needs import Estimate
from iobench.drives.temperature import temperature_c
from iobench.errors import CannotRunError, UsageError
from iobench.model import Device, Passport, Target

GB = 10**9
PASSPORT = Passport(Target("a", "/mnt/a"), Device("sda", 8, 0), free_bytes=50 * GB, total_bytes=100 * GB)


def _estimate(written: int) -> Estimate:
    return Estimate(1.0, {"a": written}, {}, {}, {}, {}, {})


@pytest.fixture
def sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file in which the kernel tells the drive's temperature, in thousandths of a degree."""
    path = tmp_path / "class/block/sda/device/hwmon/hwmon3/temp1_input"
    path.parent.mkdir(parents=True)
    path.write_text("45000\n")
    monkeypatch.setattr(limits, "temperature_c", lambda device: temperature_c(device, tmp_path))
    monkeypatch.setattr(limits, "LOOK_EVERY_S", 0.0)
    yield path


def test_a_drive_that_gets_too_hot_stops_the_campaign(sensor: Path) -> None:
    hot = Limits(max_temp_c=60)
    limits.check(hot, {"a": PASSPORT}, 0, _estimate(0), {})
    guard = Guard(hot, PASSPORT, 0)
    guard.look(0)
    sensor.write_text("60000\n")
    guard.look(0)  # at the limit is not beyond it
    sensor.write_text("61000\n")
    with pytest.raises(LimitReached, match="61 °C, and --max-temp is 60"):
        guard.look(0)
    sensor.unlink()  # a sensor that stops telling says nothing of heat
    guard.look(0)
    with pytest.raises(CannotRunError, match="no temperature"):
        limits.check(hot, {"a": PASSPORT}, 0, _estimate(0), {})


def test_a_drive_that_others_fill_stops_the_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOK_EVERY_S", 0.0)
    share = Guard(Limits(min_free=0.1), PASSPORT, 0)
    absolute = Guard(Limits(20e6, min_free_is_share=False), PASSPORT, 0)
    for guard in (share, absolute):
        guard.look(0, None)  # not told yet
        guard.look(0, (20_000_000, 200_000_000))  # at the limit is not beyond it
        with pytest.raises(LimitReached, match=r"19\.0 MB are free, and --min-free is 20\.0 MB; stopped"):
            guard.look(0, (19_000_000, 200_000_000))
    Guard(Limits(), PASSPORT, 0).look(0, (0, 200_000_000))


def test_what_was_written_before_an_abort_counts() -> None:
    most = Limits(max_write=10 * GB)
    limits.check(most, {"a": PASSPORT}, 0, _estimate(6 * GB), {"a": 4 * GB, "b": 90 * GB})
    with pytest.raises(CannotRunError, match=r"about 6\.00 GB, 5\.00 GB were written before it was aborted"):
        limits.check(most, {"a": PASSPORT}, 0, _estimate(6 * GB), {"a": 5 * GB})
    guard = Guard(most, PASSPORT, 4 * GB)
    guard.look(6 * GB)
    with pytest.raises(LimitReached, match=r"--max-write is 10\.0 GB"):
        Guard(most, PASSPORT, 4 * GB).look(6 * GB + 1)


@pytest.mark.parametrize(
    ("text", "fits"), [("10%", True), ("30%", True), ("31%", False), ("30G", True), ("31G", False)]
)
def test_room_that_has_to_stay_is_a_share_or_bytes(text: str, fits: bool) -> None:
    asked = limits.read(text, None, None, False)
    if fits:
        limits.check(asked, {"a": PASSPORT}, 20 * GB, _estimate(0), {})
    else:
        with pytest.raises(CannotRunError, match="less than --min-free"):
            limits.check(asked, {"a": PASSPORT}, 20 * GB, _estimate(0), {})


@pytest.mark.parametrize("text", ["100%", "-1%", "x%", "ten"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        limits.read(text, None, None, False)


def test_what_a_killed_run_noted_bounds_what_is_counted_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_campaign(tmp_path, Measured("a", {"throughput": [1e8]}))  # reads: its programs write nothing
    plan, at = folder.campaign(), {"at": "2025-01-01T00:00:00+00:00"}
    opened = {"boot": "x", "device": "8:0", "written": 1000}
    lines = [{"event": "began"}, {"event": "opened", "target": "a", **opened}, {"event": "started", "step": "s0-1"}]
    lines[-1]["written"] = {"a": 30}
    (folder.path / journal.NAME).write_text("".join(json.dumps({**at, **line}) + "\n" for line in lines))
    monkeypatch.setattr(spending, "_since", lambda marked, passport: 10**12)  # others wrote a terabyte since

    def told(**noted: object) -> spending.Unsaid:
        (folder.path / spending.NOTED).write_text(json.dumps({"a": {**opened, "peak": 0, **noted}}))
        return spending.unsaid(plan, folder.path)["a"]

    assert (told(written=1500).bytes, told(written=1500).after) == (470, 0)
    assert spending.spent(plan, folder.path) == {"a": 500}
    # Of a run before, of another boot or device, or spoilt: all that the counter has, as without it.
    for wrong in ({"written": 999}, {"boot": "y"}, {"device": "8:16"}, {"written": "1"}, {"peak": None}):
        assert told(**{"written": 1500, **wrong}).bytes == 10**12 - 30
    monkeypatch.setattr(spending, "_since", lambda marked, passport: None)  # after a reboot: what is noted holds
    assert told(written=1500).bytes == 470 and not told(written=1500).counted
