"""docs/architecture.md tells the truth: each file that it names is there, and the two largest rooms are told whole."""

import re
from pathlib import Path

import pytest

import iobench

ROOT = Path(iobench.__file__).parent
TEXT = (ROOT.parent / "docs/architecture.md").read_text(encoding="utf-8")


def test_each_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", TEXT))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).is_file() and not (ROOT.parent / path).is_file()] == []


@pytest.mark.parametrize("room", ["campaign", "report"])
def test_each_module_of_a_large_room_has_its_place_in_the_table(room: str) -> None:
    table = TEXT.split(f"| in `{room}/` |")[1].split("\n\n")[0]
    modules = {path.name for path in (ROOT / room).glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", table)) == modules
