"""Extents: written, allocated but never written, and holes, each told from the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iobench.drives.extents import unwritten_bytes

MIB = 1 << 20


@pytest.fixture
def fd(make_loop: Callable[..., Any], tmp_path: Path) -> Iterator[int]:
    loop = make_loop()
    loop.ext4()
    loop.mount(tmp_path / "m")
    file = os.open(tmp_path / "m/f", os.O_RDWR | os.O_CREAT)
    yield file
    os.close(file)


pytestmark = pytest.mark.root


def test_a_written_file_has_none_even_before_it_is_flushed(fd: int) -> None:
    os.write(fd, os.urandom(4 * MIB))
    assert unwritten_bytes(fd) == 0


def test_fallocated_is_unwritten_until_it_is_written(fd: int) -> None:
    os.posix_fallocate(fd, 0, 4 * MIB)
    assert unwritten_bytes(fd) == 4 * MIB
    os.pwrite(fd, os.urandom(MIB), MIB)
    assert unwritten_bytes(fd) == 3 * MIB
    for at in (0, 2, 3):
        os.pwrite(fd, os.urandom(MIB), at * MIB)
    assert unwritten_bytes(fd) == 0


def test_holes_count(fd: int) -> None:
    os.ftruncate(fd, 8 * MIB)
    assert unwritten_bytes(fd) == 8 * MIB
    os.pwrite(fd, os.urandom(MIB), 4 * MIB)
    assert unwritten_bytes(fd) == 7 * MIB


def test_more_extents_than_one_question_gets(fd: int) -> None:
    for block in range(0, 1400, 2):
        os.pwrite(fd, os.urandom(4096), block * 4096)
    os.ftruncate(fd, 1400 * 4096)
    assert unwritten_bytes(fd) == 700 * 4096


def test_an_empty_file_and_a_last_block_that_is_not_full(fd: int) -> None:
    assert unwritten_bytes(fd) == 0
    os.write(fd, b"x" * 5001)
    assert unwritten_bytes(fd) == 0


def test_preallocated_past_the_end_is_not_part_of_the_file(fd: int) -> None:
    os.write(fd, os.urandom(MIB))
    os.posix_fallocate(fd, 0, 4 * MIB)
    os.ftruncate(fd, MIB)
    assert unwritten_bytes(fd) == 0


def test_where_it_cannot_be_told() -> None:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        pytest.skip("needs /dev/shm")
    file = os.open(folder, os.O_TMPFILE | os.O_RDWR)
    os.write(file, b"x" * 4096)
    assert unwritten_bytes(file) is None
    os.close(file)
    read, write = os.pipe()
    assert unwritten_bytes(read) is None
    os.close(read)
    os.close(write)
