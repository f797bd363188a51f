"""Drive profiles: every figure has its source or its reason, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from iobench import profiles
from iobench.errors import UsageError
from iobench.lab import custom, default_names, read_profile

GOOD = 'read = { value = 500, source = "the talk" }'


def written(folder: Path, figures: str, head: str = "") -> str:
    path = folder / "mine.toml"
    path.write_text(f"{head}\n[figures]\n{figures}\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", profiles.names("drives"))
def test_every_shipped_figure_has_either_source_or_reason(name: str) -> None:
    profile = read_profile(name)
    assert profile.figures
    for figure in profile.figures.values():
        assert bool(figure.source) != bool(figure.assumed)


def test_the_three_drives_have_the_talks_reading_speeds_in_order() -> None:
    assert default_names() == ["iodrive", "ssd", "sas"]
    assert [read_profile(name).value("read") for name in default_names()] == [500e6, 250e6, 150e6]


def test_sas_has_the_seek_time_of_its_source() -> None:
    sas = read_profile("sas")
    assert sas.value("latency") == pytest.approx(1 / 197, rel=0.02)
    assert sas.value("parallel") == 8


def test_a_file_gives_base_units_and_its_own_name(tmp_path: Path) -> None:
    figures = GOOD + '\nlatency = { value = "500us", assumed = "x" }\nparallel = { value = 4, assumed = "x" }'
    profile = read_profile(written(tmp_path, figures))
    assert (profile.name, profile.value("read"), profile.value("latency")) == ("mine", 500e6, 5e-4)
    assert profile.value("write") is None


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ('reed = { value = 500, source = "x" }', "did you mean 'read'"),
        ('read = { value = 500, sauce = "x" }', "did you mean 'source'"),
        ("read = { value = 500 }", "either a source, or assumed"),
        ('read = { value = 500, source = " " }', "either a source, or assumed"),
        ('read = { value = 500, source = "x", assumed = "y" }', "either a source, or assumed"),
        ("read = 500", "write it as"),
        ('read = { value = "500", source = "x" }', "is a number"),
        ('read = { value = true, source = "x" }', "is a number"),
        ('read = { value = 0, source = "x" }', "not above 0"),
        ('read = { value = nan, source = "x" }', "not above 0"),
        (f'read = {{ value = {"9" * 400}, source = "x" }}', "a number of that length"),
        ('latency = { value = 5, source = "x" }', "with its unit"),
        ('latency = { value = "5 parsec", source = "x" }', "parsec"),
        ('latency = { value = "5ms", source = "x" }', "belong together"),
        ('latency = { value = "5ms", source = "x" }\nparallel = { value = 11, source = "x" }', "1 to 10"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, figures: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_profile(written(tmp_path, figures))
    assert said in str(caught.value)


def test_an_unknown_key_beside_the_figures_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'title'"):
        read_profile(written(tmp_path, GOOD, 'titel = "x"'))


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'iodrive'"):
        read_profile("iodrve")


@pytest.mark.parametrize("name", ["a b", "$(touch X)", "../up", "", "-x", ".x", "x" * 41, "a/b", "a'b"])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a drive's name"):
        custom(name, read=1e6)


def test_a_japanese_name_is_a_name() -> None:
    assert custom("フラッシュ", read=137e6).value("read") == 137e6
