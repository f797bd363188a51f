"""Help, versions, completion and the looking-around commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from saying import COMMANDS, Say
from stored import Measured

from iobench import __version__, proc
from iobench.cli.main import iobench
from iobench.results import CampaignFolder


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(path: str, flag: str, say: Say) -> None:
    said = say(*path.split()[1:], flag)
    assert said.code == 0 and said.err == ""
    assert said.out.startswith(f"Usage: {path} ")
    described = said.out.split("\n\n")[1].strip()
    assert len(described) > 10
    for option in COMMANDS[path].params:
        assert option.opts[-1] in said.out or option.human_readable_name.upper() in said.out.upper()


def test_the_commands_are_listed_in_the_order_of_use(say: Say) -> None:
    out = say("--help").out
    names = [path.split()[1] for path in COMMANDS if path.count(" ") == 1]
    places = [out.index(f"\n  {name} ") for name in names]
    assert places == sorted(places)


def test_the_help_imports_nothing_heavy() -> None:
    code = "import sys; from iobench.cli.main import run; run(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for module in ("pandas", "pyarrow", "numpy", "matplotlib", "rich", "iobench.campaign", "iobench.runners"):
        assert f"'{module}'" not in said.stderr


def test_version_names_the_programs_it_drives(say: Say) -> None:
    said = say("--version")
    assert said.code == 0
    first, *others = said.out.splitlines()
    assert first == f"iobench {__version__}, Python {sys.version.split()[0]}"
    versions = dict(line.split(": ") for line in others)
    assert {"fio", "dd", "lsblk"} <= set(versions)
    assert (versions["fio"] == "missing") is (proc.find("fio") is None)


def test_doctor(say: Say) -> None:
    said = say("doctor")
    document = say("doctor", "--json").json
    assert said.code == (0 if document["ready"] else 3)
    assert document["schema_version"] == 1
    for each in document["programs"]:
        assert each["name"] in said.out
        assert each["ok"] or document["install"]
    assert "THIS MACHINE" in said.out and "\x1b" not in said.out


def test_targets(say: Say) -> None:
    said = say("targets")
    document = say("targets", "--json").json
    assert said.code == 0 and document["schema_version"] == 1
    for drive in document["targets"]:
        assert drive["name"] in said.out and drive["size"] > 0 and drive["id"]


@pytest.mark.parametrize(
    ("words", "incomplete", "wanted"),
    [
        ([], "re", {"resume", "report"}),
        (["run"], "", {"seq", "rand", "dd"}),
        (["suite"], "q", {"quick"}),
        (["suite"], "", {"quick", "deck"}),
        (["show"], "2025", {"20250101-000000"}),
        (["resume"], "l", {"latest"}),
        (["run", "rand"], "--lo", {"--loads", "--log-file"}),
    ],
)
def test_completion(
    words: list[str],
    incomplete: str,
    wanted: set[str],
    make_campaign: Callable[..., CampaignFolder],
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_campaign(Measured("one", {"throughput": [1.0]}))
    monkeypatch.setenv("_IOBENCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["iobench", *words, incomplete]))
    monkeypatch.setenv("COMP_CWORD", str(len(words) + 1))
    said = say()
    assert said.code == 0
    assert {line.partition(",")[2] for line in said.out.splitlines()} >= wanted


def test_the_completion_script(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_IOBENCH_COMPLETE", "zsh_source")
    assert "#compdef iobench" in say().out


def test_a_reader_that_goes_away_is_no_error() -> None:
    argv = [sys.executable, "-m", "iobench.cli.main", "--help"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_the_entry_point_is_the_group_itself() -> None:
    assert iobench.name == "iobench"
    page = Path(__file__).parents[2] / "pyproject.toml"
    assert 'iobench = "iobench.cli.main:main"' in page.read_text()
