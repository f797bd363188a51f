"""Handover profiles: those that ship can be read, and what is wrong in one is named."""

from __future__ import annotations

import re

import pytest

from iobench import profiles
from iobench.analysis import order
from iobench.errors import UsageError

SPEED = 'id = "x"\nworkload = "seq-read"\nload = 8\nmetric = "throughput"\nat_least = "446 MB/s"\nsource = "s"\n'


@pytest.mark.parametrize("name", profiles.names("handover"))
def test_what_ships_is_read_and_each_figure_has_a_source(name: str) -> None:
    found, text = order.read(name)
    assert found.title and text
    assert {fact.group for fact in found.facts} == {"identity", "health"}
    assert all(each.source for each in (*found.facts, *found.speeds))
    assert found.speeds and found.integrity


@pytest.mark.parametrize("name", profiles.names("handover"))
def test_the_conditions_of_a_figure_are_those_that_it_is_measured_under(name: str) -> None:
    found, _ = order.read(name)
    blocks = {"seq": "1 MiB", "rand": "4 KiB", "steady": "4 KiB"}
    for speed in found.speeds:
        conditions = speed.conditions or ""
        assert blocks[speed.workload.partition("-")[0]] in conditions, speed
        assert re.search(rf"\b{speed.load} (outstanding|threads)", conditions), speed
    for _, entry in found.workloads:  # other blocks would make the sentences untrue
        assert entry.get("block_size", "1Mi") == "1Mi"


def test_the_iodrive_has_the_figures_of_its_order() -> None:
    found, _ = order.read("iodrive-160-slc")
    speeds = {speed.id: speed for speed in found.speeds}
    assert (speeds["seq-read"].at_least, speeds["seq-read"].load) == (446e6, 4)
    assert speeds["rand-read-holds"].of_best == 0.9
    assert speeds["rand-read-p99"].at_most == 0.002
    assert speeds["sustained-write"].look == "full"
    assert [speed.id for speed in found.asked("quick")] == [s.id for s in found.speeds if s.look == "quick"]


def test_a_speed() -> None:
    (speed,) = order.parse("p", f"[[performance]]\n{SPEED}").speeds
    assert (speed.limit, speed.op, speed.look) == (446e6, "read", "quick")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "asks for nothing"),
        ("x =", "not TOML"),
        ("tilte = 'x'", "title"),
        ("[[identity]]\nwhat = 'modle'\nis = 'x'\nsource = 's'", "model"),
        ("[[identity]]\nwhat = 'model'\nis = 'x'", "no source"),
        ("[[identity]]\nwhat = 'model'\nsource = 's'", "exactly one"),
        ("[[identity]]\nwhat = 'model'\nat_least = 'x'\nsource = 's'", "no number"),
        ("[[identity]]\nwhat = 'model'\nmatches = '('\nsource = 's'", "pattern"),
        ("[[identity]]\nwhat = 'size'\nat_least = 'large'\nsource = 's'", "size"),
        ("[[health]]\nwhat = 'reserve'\nat_least = 'most'\nsource = 's'", "reserve"),
        ("[[performance]]\n" + SPEED.replace("throughput", "thruput"), "throughput"),
        ("[[performance]]\n" + SPEED.replace("at_least", "at_most"), "other side"),
        ("[[performance]]\n" + SPEED.replace("446 MB/s", "fast"), "cannot be read"),
        ("[[performance]]\n" + SPEED.replace("load = 8", "load = 'x'"), "load"),
        ("[[performance]]\n" + SPEED + "look = 'fulll'", "full"),
        ("[[performance]]\n" + SPEED + "[[performance]]\n" + SPEED, "twice"),
        ("performance = 3", "list of tables"),
        ("[[performance]]\n" + SPEED.replace('"446 MB/s"', "446"), '446 has no unit; write it as "446 MB/s"'),
        ("[[performance]]\n" + SPEED.replace("446 MB/s", "446"), "no unit"),
        ("[[performance]]\n" + SPEED.replace("446 MB/s", "446 ms"), "cannot be read"),
        ("[[performance]]\n" + SPEED.replace("446 MB/s", "-1 MB/s"), "cannot be read|asks for nothing"),
        ("[[performance]]\n" + SPEED.replace('"446 MB/s"', '"0 MB/s"'), "asks for nothing"),
        ("[[performance]]\n" + SPEED.replace('at_least = "446', 'of_best_at_least = "190%" #'), "cannot be met"),
        ("[[performance]]\n" + SPEED.replace('at_least = "446', "of_best_at_least = 90 #"), 'write "90%"'),
        ("[[performance]]\n" + SPEED + "at_most = '1 MB/s'\n", "needs one of"),
        ("[[performance]]\n" + SPEED + "op = 'raed'\n", "read"),
        ("[[health]]\nwhat = 'reserve'\nat_least = 95\nsource = 's'", 'write "95%"'),
        ("[[health]]\nwhat = 'passed'\nis = 'yes'\nsource = 's'", "neither true nor false"),
        ("[[health]]\nwhat = 'pending'\nis = true\nsource = 's'", "no figure"),
        ("[[identity]]\nwhat = 'serial'\nis = 12345\nsource = 's'", "in quotes"),
        ("[[identity]]\nwhat = 'firmware'\nat_least = 'latest'\nsource = 's'", "no version number"),
        ("[[performance]]\n" + SPEED + "[preparation]\npasses = 0", "from 1"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        order.parse("p", text)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("446 MB/s", "B/s", 446e6), ("1ms", "s", 1e-3), ("90%", "%", 0.9), ("160G", "B", 160e9), (5, "1", 5.0)],
)
def test_figures_in_base_units(text: object, unit: str, value: float) -> None:
    assert order.amount(text, unit, "x") == pytest.approx(value)
