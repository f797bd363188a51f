"""GNU dd's last line, as dd 9.1 really printed it, cut short and mutated."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench.errors import ParseError
from iobench.tools import dd

FIXTURES = Path(__file__).parent.parent / "fixtures" / "dd-9.1"


def text(name: str) -> str:
    return (FIXTURES / name).read_bytes().decode()


@pytest.mark.parametrize(
    ("name", "copied"),
    [
        ("write.txt", dd.Copied(16777216, 0.0329702)),
        ("read.txt", dd.Copied(16777216, 0.0305434)),
        ("five-bytes.txt", dd.Copied(5, 3.6835e-05)),
        ("one-byte.txt", dd.Copied(1, 3.993e-05)),
        ("short-record.txt", dd.Copied(33554432, 0.0085287)),
        # It was asked twice how far it was: the last line counts.
        ("usr1.txt", dd.Copied(67108864, 0.0770127)),
        ("progress.txt", dd.Copied(576000000, 6.27086)),
    ],
)
def test_a_real_output_to_its_exact_figures(name: str, copied: dd.Copied) -> None:
    assert dd.parse(text(name)) == copied


@pytest.mark.parametrize("name", ["absent.txt", "none.txt"])
def test_no_line_to_read_is_an_error_that_names_the_file(name: str) -> None:
    with pytest.raises(ParseError, match=rf"raw/{name} has no line"):
        dd.parse(text(name), f"raw/{name}")


@pytest.mark.parametrize("name", ["enospc.txt", "nothing.txt"])
def test_nothing_copied_is_no_rate(name: str) -> None:
    with pytest.raises(ParseError, match=r"says 0 bytes in .* s: no rate follows"):
        dd.parse(text(name))


def test_cut_short_before_the_unit_of_time_is_an_error() -> None:
    whole = text("write.txt")
    end = whole.index(" s,") + len(" s")
    for cut in range(end):
        with pytest.raises(ParseError):
            dd.parse(whole[:cut])
    assert dd.parse(whole[:end]).bytes == 16777216


@pytest.mark.parametrize(
    "line",
    [
        "16777216 bytes (17 MB, 16 MiB) copied, 0 s, Infinity B/s",
        "16777216 bytes (17 MB, 16 MiB) copied, 1.2.3 s, 1 B/s",
        "16777216 bytes (17 MB, 16 MiB) copied, 1e999 s, 1 B/s",
        "16777216 octets (17 MB, 16 MiB) copiés, 0,03 s, 509 MB/s",
        "16777216 bytes transferred in 0.03 secs (559240533 bytes/sec)",
        "9" * 30 + " bytes copied, 1 s, 1 B/s",
    ],
)
def test_lines_that_are_no_rate(line: str) -> None:
    with pytest.raises(ParseError):
        dd.parse(line)


@settings(max_examples=2000, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 188), st.integers(0, 30), st.text(max_size=10))
def test_a_mutated_output_gives_a_rate_or_parse_error(at: int, length: int, new: str) -> None:
    whole = text("usr1.txt")
    try:
        copied = dd.parse(whole[:at] + new + whole[at + length :])
    except ParseError:
        return
    assert copied.bytes > 0
    assert 0 < copied.seconds < 1e9


def test_the_command() -> None:
    argv = dd.argv(
        source="/dev/zero", to="made", block_size=4096, count=3, conv=("fdatasync", "notrunc"), oflag=("direct",)
    )
    assert argv == ("dd", "if=/dev/zero", "of=made", "bs=4096", "count=3", "conv=fdatasync,notrunc", "oflag=direct")
