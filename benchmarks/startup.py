"""Start-up: `iobench --help` over a bare `python -c pass`, byte-code compiled, alternating.

The claim: under 100 ms more.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import common


def main() -> None:
    options = common.arguments(__doc__ or "", pairs=15)
    common.head("Start-up")
    here = Path(__file__).parent.parent / "iobench"
    # Without byte code the figure would be the compiler's.
    for folder in (here, *(Path(sysconfig.get_paths()["purelib"]) / name for name in ("click", "rich"))):
        compileall.compile_dir(folder, quiet=1)
    bare, ours = (sys.executable, "-c", "pass"), (*common.IOBENCH, "--help")
    for command in (bare, ours):
        _time(command)
    differences, ratios = [], []
    for number in range(3 if options.short else options.pairs):
        a, b = (_time(ours), _time(bare)) if number % 2 else reversed((_time(bare), _time(ours)))
        differences.append(a - b)
        ratios.append(a / b)
    most = statistics.median(differences)
    row = (
        len(differences),
        f"{most * 1000:.0f} ms",
        f"{min(differences) * 1000:.0f} to {max(differences) * 1000:.0f} ms",
        "yes" if most < 0.1 else "no",
    )
    common.table(["pairs", "over bare python, median", "least to most", "under 100 ms"], [row])
    common.conclude(int(most >= 0.1), options.short)


def _time(command: tuple[str, ...]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=dict(os.environ))
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
