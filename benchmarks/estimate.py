"""The estimate that is printed first, against the time that it took: the suite `quick` on emulated drives and a disk.

The claim: the real time is at most 1.25 times the estimate.
"""

from __future__ import annotations

import common

from iobench import lab

BOUND = 1.25


def main() -> None:
    options = common.arguments(__doc__ or "", runs=2)
    common.head("Estimate of time")
    rows = []
    with common.scratch() as results:
        if not options.short:
            profiles = [lab.read_profile(name) for name in lab.default_names()]
            with common.emulated(*profiles, size=1 << 30) as drives:
                targets = [part for name, mount in drives.items() for part in ("-t", f"{name}={mount}")]
                rows.append(
                    _row("quick, three emulated drives", common.iobench("suite", "quick", *targets, results=results))
                )
        for _ in range(1 if options.short else options.runs):
            with common.scratch() as folder:
                rows.append(
                    _row("quick, a disk", common.iobench("suite", "quick", "-t", f"d={folder}", results=results))
                )
    common.table(["campaign", "estimated", "took", "ratio", "at most 1.25"], rows)
    common.conclude(sum(row[-1] == "no" for row in rows), options.short)


def _row(name: str, document: dict[str, float]) -> tuple[str, ...]:
    ratio = document["took_s"] / document["estimated_s"]
    times = (f"{document['estimated_s']:.0f} s", f"{document['took_s']:.0f} s")
    return (name, *times, f"{ratio:.2f}", "yes" if ratio <= BOUND else "no")


if __name__ == "__main__":
    main()
