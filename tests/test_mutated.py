"""Every parser, given real outputs that were spoilt: rows or an error of its own, nothing else."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mutating import FLOOR, MEMORY, Parser, parsers, spoilt

EXAMPLES = 2000
LONGEST_S = 20.0  # a hang, not a slow machine: the usual is a millisecond


def outcome(parser: Parser, text: str) -> None:
    try:
        parser.parse(text)
    except parser.errors as error:
        assert str(error), "an error without a sentence"


@pytest.mark.slow
@pytest.mark.parametrize("parser", parsers(), ids=lambda parser: parser.name)
def test_a_spoilt_output_gives_rows_or_the_parsers_own_error(parser: Parser) -> None:
    for text in parser.outputs:
        outcome(parser, text)

    @settings(
        max_examples=round(parser.share * EXAMPLES),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(range(len(parser.outputs))), st.integers(0, 2**32))
    @example(0, 0)
    def mutated(which: int, seed: int) -> None:
        begin = time.monotonic()
        outcome(parser, spoilt(parser.outputs[which], seed))
        assert time.monotonic() - begin < LONGEST_S

    mutated()


@pytest.mark.parametrize("parser", parsers(), ids=lambda parser: parser.name)
def test_a_spoilt_output_takes_no_memory_beyond_ten_times_its_own(parser: Parser) -> None:
    outcome(parser, parser.outputs[0])  # what is loaded once is not the input's
    for seed in range(30):
        text = spoilt(parser.outputs[seed % len(parser.outputs)], seed)
        tracemalloc.start()
        try:
            outcome(parser, text)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= MEMORY * len(text.encode(errors="replace")) + FLOOR, (seed, peak, len(text))
