"""The kernel's log: lines about one device, since we looked last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iobench.drives.kernel_log import KernelLog


@pytest.fixture
def log() -> KernelLog:
    if os.geteuid() != 0 or not os.access("/dev/kmsg", os.R_OK | os.W_OK):
        pytest.skip("needs root to write into the kernel's log")
    return KernelLog()


def _say(text: str) -> None:
    with open("/dev/kmsg", "w") as file:
        file.write(f"{text}\n")  # one without a newline may be gone on with, and is not given out yet


def test_only_what_names_the_device_since_the_last_look(log: KernelLog) -> None:
    with log:
        _say("an earlier error, dev iotest7")
        log.skip()
        _say("I/O error, dev iotest7, sector 8")
        _say("I/O error, dev iotest77, sector 9")
        _say("EXT4-fs error (device iotest7p1): remounting read-only")
        assert log.about("iotest7") == [
            "I/O error, dev iotest7, sector 8",
            "EXT4-fs error (device iotest7p1): remounting read-only",
        ]
        assert log.about("iotest7") == []


def test_without_the_right_to_read_it_holds_nothing(tmp_path: Path) -> None:
    with KernelLog(str(tmp_path / "missing")) as nothing:
        nothing.skip()
        assert nothing.about("sda") == []
