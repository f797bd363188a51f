"""Counters: their fields and units, and that they see the bytes that really reached a device."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.drives.counters import CounterFile, cpu_times, parse_cpu, parse_stat
from iobench.drives.passport import passport
from iobench.errors import CannotRunError, ParseError
from iobench.model import Target

STAT = b"  163656   24 5601762 1000    49858    3 16228479 2000        7    13708   169791  0 0 0 0 12 34\n"


def test_fields() -> None:
    got = parse_stat(STAT, 5.0)
    assert (got.at, got.bytes_read, got.bytes_written, got.busy_s) == (5.0, 5601762 * 512, 16228479 * 512, 13.708)


@given(st.binary(max_size=60), st.integers(0, len(STAT)))
def test_mutated_gives_counters_or_parse_error(insert: bytes, at: int) -> None:
    for parse in (lambda data: parse_stat(data, 0.0), lambda data: parse_cpu(data, 100)):
        try:
            parse(STAT[:at] + insert)
        except ParseError as error:
            assert "cannot be read" in str(error)


def test_cpu_waiting_for_io_is_idle_and_guests_count_once() -> None:
    times = parse_cpu(b"cpu  100 0 50 1000 300 0 10 5 40 0\n", 100)
    assert times.total_s == pytest.approx(14.65)
    assert times.busy_s == pytest.approx(1.65)


def test_cpu_of_this_machine_grows_when_it_works() -> None:
    before, end = cpu_times(), time.monotonic() + 0.2
    while time.monotonic() < end:
        sum(range(1000))
    after = cpu_times()
    assert after.busy_s - before.busy_s >= 0.1
    assert after.total_s - before.total_s >= after.busy_s - before.busy_s - 1e-6


def test_no_such_device() -> None:
    with pytest.raises(CannotRunError, match="999:999"):
        CounterFile("999:999")


@pytest.mark.root
def test_they_count_what_reached_a_device(make_loop: Callable[..., Any]) -> None:
    loop = make_loop()
    device = passport(Target("x", loop.path)).device
    assert device is not None
    with CounterFile(device.number) as counters:
        before = counters.read()
        fd = os.open(loop.path, os.O_WRONLY)
        os.pwrite(fd, os.urandom(3 << 20), 0)
        middle = counters.read()
        os.fsync(fd)
        os.close(fd)
        after = counters.read()
    assert middle.bytes_written == before.bytes_written  # still in the page cache
    assert after.bytes_written - before.bytes_written == 3 << 20
    assert after.bytes_read == before.bytes_read
    assert after.at > before.at
