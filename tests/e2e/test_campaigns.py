"""Campaigns from the command line to the kept numbers, on a real drive."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from running import ONCE, SHORT, SMALL, Drive, Iobench, Result, finish, journal, reasons, rows, wait_for

from iobench.results import TABLES

ESCAPE = "\x1b"
METRICS = {
    "seq": {"throughput", "iops", "latency_mean", "latency_p50", "latency_max"},
    "rand": {"throughput", "iops", "latency_mean", "latency_p50", "latency_p99", "latency_max"},
    "dd": {"elapsed", "throughput"},
}


@pytest.mark.parametrize(
    ("workload", "options", "steps"),
    [
        ("seq", SHORT, ["seq-read-8", "seq-write-8"]),
        ("rand", ("--loads", "4", *SHORT), ["rand-read-4", "rand-write-4", "rand-mixed-4"]),
        ("dd", ONCE, ["dd-write-1", "dd-read-1"]),
    ],
)
def test_a_workload_from_the_command_to_its_kept_numbers(
    workload: str, options: tuple[str, ...], steps: list[str], iobench: Iobench, drive: Drive
) -> None:
    said = iobench("run", workload, "-t", f"one={drive.path}", *SMALL, *options)
    assert said.code == 0, said.err
    folder = iobench.folder()
    ids = [f"{number:04d}-r1-{name}-one" for number, name in enumerate(steps, 1)]
    steps_told = [(event, step) for step in ids for event in ("started", "finished")]
    assert journal(folder) == [("began", ""), ("opened", ""), *steps_told, ("closed", ""), ("ended", "")]
    assert "about" in said.out and "will be written" in said.out
    for name in {step.rsplit("-", 1)[0] for step in steps}:
        assert name in said.out
    assert ESCAPE not in said.out + said.err
    samples = rows(folder.read("samples"))
    assert {row["step"] for row in samples} == set(ids)
    assert {row["metric"] for row in samples} >= METRICS[workload]
    assert all(row["value"] > 0 and row["verdict"] == "suspect" for row in samples)
    assert reasons(folder) == {step: {"too-short"} for step in ids}
    assert all(row["kind"] == "loop" and row["emulated"] is False for row in samples)
    _check_evidence(folder.read("evidence"), drive)
    for step in ids:
        command = json.loads((folder.raw(step) / "command.json").read_text())
        assert command["argv"][0] == ("dd" if workload == "dd" else "fio") and command["exit_code"] == 0
        kept = {path.name for path in folder.raw(step).iterdir()}
        assert kept >= {"stdout", "stderr", "command.json", "findings.json"}
        assert workload == "dd" or kept >= {"fio.json", "fio_bw.log"}


def _check_evidence(evidence: pa.Table, drive: Drive) -> None:
    """What the tool claims reached the device: 0.9 of it is what a verdict asks for."""
    for row in rows(evidence):
        assert row["device_name"] == drive.name
        for way in ("read", "written"):
            tool, device = row[f"tool_bytes_{way}"], row[f"device_bytes_{way}"]
            # A tenth of a second of a third is interpolated, and the journal is the file system's own.
            assert 0.9 * tool <= device <= 1.1 * tool + 2e6, row
        assert row["unwritten_bytes"] in (0, None)
        assert row["temperature_c"] is None  # a loop device has none, and that is not 0


def test_the_tables_are_those_of_the_contract(iobench: Iobench, anywhere: Drive) -> None:
    assert iobench("run", "rand", "-t", f"one={anywhere.path}", "--loads", "2", *SMALL, *SHORT).code == 0
    folder = iobench.folder()
    for table in TABLES:
        files = sorted((folder.path / table).glob("*"))
        assert len(files) == 3 and all(path.suffix == ".parquet" for path in files)
        assert pq.read_schema(files[0]).metadata[b"iobench.schema_version"] == b"1"
    plan = json.loads((folder.path / "campaign.json").read_text())
    assert plan["schema_version"] == 1
    assert plan["tools"]["fio"].startswith("fio-") and plan["host"]["kernel"].startswith("Linux")
    row = rows(folder.read("samples"))[0]
    assert json.loads(row["params"])["block_size"] == 4096
    assert row["params"] == json.dumps(json.loads(row["params"]), sort_keys=True, separators=(",", ":"))
    assert isinstance(row["started_at"], datetime) and row["rate"] is None and row["load"] == 2


def test_the_plan_is_kept_before_the_first_step_and_no_file_stays(iobench: Iobench, anywhere: Drive) -> None:
    process = iobench.start("run", "seq", "--ops", "read", "-t", f"one={anywhere.path}", *SMALL, *SHORT)
    folder = iobench.folder_soon()
    plan = (folder.path / "campaign.json").read_text()
    assert "started" not in dict(journal(folder)) and json.loads(plan)["steps"]
    wait_for(lambda: any(event == "started" for event, _ in journal(folder)))
    (ours,) = anywhere.leftovers()
    assert re.fullmatch(rf"\.iobench-{folder.id}-1", ours)
    assert (anywhere.path / ours).stat().st_mode & 0o077 == 0
    assert finish(process).code == 0
    assert anywhere.leftovers() == []
    assert (folder.path / "campaign.json").read_text() == plan


def test_json_is_one_document_and_the_progress_is_elsewhere(iobench: Iobench, anywhere: Drive) -> None:
    log = iobench.home / "log"
    said = iobench(
        *("run", "dd", "-t", f"one={anywhere.path}", *SMALL, *ONCE, "--json", "--log-file", str(log)),
        env={"NO_COLOR": "1"},
    )
    assert said.code == 0, said.err
    assert said.json["schema_version"] == 1 and said.json["failed"] == {}
    assert said.json["campaign"] == iobench.folder().id
    comparison = said.json["comparison"]
    assert {row["workload"] for row in comparison["rows"]} == {"dd-write", "dd-read"}
    assert comparison["rows"][0]["targets"]["one"]["verdict"] == "suspect"
    assert "1/2 dd-write" in said.err and "steps, about" in said.err
    assert ESCAPE not in said.err
    logged = log.read_text().splitlines()
    assert len([line for line in logged if "round 1" in line]) == 2
    assert len([line for line in logged if "warming up dd-write" in line]) == 1
    assert all(datetime.fromisoformat(line.split()[0]) for line in logged)


def test_quiet_says_nothing(inside: Callable[..., Result], anywhere: Drive) -> None:
    said = inside("run", "seq", "--ops", "read", "-t", f"one={anywhere.path}", *SMALL, *SHORT, "--quiet")
    assert said == Result(0, "", "")


def test_two_targets_are_interleaved_and_compared(
    inside: Callable[..., Result], drive: Drive, iobench: Iobench
) -> None:
    for name in ("a", "b"):
        (drive.path / name).mkdir(exist_ok=True)
    try:
        targets = ("-t", f"fast={drive.path}/a", "-t", f"slow={drive.path}/b", "--baseline", "slow")
        said = inside("run", "dd", "--ops", "write", *targets, *SMALL, "--repeats", "3", "--json")
        assert said.code == 0, said.err
        assert "are on one device" in said.err
        assert said.json["comparison"]["baseline"] == "slow"
        order = [step.target for step in iobench.folder().campaign().steps]
        assert order == ["fast", "slow", "slow", "fast", "fast", "slow"]
        row = next(row for row in said.json["comparison"]["rows"] if row["metric"] == "elapsed")
        assert row["targets"]["fast"]["n"] == 3 and row["ratios"]["fast"]["ratio"] > 0
    finally:
        for name in ("a", "b"):
            (drive.path / name).rmdir()


@pytest.mark.parametrize("size", ["10000001", "500k"])
def test_a_size_that_is_no_whole_number_of_blocks_is_cut(
    size: str, inside: Callable[..., Result], anywhere: Drive, iobench: Iobench
) -> None:
    said = inside(
        *("run", "rand", "--ops", "read", "--loads", "8", "--jobs", "4", "--size", size, *SHORT),
        *("-t", f"one={anywhere.path}", "-q"),
    )
    assert said.code == 0, said.err
    work = iobench.folder().campaign().steps[0].work
    assert work.files[0].size % 4096 == 0


def test_a_profile_of_ones_own(inside: Callable[..., Result], anywhere: Drive, iobench: Iobench) -> None:
    text = '[suite]\ntitle = "mine"\nrounds = 2\n[[workload]]\nrun = "dd"\nops = ["write"]\nsize = "4Mi"\n'
    (iobench.home / "mine.toml").write_text(text)
    said = inside("suite", "./mine.toml", "-t", f"one={anywhere.path}")
    assert said.code == 0, said.err
    campaign = iobench.folder().campaign()
    assert (campaign.title, campaign.profile, len(campaign.steps)) == ("mine", "mine", 2)


def test_a_dry_run_shows_every_command_and_touches_nothing(
    inside: Callable[..., Result], anywhere: Drive, iobench: Iobench
) -> None:
    target = f"a name={anywhere.path}"
    text = inside("suite", "quick", "-t", target, "--size", "8Mi", "--dry-run")
    assert text.code == 0
    commands = [line for line in text.out.splitlines() if not line.startswith("#")]
    document = inside("suite", "quick", "-t", target, "--size", "8Mi", "--dry-run", "--json").json
    steps = len(document["steps"])
    # The steps, the file laid out, dd warmed up, and what the servers are made with.
    assert len(commands) == steps + len(document["setup"]) and len(document["setup"]) >= 2
    assert {"fio", "dd"} <= {line.split()[0] for line in commands}
    assert f"# {steps} steps, about" in text.out and "would be written" in text.out
    assert " ".join(document["steps"][0]["argv"][:2]) == "fio --name=iobench"
    assert document["written_bytes"]["a name"] > 8 << 20 and document["estimated_s"] > 18
    assert not iobench.results.exists() and anywhere.leftovers() == []


def test_without_a_target_the_drive_of_the_current_folder_is_measured(
    inside: Callable[..., Result], drive: Drive, iobench: Iobench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drive.path)
    said = inside("run", "dd", "--ops", "write", "--size", "4Mi", *ONCE, "-q")
    assert said.code == 0, said.err
    assert [p.target.path for p in iobench.folder().campaign().passports.values()] == [str(drive.path)]
    assert list(iobench.folder().campaign().passports) == [drive.name]


@pytest.mark.slow
def test_a_step_of_six_seconds_is_not_accused(inside: Callable[..., Result], drive: Drive, iobench: Iobench) -> None:
    said = inside(
        *("run", "rand", "--ops", "read", "--loads", "4", "--duration", "6s", "--ramp", "500ms", *SMALL, *ONCE),
        *("-t", f"one={drive.path}", "-q"),
    )
    assert said.code == 0, said.err
    (found,) = reasons(iobench.folder()).values()
    assert found <= {"not-steady"}  # this drive stands on another machine's disk, which others use
    series = [row for row in rows(iobench.folder().read("series")) if row["metric"] == "read_throughput"]
    assert len(series) >= 11
    (latency,) = rows(iobench.folder().read("latency"))
    assert latency["count"] > 1000


def test_names_in_any_script_and_with_quotes(inside: Callable[..., Result], anywhere: Drive, iobench: Iobench) -> None:
    folder = anywhere.path / 'o\'k "日本" $(touch X)'
    folder.mkdir()
    try:
        results = iobench.home / "結 果\"'"
        target = f"いお'\"Drive={folder}"
        common = ("--results", str(results))
        said = inside("run", "rand", "--ops", "read", "--loads", "1", "-t", target, *SMALL, *SHORT, *common)
        assert said.code == 0, said.err
        assert "いお'\"Drive" in said.out
        shown = inside("show", *common).out
        assert str(folder) in shown and "いお'\"Drive" in shown
        assert list(anywhere.path.rglob("X")) == [] and not Path(iobench.home / "X").exists()
    finally:
        folder.rmdir()


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_a_bar_and_colours_only_where_they_are_wanted(
    colours: bool, iobench: Iobench, anywhere: Drive
) -> None:
    argv = ("run", "dd", "--ops", "write", "-t", f"one={anywhere.path}", *SMALL, *ONCE)
    main, terminal = pty.openpty()
    said = b""
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "iobench.cli.main", *argv],
            cwd=iobench.home,
            env={**iobench.environment, "TERM": "xterm", **({} if colours else {"NO_COLOR": "1"})},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        with contextlib.suppress(OSError):  # a terminal that everybody has left ends so
            while part := os.read(main, 4096):
                said += part
        assert process.wait() == 0
    finally:
        os.close(main)
    text = said.decode()
    assert "1/1 dd-write 1 on one" in text and " %" in text and "left" in text
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", text)) is colours
