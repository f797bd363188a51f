"""Every parser given 100,000 spoilt real outputs: rows or its own error, no hang, memory within ten times it.

`--part 0 --parts 2` takes every second parser from the first on, so that two processes share the work.
"""

from __future__ import annotations

import signal
import time
import tracemalloc
from types import FrameType

import common
from mutating import FLOOR, MEMORY, Parser, parsers, spoilt

LONGEST_S = 20  # a hang, not a slow machine: the usual is a millisecond
_WEIGHED = 50  # memory is followed in one of so many, since following it takes several times as long


class Mistake(Exception):
    """A parser did what it must not."""


def tried(parser: Parser, count: int, seed: int) -> tuple[object, ...]:
    """Return the row of a parser. Raises Mistake with the seed that shows it."""
    rows, slowest, most, begin = 0, 0.0, 0.0, time.perf_counter()
    for text in parser.outputs:
        _outcome(parser, text)  # what is loaded once is not the input's
    for number in range(count):
        text = spoilt(parser.outputs[number % len(parser.outputs)], seed + number)
        start = time.perf_counter()
        signal.alarm(LONGEST_S)
        try:
            if number % _WEIGHED:
                rows += _outcome(parser, text)
            else:
                kept, peak = _weighed(parser, text)
                rows += kept
                size = len(text.encode(errors="replace"))
                most = max(most, (peak - FLOOR) / size if size else 0.0)
                if peak > MEMORY * size + FLOOR:
                    raise Mistake(f"{peak} bytes of memory for {size} of input")
        except Exception as error:
            return (
                parser.name,
                f"{number + 1:,}",
                "",
                "",
                "",
                f"**seed {seed + number}: {type(error).__name__}: {error}**",
            )
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - start)
    each = (time.perf_counter() - begin) / count
    return parser.name, f"{count:,}", f"{rows / count:.0%}", f"{each * 1e6:.0f} µs", f"{slowest * 1e3:.0f} ms", "none"


def _outcome(parser: Parser, text: str) -> bool:
    """Whether it read rows; False for its own error."""
    try:
        parser.parse(text)
    except parser.errors as error:
        if not str(error):
            raise Mistake("an error without a sentence") from error
        return False
    return True


def _weighed(parser: Parser, text: str) -> tuple[bool, int]:
    tracemalloc.start()
    try:
        return _outcome(parser, text), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _hangs(number: int, frame: FrameType | None) -> None:
    raise Mistake(f"no answer within {LONGEST_S} s")


def main() -> None:
    asked = common.arguments(__doc__ or "", count=100_000, part=0, parts=1)
    signal.signal(signal.SIGALRM, _hangs)
    common.head("Parsers: spoilt outputs")
    columns = ("parser", "spoilt outputs", "read as rows all the same", "each", "slowest", "mistakes")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    wrong = 0
    for parser in parsers()[asked.part :: asked.parts]:
        row = tried(parser, 1000 if asked.short else asked.count, asked.seed)
        wrong += row[-1] != "none"
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    common.conclude(wrong, short=False)


if __name__ == "__main__":
    main()
