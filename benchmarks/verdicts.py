"""How often does the rule of a handover err? A seeded model of repeats around one limit, judged as `validate` does.

Each try draws repeats of a drive of known speed, with the spread (CV) of single repeats that was met on machines of
ours, a drift of the whole series, and neighbours that are alike; after three repeats and each one more the rule decides
or goes on, up to ten. Exit code 1 where a drive 5 % too slow passes, or one 5 % faster fails, more than once in a
thousand at a CV of up to 2 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from common import arguments, conclude, head, table
from numpy.typing import NDArray

from iobench.analysis import stats
from iobench.analysis.handover import LEAST_REPEATS, MOST_REPEATS, Outcome, decide

SHARES = (0.95, 1.0, 1.05)
# A throttled drive on a quiet machine, real drives, a busy virtual machine.
CVS = (0.0005, 0.005, 0.01, 0.02, 0.04, 0.06)
SURE_CV, MOST_WRONG = 0.02, 1e-3
BATCH = 500


@dataclass(frozen=True)
class Noise:
    """What one repeat differs by from the next: drift over the series (SD), correlation of neighbours."""

    name: str
    drift: float = 0.0
    alike: float = 0.0


NOISES = (Noise("independent"), Noise("drift of 3 %", drift=0.03), Noise("neighbours alike by 0.7", alike=0.7))


def main() -> None:
    args = arguments(__doc__ or "", n=10_000)
    n = min(args.n, 300) if args.short else args.n
    head(f"The rule of a handover, {n:,} tries a figure, simulated")
    rng = np.random.default_rng(args.seed)
    rows, missed = [], 0
    for cv in CVS:
        for noise in NOISES:
            passed, failed, left = zip(*(_judged(_drawn(rng, n, share, cv, noise)) for share in SHARES), strict=True)
            rows.append(
                (f"{cv:.2%}", noise.name, f"{passed[0]:.2%}", f"{failed[1]:.2%}", f"{passed[1]:.2%}",
                 f"{failed[2]:.2%}", f"{left[0]:.1%}", f"{left[2]:.1%}")
            )  # fmt: skip
            missed += cv <= SURE_CV and max(passed[0], failed[2]) > MOST_WRONG
    columns = ("CV", "noise", "95 %: passes", "100 %: fails", "100 %: passes", "105 %: fails")
    table((*columns, "95 %: not decided", "105 %: not decided"), rows)
    conclude(missed, args.short)


def _drawn(rng: np.random.Generator, n: int, share: float, cv: float, noise: Noise) -> NDArray[np.float64]:
    """Repeats over the limit, a row a try."""
    each = rng.normal(0, 1, (n, MOST_REPEATS))
    for i in range(1, MOST_REPEATS):
        each[:, i] = noise.alike * each[:, i - 1] + np.sqrt(1 - noise.alike**2) * each[:, i]
    drift = rng.normal(0, noise.drift, (n, 1)) * np.arange(MOST_REPEATS) / MOST_REPEATS
    return share * np.exp(cv * each + drift)


def _judged(repeats: NDArray[np.float64]) -> tuple[float, float, float]:
    """The shares of tries that pass, fail, and stay undecided."""
    open_, passed, failed = np.arange(len(repeats)), 0, 0
    for n in range(LEAST_REPEATS, MOST_REPEATS + 1):
        left = []
        for part in np.array_split(open_, max(1, len(open_) // BATCH)):
            for try_, ends in zip(part, _intervals(repeats[part, :n]), strict=True):
                outcome = decide((ends[0], ends[1]), 1.0, None)
                passed += outcome is Outcome.PASS
                failed += outcome is Outcome.FAIL
                if outcome is Outcome.UNDECIDED:
                    left.append(try_)
        open_ = np.array(left, dtype=int)
    return passed / len(repeats), failed / len(repeats), len(open_) / len(repeats)


def _intervals(repeats: NDArray[np.float64]) -> NDArray[np.float64]:
    return stats.intervals(stats.median_figure(repeats, range(repeats.shape[1])))


if __name__ == "__main__":
    main()
