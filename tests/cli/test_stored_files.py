"""Each file of a stored campaign spoilt in each way: every command answers with a sentence, none waits, none harms."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from saying import Say
from stored import Measured, make_campaign

from iobench.campaign import archive, journal
from iobench.errors import ResultsError
from iobench.results import TAKEN_IN, CampaignFolder, Store, write_safely

Spoil = Callable[[Path], object]


def _made(spoil: Callable[[Path], object]) -> Spoil:
    return lambda path: (path.unlink(), spoil(path))


WAYS: dict[str, Spoil] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "of another kind": lambda path: path.write_bytes(b'\xff{"a": '),
    "null": lambda path: path.write_text("null"),
    "a list": lambda path: path.write_text('[{"op": "x", "count": NaN}]'),
    "deep": lambda path: path.write_text("[" * 100_000),
    "gone": lambda path: path.unlink(),
    "a folder": _made(Path.mkdir),
    "a link to nothing": _made(lambda path: path.symlink_to("/nonexistent/x")),
    "a link to itself": _made(lambda path: path.symlink_to(path.name)),
    "a link to zeros": _made(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": _made(lambda path: os.mkfifo(path)),
}
FILES = (
    *("campaign.json", "journal.jsonl", "prepared.json", "drives-before.json", ".written.json"),
    *("packed/samples.parquet", *(f"{table}/s0-1.parquet" for table in ("samples", "series", "evidence", "latency"))),
    *(f"raw/s0-1/{name}" for name in ("command.json", "findings.json", "operations.json", "stdout")),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> CampaignFolder:
    rates = {"throughput": [1e8, 1.1e8, 1.2e8]}
    made = make_campaign(tmp_path_factory.mktemp("whole"), Measured("sas", rates), Measured("ssd", rates))
    raw = made.raw("s0-1")
    (raw / "stdout").write_text("it said this")
    operations = [{"op": "read", "count": 3, "latency_mean": 0.1, "latency_max": 0.2}]
    (raw / "operations.json").write_text(json.dumps(operations))
    at = {"at": "2025-01-01T00:00:00+00:00"}
    lines = [{"event": "began"}, {"event": "opened", "target": "sas", "boot": "x", "device": "8:0", "written": 5}]
    lines += [{"event": "started", "step": "s0-1"}, {"event": "finished", "step": "s0-1", "written": {"sas": 5}}]
    (made.path / "journal.jsonl").write_text("".join(json.dumps({**at, **line}) + "\n" for line in lines))
    mark = {"boot": "x", "device": "8:0", "written": 9}
    prepared = {**mark, "files": [{"name": "data", "size": 4096, "layout": "write"}], "stamps": {"data": [1]}}
    (made.path / "prepared.json").write_text(json.dumps({"sas": prepared}))
    (made.path / ".written.json").write_text(json.dumps({"sas": {**mark, "peak": 1}}))
    (made.path / "drives-before.json").write_text(json.dumps({"sas": {"facts": {}}}))
    made.pack()
    return made


@pytest.fixture
def in_time() -> Iterator[None]:
    """A command that waits for a pipe, or reads zeros for ever, is ended and fails."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it took more than 20 s")

    before = signal.signal(signal.SIGALRM, late)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.usefixtures("in_time")
def test_what_is_spoilt_is_told_by_every_command(file: str, whole: CampaignFolder, say: Say, tmp_path: Path) -> None:
    id, results = whole.id, tmp_path / "results"
    out = str(tmp_path / "out")
    commands = [
        *(["list"], ["show", id], ["compare", id, "--json"], ["explain", id, "s0-1"], ["resume", id]),
        *(["export", id, "-o", f"{out}.tgz"], ["report", id, "--redact", "--format", "csv", "-o", out]),
        *(["validate", "--of", id], ["export", id, "-o", f"{out}.tgz", "--redact"]),
    ]
    for number, (way, spoil) in enumerate(WAYS.items(), FILES.index(file)):
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(whole.path, results / id)
        spoil(results / id / file)
        # All of them took 40 s: each file meets every command, and so does each way.
        for command in (*commands[number % 3 :: 3], ["rm", id, "--yes"]):
            signal.alarm(20)
            said = say(*command)
            case = f"{file} {way}, {command[0]}: {said.code} {said.err[-400:]}"
            assert said.code in (0, 1, 2, 3, 4), case
            assert "should not have happened" not in said.err and "Traceback" not in said.err, case
            assert said.code == 0 or said.err.strip(), case
        signal.alarm(0)
        # Where the plan is still a file the campaign is one, and could be deleted, whatever its files are.
        assert not (results / id).exists() or not (results / id / "campaign.json").is_file(), f"{file} {way}"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda plan: plan.update(schema_version=2), "has schema version 2; this iobench reads version 1"),
        (lambda plan: plan.update(schema_version="1"), "it has the schema version '1', this iobench reads 1"),
        (lambda plan: plan.pop("works"), "it has no 'works'"),
        (lambda plan: plan["steps"][0].update(id="../../../home"), "it names '../../../home' where the name of a file"),
        (
            lambda plan: plan["works"][0].update(fresh=["/etc/x"]),
            "it names '/etc/x' where the name of a file",
        ),
        (
            lambda plan: plan["works"][0].update(files=[{"name": "..", "size": 1, "layout": "write"}]),
            "it names '..' where the name of a file",
        ),
        (lambda plan: plan["passports"]["sas"]["target"].update(path="a\0b"), "is not a campaign that iobench wrote"),
        (lambda plan: plan["passports"]["sas"].update(total_bytes=10**400), "is not a campaign that iobench wrote"),
        (lambda plan: plan["passports"].update(sas=[]), "is not a campaign that iobench wrote"),
    ],
    # Without blanks, so that they can be named: `make bench-checks` does.
    ids=["newer", "text", "part-lost", "step", "fresh", "file", "nul", "huge", "no-table"],
)
def test_a_plan_that_leads_elsewhere_is_none(
    change: Callable[[dict[str, object]], object], why: str, whole: CampaignFolder, say: Say, tmp_path: Path
) -> None:
    """A step's name is a folder that is emptied before the step is run again."""
    copy = tmp_path / "results" / whole.id
    shutil.copytree(whole.path, copy)
    plan = json.loads((copy / "campaign.json").read_text())
    change(plan)
    (copy / "campaign.json").write_text(json.dumps(plan))
    for command in ("show", "resume", "export"):
        said = say(command, whole.id)
        assert said.code == 4 and why in said.err, said.err
        assert "restore it" in said.err or "use the iobench" in said.err


def test_what_stands_in_the_plan_of_an_archive_is_not_run(whole: CampaignFolder, say: Say, tmp_path: Path) -> None:
    """Whoever made the archive may have written any command there, and any drive."""
    packed = archive.export(whole, tmp_path / "x.tgz").path
    assert say("import", str(packed)).code == 0
    said = say("resume")
    assert said.code == 3 and "was taken in from an archive" in said.err and TAKEN_IN in said.err
    assert say("compare").code == 0
    again = archive.export(Store(tmp_path / "results").open("latest"), tmp_path / "y.tgz")
    assert again.path.read_bytes() == packed.read_bytes(), "that it was taken in is no part of it"


def test_a_diary_that_leads_elsewhere_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("of somebody")
    (tmp_path / journal.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResultsError, match="the journal in"):
        journal.write(tmp_path, "began")
    (tmp_path / ".x.json.part").symlink_to(tmp_path / "elsewhere")
    write_safely(tmp_path / "x.json", "ours")
    assert (tmp_path / "elsewhere").read_text() == "of somebody" and (tmp_path / "x.json").read_text() == "ours"
