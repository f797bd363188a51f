"""Time between steps, on a laid-out file: from a program's end to the next one's start.

The claim: under 0.3 s each.
"""

from __future__ import annotations

import json
import statistics
from itertools import pairwise

import common
import pyarrow.parquet as pq


def main() -> None:
    options = common.arguments(__doc__ or "", steps=40)
    steps = 6 if options.short else options.steps
    common.head("Time between steps")
    with common.scratch() as folder, common.scratch() as results:
        args = (
            "run",
            "rand",
            "--ops",
            "read",
            "--loads",
            "1,8",
            "--size",
            "256Mi",
            "--duration",
            "500ms",
            "--ramp",
            "0",
        )
        common.iobench(*args, "--repeats", str(steps // 2), "-t", f"d={folder}", results=results)
        campaign = next(results.glob("2*"))
        times = []
        for path in sorted(campaign.glob("samples/*.parquet")):
            start = pq.read_table(path, columns=["started_at"])["started_at"][0].as_py().timestamp()
            wall = json.loads((campaign / "raw" / path.stem / "command.json").read_text())["wall_s"]
            times.append((start, start + wall))
    gaps = [after[0] - before[1] for before, after in pairwise(times)]
    over = sum(gap >= 0.3 for gap in gaps)
    common.table(
        ["gaps", "median", "most", "0.3 s or more"],
        [(len(gaps), f"{statistics.median(gaps):.3f} s", f"{max(gaps):.3f} s", over)],
    )
    common.conclude(over, options.short)


if __name__ == "__main__":
    main()
