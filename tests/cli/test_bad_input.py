"""What was typed wrong, or stands wrong in a profile: exit code 2, the nearest name, and nothing done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from saying import Say
from stored import Measured, make_campaign

from iobench import runners
from iobench.campaign import host
from iobench.cli.main import iobench, run
from iobench.errors import CannotRunError, UsageError
from iobench.results import Store

EVIL = "a b;$(touch X)`touch X`\n|touch X&'\""
SUITE = '[suite]\ntitle = "mine"\nrounds = 3\n[[workload]]\nrun = "seq"\nops = ["read"]\nsize = "8Mi"\n'


@pytest.fixture(autouse=True)
def _fio_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is judged the same with and without fio, and faster without."""
    monkeypatch.setattr(host, "tools", lambda names: dict.fromkeys(names, "dbench version 4.00"))
    monkeypatch.setattr(host, "engine", lambda: "libaio")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["suit"], "unknown command 'suit'; did you mean 'suite'?"),
        (["rand"], "unknown command 'rand'; did you mean 'run'?"),
        (["xyzzy"], "unknown command 'xyzzy'; known: doctor, targets, run"),
        (["run", "sek"], "unknown workload 'sek'; did you mean 'seq'?"),
        (["run", "fio"], "unknown workload 'fio'; known: seq, rand, dd"),
        (["run", "seq", "--dephth", "3"], "Did you mean '--depth'?"),
        (["suite", "quik"], "unknown profile 'quik'; did you mean 'quick'?"),
        (["suite", "mine.toml"], "there is no profile file 'mine.toml'"),
        (["suite"], "a profile is needed: deck, quick, or a path to one"),
        (["explain", "page-cash"], "did you mean 'page-cache'?"),
        (["run", "seq", "-t", "/tmp"], "'/tmp' is not a name and a path; write -t NAME=PATH"),
        (["run", "seq", "-t", "x="], "has no path after the '='"),
        (["run", "seq", "-t", "=x"], "cannot name a target"),
        (["run", "seq", "-t", "a/b=x"], "holds a '/'"),
        (["run", "seq", "-t", "a\x1b[31mb=x"], "holds a control or invisible character"),
        (["run", "seq", "-t", "\udce9\udc80\udc9f=x"], "'速' cannot be read in this locale, which is not UTF-8"),
        (["run", "seq", "-t", "one=.", "--baseline", "two"], "--baseline 'two' is no target here"),
        (["run", "seq", "--repeats", "0"], "0 is not in the range"),
        (["lab", "up", "sass"], "did you mean 'sas'?"),
        (["compare", "--resolution", "much"], "is not a share"),
    ],
    ids=" ".join,
)
def test_an_unknown_word_is_told_with_the_nearest(words: list[str], sentence: str, say: Say, tmp_path: Path) -> None:
    said = say(*words)
    assert said.code == 2 and said.out == ""
    assert sentence in said.err and "Traceback" not in said.err and "\x1b" not in said.err
    _nothing_done(tmp_path)


