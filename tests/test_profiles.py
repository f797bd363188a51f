"""Profiles that ship and profiles of users: found, read, and refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from iobench import profiles
from iobench.errors import UsageError


def test_the_shipped_ones_are_found_and_are_toml() -> None:
    assert profiles.names("suites") == ["deck", "quick"]
    assert profiles.names("drives") == ["iodrive", "sas", "ssd"]
    for kind in ("suites", "drives", "claims"):
        for name in profiles.names(kind):
            assert profiles.load(profiles.find(kind, name))


def test_a_kind_that_does_not_ship_has_no_names() -> None:
    assert profiles.names("nothing") == []


def test_a_users_file_is_found_by_its_path(tmp_path: Path) -> None:
    mine = tmp_path / "俺の suite.toml"
    mine.write_text('[suite]\ntitle = "速い"\n', encoding="utf-8")
    assert profiles.find("suites", str(mine)) == mine
    assert profiles.load(mine) == {"suite": {"title": "速い"}}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("quik", r"unknown profile 'quik'; did you mean 'quick'\?"),
        ("zzzz", r"unknown profile 'zzzz'; known: deck, quick"),
        ("", r"unknown profile ''; known: deck, quick"),
        ("../drives/sas", "unknown profile"),
        ("absent.toml", r"there is no profile file 'absent\.toml'"),
    ],
)
def test_an_unknown_one_has_a_near_miss(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        profiles.find("suites", name)


@pytest.mark.parametrize("content", [b"rounds = ", b"[suite\n", b"a = 1\na = 2\n", b"\xff\xfe", b"fio: killed\n"])
def test_what_is_no_toml_is_told_with_its_name(tmp_path: Path, content: bytes) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_bytes(content)
    with pytest.raises(UsageError, match=r"^mine\.toml is not a TOML file that can be read: "):
        profiles.load(mine)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.toml cannot be read: No such file"):
        profiles.load(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"title": "x", "ruonds": 5}, r"^mine, \[suite\]: unknown key 'ruonds'; did you mean 'rounds'\?"),
        ({"zzzz": 5}, "unknown key 'zzzz'; known: title, rounds"),
        (["title"], r"^mine, \[suite\]: \['title'\] is not a table"),
        (None, "None is not a table"),
    ],
)
def test_a_key_that_is_not_known_is_told_with_the_nearest(table: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        profiles.check_keys(table, ("title", "rounds"), "mine, [suite]")


def test_known_keys_come_back_as_they_are() -> None:
    table = {"title": "x"}
    assert profiles.check_keys(table, ("title", "rounds"), "mine") is table
    assert profiles.check_keys({}, (), "mine") == {}
