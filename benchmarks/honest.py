"""Nobody is accused falsely: honest steps on emulated drives, and how many are not `valid`.

The claim: at most 1 of 200. Steps of 6 s after a ramp of 1 s, on the three shipped drives.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import common
import pyarrow.parquet as pq

from iobench import lab


def main() -> None:
    options = common.arguments(__doc__ or "", steps=200)

    common.head("Honest steps")
    verdicts: Counter[str] = Counter()
    accused: list[tuple[str, str, str]] = []
    profiles = [lab.read_profile(name) for name in lab.default_names()]
    with common.emulated(*profiles, size=1 << 30) as drives, common.scratch() as results:
        targets = [part for name, mount in drives.items() for part in ("-t", f"{name}={mount}")]
        seq = ("run", "seq", "--size", "256Mi", "--duration", "6s", *targets)
        rand = (
            "run",
            "rand",
            "--ops",
            "read,write,mixed",
            "--loads",
            "1,8,64",
            "--size",
            "256Mi",
            "--duration",
            "6s",
            *targets,
        )
        if options.short:
            common.iobench(*seq, "--repeats", "1", "--ops", "read", results=results)
        else:
            # A round of both is 11 steps on each of three drives.
            rounds = -(-options.steps // 33)
            for command in (seq, rand):
                common.iobench(*command, "--repeats", str(rounds), results=results)
        for path in sorted(results.glob("2*/samples/*.parquet")):
            _count(path, verdicts, accused)
    total = sum(verdicts.values())
    common.table(["steps", "valid", "not valid"], [(total, verdicts["valid"], total - verdicts["valid"])])
    for line in accused:
        print("- " + ", ".join(line))
    # At most 1 of 200.
    common.conclude(max(0, len(accused) - max(1, total // 200)), options.short)


def _count(path: Path, verdicts: Counter[str], accused: list[tuple[str, str, str]]) -> None:
    row = pq.read_table(path).slice(0, 1).to_pylist()[0]
    verdicts[row["verdict"]] += 1
    if row["verdict"] != "valid":
        found = path.parent.parent / "raw" / path.stem / "findings.json"
        accused.append((path.stem, ", ".join(row["reasons"]), found.read_text().replace("\n", " ")))


if __name__ == "__main__":
    main()
