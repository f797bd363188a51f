"""What a suite does where a program is not installed: it is left out and told, and alone it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from iobench import proc, servers
from iobench.campaign import assemble, host, programs
from iobench.campaign.plan import Request, Suite
from iobench.errors import CannotRunError, UsageError
from iobench.model import Target

FAMILIES = ("dd", "dbench", "oltp")
VERSIONS = {"fio": "fio-3.33", "dbench": "dbench version 4.00"}


def _suite(*families: str) -> Suite:
    size = {"dd": {"size": "1Mi"}, "oltp": {"size": "8Mi", "threads": [1]}, "dbench": {"clients": [1]}}
    return Suite("mine", "Mine", 1, tuple(Request(name, size.get(name, {}), name) for name in families))


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make programs look as if they were not installed; the others as if they were."""

    def hide(*names: str) -> None:
        def find(program: str) -> str | None:
            return None if program in names else f"/usr/bin/{program}"

        def tools(asked):  # type: ignore[no-untyped-def]
            for name in asked:
                if name in names:
                    raise CannotRunError(f"{name} is not installed; `iobench doctor` shows what installs it")
            return {name: VERSIONS.get(name, name) for name in asked}

        monkeypatch.setattr(proc, "find", find)
        monkeypatch.setattr(host, "tools", tools)
        monkeypatch.setattr(host, "engine", lambda: "libaio")

    return hide


def _assembled(suite: Suite, folder: Path) -> assemble.Assembled:
    return assemble.assemble(suite, [Target("one", str(folder))], {}, 1, ())


def test_a_suite_goes_on_without_a_workload_whose_program_is_not_installed(without, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    without("dbench")
    assembled = _assembled(_suite("dd", "dbench"), tmp_path)
    assert {step.work.runner for step in assembled.campaign.steps} == {"dd"}
    (warning,) = assembled.warnings
    assert warning == "dbench is not installed, so dbench is left out; `iobench doctor` shows what installs it"
    assert warning in map(str, assembled.campaign.notes)


def test_and_without_one_whose_private_server_is_not(without, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    without(*servers.module("mariadb").TOOLS)
    assembled = _assembled(_suite("dd", "oltp"), tmp_path)
    assert {step.work.runner for step in assembled.campaign.steps} == {"dd"}
    assert any("so oltp is left out" in warning for warning in assembled.warnings)


def test_alone_it_is_refused_and_nothing_goes_without_fio(without, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    without("dbench")
    with pytest.raises(CannotRunError, match="dbench is not installed"):
        _assembled(_suite("dbench"), tmp_path)
    without("fio")
    with pytest.raises(CannotRunError, match="fio is not installed"):
        _assembled(_suite("dd", "dbench"), tmp_path)


def test_with_all_of_them_nothing_is_left_out(without, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    without()
    assembled = _assembled(_suite(*FAMILIES), tmp_path)
    assert {step.work.runner for step in assembled.campaign.steps} == set(FAMILIES)
    assert not [warning for warning in assembled.warnings if "left out" in warning]


def test_a_path_that_was_given_has_to_lead_to_a_program() -> None:
    with pytest.raises(UsageError, match="--dbench: there is no program '/nowhere/dbench'"):
        programs.of_all([("dbench", {"dbench": "/nowhere/dbench"})])
