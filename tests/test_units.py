"""Sizes, times and rates as people type and read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iobench import units
from iobench.errors import UsageError

quick = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * 10**9),
        ("4Gi", 2**32),
        ("4GiB", 2**32),
        ("4GB", 4 * 10**9),
        ("4g", 4 * 10**9),
        ("512k", 512_000),
        ("4Ki", 4096),
        ("1.5M", 1_500_000),
        ("0.5Gi", 2**29),
        (" 2 T ", 2 * 10**12),
        ("1Pi", 2**50),
        ("1500000", 1_500_000),
        ("17b", 17),
        ("0", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("500ms", 0.5),
        ("250us", 250e-6),
        ("250µs", 250e-6),
        ("2m", 120),
        ("2min", 120),
        ("1h", 3600),
        ("90", 90),
        ("1.5 s", 1.5),
        ("10sec", 10),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds, rel=1e-12)


NONSENSE = [
    "",
    " ",
    "x",
    "-1",
    "+1",
    "1e3",
    "1,5",
    "1..5",
    ".5",
    "5.",
    "nan",
    "inf",
    "0x10",
    "٣",
    "4 G G",
    "a b;$(touch X)",
]


@pytest.mark.parametrize("text", [*NONSENSE, "4X", "4Gib/s", "4bi", "4s", "9" * 60])
def test_what_is_no_size_is_told_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(repr(text))} .*write it as 512M, 4G \(10\^9\) or 4Gi"):
        units.parse_size(text)


@pytest.mark.parametrize("text", [*NONSENSE, "4G", "5days", "10 S S", "9" * 60])
def test_what_is_no_time_is_told_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^{re.escape(repr(text))} .*write it as 10s, 500ms or 2m"):
        units.parse_duration(text)


@quick
@given(st.integers(0, 2**53))
def test_whole_bytes_are_read_back(size: int) -> None:
    assert units.parse_size(str(size)) == size


@quick
@given(st.integers(0, 4096), st.sampled_from(["", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"]))
def test_every_unit_is_a_factor(number: int, unit: str) -> None:
    assert units.parse_size(f"{number}{unit}") == number * units.parse_size(f"1{unit}")


@quick
@given(st.floats(1e-9, 1e15))
def test_what_people_read_is_within_rounding_of_the_value(value: float) -> None:
    number, unit = units.format_bytes(value).replace(",", "").split(" ")
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.00501)


@quick
@given(st.floats(1e-9, 119))
def test_a_time_that_people_read_reads_back(value: float) -> None:
    number, unit = units.format_seconds(value).split(" ")
    scale = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.00501)


@quick
@given(st.floats(100, 9.9e14))
def test_three_significant_digits_and_no_exponent(value: float) -> None:
    text = units.format_bytes(value)
    assert "e" not in text
    digits = re.sub(r"[^0-9]", "", text.split(" ")[0])
    assert len(digits) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1, "1.00 B"),
        (512, "512 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (999_960, "1.00 MB"),
        (268_435_456, "268 MB"),
        (1.5e9, "1.50 GB"),
        (9.996e9, "10.0 GB"),
        (5.6e13, "56.0 TB"),
        (4.2e15, "4,200 TB"),
    ],
)
def test_bytes_that_people_read(value: float, text: str) -> None:
    assert units.format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.4e-8, "24.0 ns"),
        (171e-6, "171 µs"),
        (0.00152, "1.52 ms"),
        (0.9996, "1.00 s"),
        (12, "12.0 s"),
        (119, "119 s"),
        (119.8, "2 min 00 s"),
        (120, "2 min 00 s"),
        (245, "4 min 05 s"),
        (3599.7, "1 h 00 min"),
        (5400, "1 h 30 min"),
        (float("inf"), "inf s"),
    ],
)
def test_times_that_people_read(value: float, text: str) -> None:
    assert units.format_seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.5, "0.5"), (57, "57"), (57.14, "57.1"), (99.96, "100"), (966, "966"), (9_999, "9,999"),
     (9_999.6, "10.0k"), (43_012, "43.0k"), (102_666, "103k"), (999_700, "1.00M"), (1_066_727, "1.07M")],
)  # fmt: skip
def test_counts_that_people_read(value: float, text: str) -> None:
    assert units.format_count(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (5e8, "B/s", "500 MB/s"),
        (772_708_092, "B/s", "773 MB/s"),
        (233_472, "B/s", "0.233 MB/s"),
        (3.4e9, "B/s", "3,400 MB/s"),
        (1.2e10, "B/s", "12.0 GB/s"),
        (0.00152, "s", "1.52 ms"),
        (39_326.67, "1/s", "39.3k/s"),
        (4e9, "B", "4.00 GB"),
        (3, "1", "3"),
    ],
)
def test_values_of_the_results(value: float, unit: str, text: str) -> None:
    assert units.format_value(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"), [(3.41, "3.4×"), (0.97, "0.97×"), (1.005, "1.00×"), (35.84, "35.8×"), (1.999, "2.0×")]
)
def test_ratios_on_a_bar(value: float, text: str) -> None:
    assert units.format_ratio(value) == text
