"""Space and wear: what is left, and that nothing is made up where nothing is known."""

from __future__ import annotations

import pytest

from iobench.analysis.space import Space, wear


def test_wear_goes_on_as_it_did() -> None:
    found = wear(used=0.2, written=100e12, power_on_s=1e8, now_written=1e12, now_s=1e6)
    assert found.left_bytes == pytest.approx(400e12)
    assert found.now_rate == pytest.approx(1e6) and found.life_rate == pytest.approx(1e6)
    assert found.left_s == pytest.approx(4e8)


def test_what_is_not_known_is_not_made_up() -> None:
    assert wear(None, 1e12, None, 1e9, 10.0).left_bytes is None
    assert wear(0.0, 1e12, None, 1e9, 10.0).left_bytes is None, "nothing used up yet is no slope"
    assert wear(0.5, 1e12, None, None, 10.0).left_s is None
    assert wear(0.5, 1e12, None, 0.0, 10.0).left_s is None, "nothing written now is not for ever"
    assert wear(1.1, 1e12, None, 1e9, 10.0).left_bytes == 0.0, "past its endurance"


def test_without_a_present_rate_the_one_of_its_life_is_taken() -> None:
    assert wear(0.5, 1e12, 1e6, None, 0.0).left_s == pytest.approx(1e6)


def test_where_a_drives_bytes_are() -> None:
    space = Space(200e9, 160e9, 155e9, 8e9, 50e9, 97e9)
    assert (space.drive_reserve, space.for_data) == (40e9, 147e9)
    bare = Space(None, 160e9, None, None, None, None)
    assert (bare.drive_reserve, bare.for_data) == (None, 160e9)
