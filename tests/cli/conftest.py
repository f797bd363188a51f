"""The command line in this process, in an empty folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from saying import Said, Say

from iobench.cli import main


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `iobench` with these words; campaigns are in tmp_path/results."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("IOBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("IOBENCH_LAB_STATE", str(tmp_path / "lab"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*argv: str) -> Said:
        capsys.readouterr()
        code = main.run(argv)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return run
