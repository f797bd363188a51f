"""A workload's parameters from texts and from TOML values."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass

import pytest

from iobench import params, runners
from iobench.errors import UsageError
from iobench.params import Kind, param
from iobench.runners import rand


@dataclass(frozen=True)
class Everything:
    size: int | None = param(None, Kind.SIZE, "a size", least=512)
    duration: float = param(10.0, Kind.TIME, "a time", least=0.1)
    jobs: int = param(1, Kind.COUNT, "a count", least=1)
    loads: tuple[int, ...] = param((1, 8), Kind.COUNTS, "counts", least=1)
    share: int = param(70, Kind.PERCENT, "percent")
    engine: str = param("auto", Kind.CHOICE, "one of some", ("auto", "io_uring", "libaio"))
    ops: tuple[str, ...] = param(("read",), Kind.CHOICES, "some of some", ("read", "write", "mixed"))
    buffered: bool = param(False, Kind.FLAG, "a flag")
    block_size: int = param(4096, Kind.SIZE, "a size with an underscore", least=512)
    undeclared: int = 3


def build(**values: object) -> Everything:
    return params.build(Everything, values, "mine.toml, rand")


def test_nothing_given_is_the_defaults() -> None:
    assert build() == Everything()


def test_texts_and_toml_values_mean_the_same() -> None:
    texts = build(size="4Gi", duration="500ms", jobs="2", loads="1,8 64", share="30", ops="read,write", block_size="4k")
    values = build(size=2**32, duration=0.5, jobs=2, loads=[1, 8, 64], share=30, ops=["read", "write"], block_size=4000)
    assert texts == values
    assert (texts.size, texts.duration, texts.loads, texts.ops) == (2**32, 0.5, (1, 8, 64), ("read", "write"))


def test_a_single_value_stands_for_a_list() -> None:
    assert build(loads=8, ops="write") == Everything(loads=(8,), ops=("write",))


def test_keys_may_be_written_with_a_hyphen() -> None:
    assert params.build(Everything, {"block-size": "1Mi"}, "cli").block_size == 1 << 20


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"durration": "1s"}, "unknown parameter 'durration'; did you mean 'duration'?"),
        ({"block_sise": 1}, "unknown parameter 'block_sise'; did you mean 'block_size'?"),
        ({"zzz": 1}, "unknown parameter 'zzz'; known: size, duration, jobs"),
        ({"undeclared": 1}, "unknown parameter 'undeclared'"),
        ({"engine": "libaoi"}, "engine: unknown value 'libaoi'; did you mean 'libaio'?"),
        ({"ops": "read,wriet"}, "ops: unknown value 'wriet'; did you mean 'write'?"),
        ({"ops": "read read"}, "ops: 'read read' names a value twice"),
        ({"loads": [8, 8]}, "loads: [8, 8] names a value twice"),
        ({"loads": []}, "loads: the list is empty"),
        ({"loads": " , "}, "loads: the list is empty"),
        ({"loads": [1, "x"]}, "loads: 'x' is not a whole number"),
        ({"loads": "8 0"}, "loads: '8 0' is too small; the least is 1"),
        ({"loads": [True]}, "loads: True is not a whole number"),
        ({"jobs": 0}, "jobs: 0 is too small; the least is 1"),
        ({"jobs": "1.5"}, "jobs: '1.5' is not a whole number"),
        ({"jobs": "-1"}, "jobs: '-1' is not a whole number"),
        ({"jobs": True}, "jobs: True is not a whole number"),
        ({"jobs": 2.0}, "jobs: 2.0 is not a whole number"),
        ({"size": "511"}, "size: '511' is too small; the least is 512"),
        ({"size": -4096}, "size: -4096 is too small"),
        ({"size": 4096.5}, 'size: 4096.5 is not a size, as 4096 or "512M"'),
        ({"size": ["4G"]}, "size: ['4G'] is not a size"),
        ({"size": "a b;$(touch X)"}, "size: 'a b;$(touch X)' is not a size"),
        ({"duration": "50ms"}, "duration: '50ms' is too small; the least is 0.1"),
        ({"duration": -3}, "duration: -3 is too small"),
        ({"duration": True}, "duration: True is not a time, as 10 (seconds)"),
        ({"duration": float("nan")}, "duration: nan is not a time"),
        ({"duration": float("inf")}, "duration: inf is not a time"),
        ({"duration": 10**400}, "is not a time"),
        ({"share": 101}, "share: 101 is more than 100 percent"),
        ({"share": -1}, "share: -1 is too small; the least is 0"),
        ({"buffered": "yes"}, "buffered: 'yes' is neither true nor false"),
        ({"buffered": 1}, "buffered: 1 is neither true nor false"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_place(values: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as error:
        build(**values)
    assert str(error.value).startswith("mine.toml, rand: ")
    assert says in str(error.value)


def test_the_least_itself_is_allowed() -> None:
    assert build(size=512, duration="100ms", jobs=1, loads="1", share=0) == Everything(
        size=512, duration=0.1, loads=(1,), share=0
    )
    assert build(share=100).share == 100


def test_a_toml_file_of_a_user() -> None:
    values = tomllib.loads('ops = ["mixed"]\nloads = [1, 2]\nsize = "256Mi"\nread_share = 50\nduration = "6s"')
    got = params.build(rand.Params, values, "mine.toml")
    assert (got.ops, got.loads, got.size, got.read_share, got.duration) == (("mixed",), (1, 2), 1 << 28, 50, 6.0)


@pytest.mark.parametrize("runner", list(runners.registry()))
def test_every_parameter_of_a_workload_is_described_and_its_default_allowed(runner: str) -> None:
    cls = runners.find(runner).Params
    described = params.describe(cls)
    # What is no parameter is found out of the machine before planning; nobody gives it.
    resolved = {"version", "over"} if runner == "dbench" else set()
    assert {p.name for p in described} == {f.name for f in dataclasses.fields(cls)} - resolved
    for p in described:
        assert p.help, p.name
        if p.default is not None and p.default != ():
            assert getattr(params.build(cls, {p.name: p.default}, "test"), p.name) == p.default


def test_an_unknown_workload_has_a_near_miss() -> None:
    with pytest.raises(UsageError, match="unknown workload 'rnad'; did you mean 'rand'"):
        runners.find("rnad")
