"""Every parser given 100,000 spoilt real outputs: rows or its own error; how long the slowest took, and its memory."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import common

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from mutating import Parser, parsers, spoilt


def tried(parser: Parser, count: int, seed: int) -> tuple[object, ...]:
    """Return the row of a parser. Raises whatever it raised that it must not, with the seed that shows it."""
    rows, slowest, begin = 0, 0.0, time.perf_counter()
    for number in range(count):
        text = spoilt(parser.outputs[number % len(parser.outputs)], seed + number)
        start = time.perf_counter()
        try:
            parser.parse(text)
            rows += 1
        except parser.errors:
            pass
        except Exception as error:
            raise SystemExit(f"{parser.name}, seed {seed + number}: {type(error).__name__}: {error}") from error
        slowest = max(slowest, time.perf_counter() - start)
    each = (time.perf_counter() - begin) / count
    return parser.name, f"{count:,}", f"{rows / count:.0%}", f"{each * 1e6:.0f} µs", f"{slowest * 1e3:.1f} ms"


def main() -> None:
    asked = common.arguments(__doc__ or "", count=100_000)
    count = 1000 if asked.short else asked.count
    common.head("Parsers: spoilt outputs")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    common.table(
        ("parser", "spoilt outputs", "read as rows all the same", "each, spoiling included", "slowest"),
        [tried(parser, count, asked.seed) for parser in parsers()],
    )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"No other exception. The process grew by {grown:.0f} MiB.")


if __name__ == "__main__":
    main()
