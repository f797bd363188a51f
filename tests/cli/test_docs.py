"""Holds docs/commands.md to the commands: whatever exists stands there, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from saying import COMMANDS

from iobench import runners
from iobench.errors import EXIT_UNDECIDED
from iobench.profiles import names

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
SHARED = "Options of run, suite and resume"
MEASURING = re.compile(r"iobench (run \w+|suite|resume|capacity)")


def _sections() -> dict[str, str]:
    """The page's text under each heading, without that of the headings below it."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _options(command: click.Command) -> set[str]:
    return {flag for p in command.params if isinstance(p, click.Option) for flag in (*p.opts, *p.secondary_opts)}


def _documented(text: str) -> set[str]:
    """The options of the text's tables, each in the first column."""
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `-")]
    return {flag for cell in cells for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cell)}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != "iobench"])
def test_every_command_has_a_section_with_all_its_options(path: str) -> None:
    sections = _sections()
    assert path in sections
    said = _documented(sections[path])
    if MEASURING.fullmatch(path):
        shared = _documented(sections[SHARED])
        assert not said & shared, "an option stands twice"
        said |= shared & _options(COMMANDS[path])
    assert said == _options(COMMANDS[path]) - {"--help", "-h"}


def test_the_shared_options_are_those_of_the_measuring_commands() -> None:
    shared = _documented(_sections()[SHARED])
    for path in ("iobench run seq", "iobench suite"):
        assert shared <= _options(COMMANDS[path])
    assert shared - _options(COMMANDS["iobench resume"]) == {
        *("-t", "--target", "--repeats", "--duration", "--size", "--dry-run"),
        *("--min-free", "--max-temp", "--max-write", "--max-rate", "--idle"),
    }


def test_the_examples_name_what_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    examples = re.findall(r"^    iobench (.+)$", text, re.MULTILINE)
    assert len(examples) >= len(COMMANDS) - 3
    for example in examples:
        words = example.split()
        path = "iobench " + (" ".join(words[:2]) if words[0] in ("run", "lab") else words[0])
        flags = {word for word in words if word.startswith("-")}
        assert path in COMMANDS and flags <= _options(COMMANDS[path]), example
    for name in names("suites"):
        assert f"`{name}`" in text
    for name in runners.registry():
        assert (PAGE.parent / f"{name}.md").is_file()


def test_the_links_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in _sections()}
    for link in re.findall(r"\]\(([^)]+)\)", text):
        page, _, anchor = link.partition("#")
        assert not page or (PAGE.parent / page).is_file(), link
        assert page or anchor in anchors, link


def test_every_exit_code_of_the_commands_is_told() -> None:
    text = PAGE.read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert codes == {0, 1, 2, 3, 4, EXIT_UNDECIDED, 130}


def test_every_variable_that_is_read_is_told() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sources = "".join(path.read_text() for path in (PAGE.parents[1] / "iobench" / "cli").glob("*.py"))
    for name in set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', sources)):
        assert f"`{name}`" in text
