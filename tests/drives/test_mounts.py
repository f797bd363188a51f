"""mountinfo: escapes, hidden mounts, rubbish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iobench.drives.mounts import longest_match, mount_of, mounts, parse_mountinfo
from iobench.errors import ParseError

TEXT = (
    b"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    b"27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n"
    b"60 27 259:0 / /mnt/drive\\040one\\134 rw,relatime - ext4 /dev/loop3p1 rw\n"
    b"61 27 8:1 / /mnt/drive rw - ext4 /dev/sda1 rw\n"
)


def test_fields_and_escapes() -> None:
    table = {mount.mount_point: mount for mount in parse_mountinfo(TEXT)}
    assert table["/"].options == "rw,relatime,discard"
    assert table["/"].source == "/dev/vda"
    assert table["/mnt/drive one\\"].number == "259:0"


def test_longest_match_is_by_folder_and_not_by_letters() -> None:
    table = parse_mountinfo(TEXT)
    found = [longest_match(path, table) for path in ("/mnt/drive/x", "/mnt/drive2", "/mnt/drive")]
    assert [mount and mount.number for mount in found] == ["8:1", "254:0", "8:1"]


def test_this_machine() -> None:
    found = mount_of("/proc/self", mounts())
    assert found is not None
    assert found.filesystem == "proc"


@pytest.mark.root
def test_a_hidden_mount_is_not_mistaken(make_loop: Callable[..., Any], tmp_path: Path) -> None:
    low, high = make_loop(), make_loop()
    for each in (low, high):
        each.ext4()
    (tmp_path / "m").mkdir()
    (tmp_path / "m/inner").mkdir()
    low.mount(tmp_path / "m/inner")
    high.mount(tmp_path / "m")  # hides what is mounted at m/inner
    (tmp_path / "m/inner").mkdir()
    found = mount_of(str(tmp_path / "m/inner"), mounts())
    assert found is not None
    assert found.source == high.path


@given(st.integers(0, len(TEXT)), st.integers(0, 30), st.binary(max_size=10))
def test_mutated_gives_mounts_or_parse_error(start: int, length: int, insert: bytes) -> None:
    try:
        parse_mountinfo(TEXT[:start] + insert + TEXT[start + length :])
    except ParseError as error:
        assert "mountinfo" in str(error)


def test_truncated() -> None:
    with pytest.raises(ParseError):
        parse_mountinfo(TEXT[: len(TEXT) - 30])
