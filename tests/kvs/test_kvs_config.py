"""What the load generator is asked and what it answers, as text and back."""

import json

import pytest

from iobench.errors import ParseError, UsageError
from iobench.kvs import config as asked
from iobench.kvs import result as answered


def test_a_configuration_is_read_as_it_was_written() -> None:
    config = asked.Config(
        endpoints=("unix:/run/a", "127.0.0.1:11211"),
        keys=asked.Keys(count=7, distribution="zipf"),
        values=((10, 1.0), (4096, 3.0)),
        cpus=(1,),
        rate=50_000.0,
        server=asked.Server(noreply=False),
    )
    assert asked.from_json(asked.to_json(config)) == config
    assert config.mean_value == pytest.approx((10 + 3 * 4096) / 4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endpoint": "x"}, "did you mean 'endpoints'"),
        ({"keys": {"kount": 3}}, "did you mean 'count'"),
        ({"mode": "lode"}, "one of load"),
        ({"connections": 1, "processes": 2}, "cannot be shared"),
        ({"ratio": [0, 0]}, "ratio"),
        ({"values": [[0, 1]]}, "value sizes"),
        ({"rate": 10, "pipeline": 2}, "closed loop"),
        ({"keys": {"prefix": "a b"}}, "prefix"),
        ({"rate": "fast"}, "wrong kind"),
        ({"keys": 3}, "where a table is wanted"),
    ],
)
def test_what_cannot_be_run_is_named(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked.from_json(json.dumps({"endpoints": ["127.0.0.1:1"], **changed}))


def test_a_result_is_read_as_it_was_written() -> None:
    result = answered.Result(
        counts=answered.Counts(requests=3, hits=2, misses=1),
        latency={"get": "x"},
        series=(answered.Point(1.0, hits=2),),
        probes=(answered.Probe("127.0.0.1:1", version="1.6", notes=("a",)),),
        adapted=("b",),
    )
    assert answered.from_json(answered.to_json(result)) == result


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"counts": {"nonsense": 1}}', '{"counts": 3}'])
def test_what_is_no_result_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        answered.from_json(text)
