"""What oltp plans, how it reads sysbench, and how its steps are judged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from iobench import params
from iobench.campaign import evidence, verdict
from iobench.errors import ParseError, UsageError
from iobench.model import Device, Evidence, Output, Passport, Place, Reading, Sample, Target, Work
from iobench.runners import oltp

FIXTURES = Path(__file__).parent.parent / "fixtures" / "sysbench-1.0.20"
MIB = 1 << 20
DRIVE = Passport(Target("a", "/mnt/a"), Device("sda", 8, 0))
SERVER = Passport(Target("s", "mysql://u@h/d", "server"), None, no_device_reason="a server")


def works(**values: object) -> tuple[Work, ...]:
    return oltp.plan(params.build(oltp.Params, {"size": 64 * MIB, **values}, "test"))


def output(name: str, exit_code: int = 0) -> Output:
    return Output((), exit_code, (FIXTURES / name).read_text(), "", {}, 8.0, 1.0)


def test_every_load_and_profile_is_a_work_on_one_server() -> None:
    found = works(profiles="read_write,point_select", threads="1,16")
    assert [(w.params["profile"], w.load) for w in found] == [
        ("read_write", 1),
        ("read_write", 16),
        ("point_select", 1),
        ("point_select", 16),
    ]
    assert [w.writes for w in found] == [True, True, False, False]
    (service,) = {w.service for w in found}
    assert service is not None
    assert service.params["buffer_pool"] == 16 * MIB
    assert service.params["connections"] == 32
    assert service.room > 64 * MIB


def test_times_are_whole_seconds_and_the_pool_is_never_too_small() -> None:
    (work,) = works(threads="1", ramp="500ms", duration="1500ms", size="8Mi")
    assert (work.ramp_s, work.duration_s) == (1.0, 2.0)
    assert work.service is not None and work.service.params["buffer_pool"] == 6 * MIB


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"size": "4Ki"}, "gives 4 rows each"),
        ({"tables": "1000000"}, "give another --size or --tables"),
        ({"rate": "0.5"}, "whole transactions per second"),
        ({"rate": "12.5"}, "whole transactions per second"),
        ({"rate": "-1"}, "is not a rate"),
        ({"threads": "0"}, "too small"),
        ({"threads": "1,1"}, "twice"),
        ({"profiles": "read_wirte"}, "did you mean 'read_write'"),
        ({"tables": "0"}, "too small"),
    ],
)
def test_what_cannot_be_asked(values: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        works(**values)


def test_the_command_names_its_private_file_and_nothing_secret() -> None:
    (work,) = works(threads="4", rate="50")
    command = oltp.command(work, Place({}, {}, "/out", service={"config": "/private/connect"}))
    assert "--config-file=/private/connect" in command.argv and "--rate=50" in command.argv
    assert command.timeout_s > work.ramp_s + (work.duration_s or 0)
    assert not command.env


def test_a_reading_of_what_sysbench_said() -> None:
    (work,) = works(threads="4", ramp="2s", duration="5s")
    reading = oltp.read(work, output("read_write-json.txt"))
    values = {s.metric: s.value for s in reading.samples}
    assert values["transactions"] * reading.measured_s == pytest.approx(reading.operations)
    assert values["latency_p50"] < values["latency_p95"] <= values["latency_max"] * 1.02
    assert (values["errors"], values["reconnects"]) == (0.0, 0.0)
    assert [round(point.t_s) for point in reading.series] == [1, 2, 3, 4, 5]
    assert reading.ended_at is not None


def test_a_run_that_ended_early_says_why() -> None:
    (work,) = works(threads="2", ramp="1s", duration="7s")
    with pytest.raises(ParseError, match=r"exit code 1: mysql_stmt_execute.*Lost connection to server"):
        oltp.read(work, output("server-killed-json.txt", 1))


def judged(work: Work, passport: Passport, transactions: int, hits: float | None) -> set[str]:
    reading = Reading((Sample("all", "transactions", 100.0),), 10.0, operations=transactions)
    context = evidence.Context(work, passport, 1 << 34)
    _, findings = verdict.judge(context, reading, Evidence(cache_hit_ratio=hits), ())
    return {finding.reason for finding in findings}


def test_under_a_thousand_transactions_are_too_few() -> None:
    (work,) = works(threads="1")
    assert judged(work, DRIVE, 999, 0.8) == {"too-short"}
    assert judged(work, DRIVE, 1000, 0.8) == set()


def test_tables_that_the_pool_holds_are_told() -> None:
    (work,) = works(threads="1")
    assert judged(work, DRIVE, 5000, 0.9995) == {"small-working-set"}
    (held,) = works(threads="1", buffer_pool="64Mi")
    assert judged(held, DRIVE, 5000, 0.8) == {"small-working-set"}
    assert judged(held, DRIVE, 5000, None) == {"small-working-set"}
    # Of a server that exists, the pool that we would have had says nothing.
    assert judged(held, SERVER, 5000, 0.8) == {"no-device"}
    assert judged(dataclasses.replace(work), SERVER, 5000, 0.9999) == {"no-device", "small-working-set"}