def _nothing_done(tmp_path: Path) -> None:
    assert not (tmp_path / "results").exists() and not list((tmp_path / "home").glob(".iobench*"))
    assert not list(tmp_path.rglob("X"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seq", "--duration", "3parsecs"], "'3parsecs' has no known unit of time; write it as 10s"),
        (["seq", "--duration=-3s"], "duration: '-3s' is not a time"),
        (["seq", "--duration", "0"], "duration: '0' is too small; the least is 0.1"),
        (["dd", "--duration", "3parsecs"], "--duration: '3parsecs' has no known unit of time"),
        (["seq", "--size", "3Q"], "'3Q' has no known unit of size; write it as 512M, 4G (10^9) or 4Gi (2^30)"),
        (["seq", "--size", "1000"], "size 1000 is too small; the least is 4096 bytes"),
        (["seq", "--size", "500k"], "has no block of 1048576 bytes for each of 1 job(s)"),
        (["rand", "--size", "16k", "--jobs", "8", "--loads", "8"], "has no block of 4096 bytes for each of 8 job(s)"),
        (["dd", "--size", "8k"], "less than one block of 1048576 bytes"),
        (["seq", "--ops", "raed"], "ops: unknown value 'raed'; did you mean 'read'?"),
        (["seq", "--ops", "read,read"], "names a value twice"),
        (["seq", "--ops", ""], "the list is empty"),
        (["seq", "--engine", "iouring"], "did you mean 'io_uring'?"),
        (["seq", "--depth", "0"], "depth: '0' is too small; the least is 1"),
        (["seq", "--depth", "1.5"], "'1.5' is not a whole number"),
        (["seq", "--depth", "٣"], "is not a whole number"),
        (["seq", "--block-size", "100"], "block_size: '100' is too small; the least is 512"),
        (["seq", "--block-size", "1000", "--size", "8Mi"], "block_size 1000 is no multiple of"),
        (["rand", "--loads", "1,3", "--jobs", "2"], "load 1 cannot be shared by 2 jobs"),
        (["rand", "--read-share", "101"], "is more than 100 percent"),
        (["dd", "--flush", "sync"], "unknown value 'sync'; did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_told(words: list[str], sentence: str, say: Say, tmp_path: Path) -> None:
    said = say("run", *words, "-t", "one=.")
    assert said.code == 2 and sentence in said.err and said.out == ""
    _nothing_done(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('run = "seq"', 'run = "sek"', "unknown workload 'sek'; did you mean 'seq'?"),
        ('run = "seq"', "", 'a [[workload]] has no `run = "…"`'),
        ("rounds", "rouns", "unknown key 'rouns'; did you mean 'rounds'?"),
        ("rounds = 3", "rounds = 0", "rounds is 0; it is a whole number from 1 to 1000"),
        ("rounds = 3", f"rounds = 1{'0' * 30}", "it is a whole number from 1 to 1000"),
        ("[suite]", "[suit]", "unknown key 'suit'; did you mean 'suite'?"),
        ("ops =", "opps =", "unknown parameter 'opps'; did you mean 'ops'?"),
        ('ops = ["read"]', 'ops = "raed"', "unknown value 'raed'; did you mean 'read'?"),
        ('"8Mi"', '"8Mo"', "'8Mo' has no known unit of size"),
        ('"8Mi"', "true", "size: True is not a size"),
        ('title = "mine"', 'title = "mine', "mine.toml is not a TOML file that can be read"),
        ("[[workload]]", "[workload]", "it names no [[workload]]"),
    ],
    ids=lambda value: value or "nothing",
)
def test_a_wrong_profile_is_told_with_its_place(old: str, new: str, sentence: str, say: Say, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    assert old in SUITE
    (tmp_path / "home" / "mine.toml").write_text(SUITE.replace(old, new))
    said = say("suite", "mine.toml", "-t", "one=.")
    assert said.code == 2 and "mine.toml" in said.err and sentence in said.err
    _nothing_done(tmp_path)


def _text_options() -> Iterator[tuple[str, str]]:
    group = iobench.get_command(click.Context(iobench), "run")
    assert isinstance(group, click.Group)
    for name in runners.registry():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                yield name, option.opts[-1]


@pytest.mark.parametrize(("workload", "option"), list(_text_options()))
def test_no_parameter_reaches_a_shell(workload: str, option: str, say: Say, tmp_path: Path) -> None:
    said = say("run", workload, "-t", "one=.", "--size", "8Mi", "--dry-run", option, EVIL)
    # A log file and a results folder may be called that, and a device's ID is not looked at in a dry run.
    free = option in ("--log-file", "--results", "--destroy-data")
    assert said.code == (0 if free else 2), said.err
    assert "Traceback" not in said.err
    _nothing_done(tmp_path)


HOSTILE = ("", "x" * 5000, "a\x1b[31mb\udcff", "nan", "..", "/dev/full", "fifo")
DRY = ("-t", "one=.", "--size", "8Mi", "--dry-run")
# What else each command needs to get as far as its options.
NEEDED = {
    **{"run seq": DRY, "run kvs": DRY, "suite": ("quick", *DRY), "validate": ("sas-raid", *DRY), "capacity": DRY},
    **dict.fromkeys(("list", "show", "export", "compare"), ()),
    **{"explain": ("page-cache",), "import": ("fifo",), "report": ("--format", "csv", "-o", "out")},
    **{"resume": (), "rm": ("none", "--yes"), "lab list": (), "lab down": ("none",)},
}


@pytest.mark.parametrize("words", NEEDED)
def test_every_option_takes_hostile_values_with_a_sentence(words: str, say: Say, tmp_path: Path) -> None:
    make_campaign(tmp_path / "results", Measured("sas", {"throughput": [1e8, 1.1e8]}))
    os.mkfifo(tmp_path / "home" / "fifo")
    reader = os.open(tmp_path / "home" / "fifo", os.O_RDWR)  # an export into a pipe waits for one
    command: click.Command = iobench
    for word in words.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)  # type: ignore[assignment]
    for option in command.params:
        if not isinstance(option, click.Option) or option.is_flag:
            continue
        for value in HOSTILE:
            name = option.opts[-1]
            said = say(*words.split(), *NEEDED[words], *((name, value) if name[:2] != "--" else (f"{name}={value}",)))
            case = f"{words} {name} {value[:20]!r}: {said.err[:500]}"
            assert said.code in (0, 2, 3, 4), case
            assert "should not have happened" not in said.err and "Traceback" not in said.err, case
            assert "\x1b" not in said.err and len(said.err) < 4000, case
            assert said.code == 0 or said.err.strip(), case
    os.close(reader)
    assert len(Store(tmp_path / "results").ids()) == 1, "nothing was measured"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "seq", "--max-temp", "nan", *DRY], "--max-temp: nan is no temperature"),
        (["run", "seq", "--max-write", "", *DRY], "--max-write: '' is not a size"),
        (["run", "seq", "--min-free", "3x", *DRY], "--min-free: '3x' has no known unit of size"),
        (["run", "seq", "--results", "", *DRY], "it is empty; give a path, or leave the option out"),
        (["run", "kvs", "--memory", "0", *DRY], "the least is 16777216"),
        (["run", "oltp", "--dsn", "https://x/?password=geheim"], "address holds a password"),
        (["validate", "nvme", "--within", "soon", *DRY], "--within: 'soon' is not a time"),
        (["validate", "nvme", "--format", ",", *DRY], "--format names nothing"),
        (["validate", "--learn", "no/such/place", *DRY], "no/such/place.toml cannot be written: no/such is no folder"),
        (["show", "20250101-0"], "2 campaigns in"),
        (["explain", ""], "'' is neither a reason nor a campaign"),
        (["import", "fifo"], "there is no file 'fifo' to import"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_named(words: list[str], sentence: str, say: Say, tmp_path: Path) -> None:
    for number in range(2):
        id = f"20250101-00000{number}"
        make_campaign(tmp_path / "results", Measured("sas", {"throughput": [1e8]}), id=id)
    os.mkfifo(tmp_path / "home" / "fifo")
    said = say(*words)
    assert said.code == 2 and sentence in said.err and said.out == "" and "geheim" not in said.err, said.err


def test_a_dry_run_of_learning_measures_nothing(say: Say, tmp_path: Path) -> None:
    said = say("validate", "--learn", "good", *DRY)
    assert said.code == 0 and "would be written" in said.out, said.err
    assert [path.name for path in (tmp_path / "home").iterdir()] == []
    _nothing_done(tmp_path)


@pytest.mark.parametrize("error", [UsageError("a\x1b[2Jb"), CannotRunError("a\x1b[2Jb")], ids=["usage", "cannot"])
def test_no_escape_code_reaches_the_terminal_by_an_error(
    error: Exception, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> object:
        raise error

    monkeypatch.setattr("iobench.drives.inventory.devices", fail)
    said = say("targets")
    assert said.code in (2, 3) and said.err == "iobench: a[2Jb\n"


def test_what_should_not_happen_is_a_sentence_too(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> object:
        raise RuntimeError("boom")

    monkeypatch.setattr("iobench.drives.inventory.devices", fail)
    said = say("targets")
    assert said.code == 4
    assert said.err == "iobench: this should not have happened: RuntimeError: boom. IOBENCH_DEBUG=1 shows where\n"
    monkeypatch.setenv("IOBENCH_DEBUG", "1")
    with pytest.raises(RuntimeError):
        say("targets")


def test_a_current_folder_that_was_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    try:
        gone.rmdir()
        assert run(["clean"]) == 3
    finally:
        os.chdir(before)
    assert capsys.readouterr().err == "iobench: the current folder was removed; change to another one\n"
