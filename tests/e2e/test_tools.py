"""Tools that are missing, too old, dying, hanging or talking rubbish: a sentence, and what was measured is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from promptness import Promptness
from running import SHORT, Drive, Iobench, Result, finish, journal, programs, wait_for

from iobench import proc

RUN = ("run", "rand", "--ops", "read", "--loads", "1,2", "--size", "4Mi", *SHORT, "-q")

# Everything but the measuring itself is left to the real fio.
FAKE = """#!/bin/sh
case "$*" in
  *--version*) echo {version}; exit 0;;
  *--name=layout*|*--name=probe*) exec {fio} "$@";;
esac
out=$(echo "$*" | sed -n 's/.*--output=\\([^ ]*\\).*/\\1/p')
load=$(echo "$*" | sed -n 's/.*--iodepth=\\([0-9]*\\).*/\\1/p')
[ "$load" = 2 ] && exec {fio} "$@"
{does}
"""


@pytest.fixture
def fake_fio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    real = proc.find("fio")

    def make(does: str, version: str = "fio-3.33") -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "fio").write_text(FAKE.format(version=version, fio=real, does=does))
        (folder / "fio").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return make


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        ('echo "boom: no such device" >&2; exit 7', "fio wrote no result (exit code 7): boom: no such device"),
        ("kill -SEGV $$", "fio wrote no result (exit code -11): it said nothing"),
        ('echo "no JSON at all" > "$out"', "fio.json is not JSON that fio 3 writes: no line begins with {"),
        ('head -c 100000 /dev/urandom > "$out"', "fio.json is not JSON that fio 3 writes"),
        (': > "$out"', "fio.json is not JSON that fio 3 writes"),
        (
            'fio() { REAL "$@"; }; fio "$@"; head -c 3000 "$out" > "$out.x"; mv "$out.x" "$out"',
            "is not JSON that fio 3",
        ),
    ],
    ids=["dies", "crashes", "no JSON", "binary", "empty", "cut short"],
)
def test_a_failing_tool_costs_its_step_only(
    does: str,
    sentence: str,
    fake_fio: Callable[..., None],
    inside: Callable[..., Result],
    anywhere: Drive,
    iobench: Iobench,
) -> None:
    fake_fio(does.replace("REAL", str(proc.find("fio"))))
    said = inside(*RUN, "-t", f"one={anywhere.path}")
    assert said.code == 4 and said.out == ""
    assert "step 0001-r1-rand-read-1-one gave no number" in said.err and sentence in said.err
    assert "Traceback" not in said.err
    folder = iobench.folder()
    assert folder.finished() == {"0002-r1-rand-read-2-one"}
    assert journal(folder)[-1] == ("ended", "")
    assert (folder.raw("0001-r1-rand-read-1-one") / "command.json").exists()


def test_notices_before_the_json_are_passed_over(
    fake_fio: Callable[..., None], inside: Callable[..., Result], anywhere: Drive, iobench: Iobench
) -> None:
    real = proc.find("fio")
    fake_fio(f'{real} "$@"; (echo "note: both iodepth >= 1"; echo hello; cat "$out") > "$out.x"; mv "$out.x" "$out"')
    said = inside(*RUN, "-t", f"one={anywhere.path}")
    assert said.code == 0, said.err
    assert len(iobench.folder().finished()) == 2


@pytest.mark.parametrize(
    ("version", "sentence"),
    [("fio-2.1.3", "fio-2.1.3 is too old"), ('"Fio the dog 1.0"', "not the flexible I/O tester")],
)
def test_a_wrong_fio_is_refused_before_anything_is_done(
    version: str,
    sentence: str,
    fake_fio: Callable[..., None],
    inside: Callable[..., Result],
    anywhere: Drive,
    iobench: Iobench,
) -> None:
    fake_fio("exit 0", version)
    said = inside(*RUN, "-t", f"one={anywhere.path}")
    assert said.code == 3 and sentence in said.err and "install fio" in said.err
    assert not iobench.results.exists()


def test_a_missing_fio_is_told_with_what_to_do(
    inside: Callable[..., Result],
    anywhere: Drive,
    iobench: Iobench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = proc.find
    monkeypatch.setattr(proc, "find", lambda program: None if program == "fio" else found(program))
    said = inside(*RUN, "-t", f"one={anywhere.path}")
    assert said.code == 3 and "fio is not installed; `iobench doctor` shows what installs it" in said.err
    assert not iobench.results.exists()
    looked = inside("doctor", "--json")
    assert looked.code == 3 and looked.json["ready"] is False and "fio" in looked.json["install"]


def test_a_tool_that_hangs_and_ignores_signals_is_stopped_with_its_children(
    fake_fio: Callable[..., None], iobench: Iobench, anywhere: Drive
) -> None:
    fake_fio('trap "" TERM INT; sleep 997 & (sleep 998 &); sleep 999; sleep 999')
    process = iobench.start(*RUN, "-t", f"one={anywhere.path}", env={"PATH": os.environ["PATH"]})
    folder = iobench.folder_soon()
    wait_for(lambda: len(_sleeping(process.pid)) == 3)
    asked = Promptness()
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert said.code == 130 and asked.within(2.0)
    assert _sleeping(process.pid) == [] and programs(iobench.results) == []
    assert folder.finished() == set() and anywhere.leftovers() == []


def _sleeping(owner: int) -> list[int]:
    """The sleeps of the fake tool, wherever they have hidden: all carry their iobench's mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            argv, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if argv.startswith(b"sleep\x0099") and f"{proc.OWNER_MARK}={owner}:".encode() in environment:
            found.append(int(entry.name))
    return found
