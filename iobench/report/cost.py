"""What a drive gives for its price: a chart of rate per money for each workload, where profiles name prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iobench.analysis.rows import difference
from iobench.analysis.types import Comparison, DriveSummary, Estimate, Ratio, Row
from iobench.model import Better, Verdict, main_metrics
from iobench.report.labels import PER_PRICE
from iobench.units import format_count

# So much money makes figures of a handy size; of a currency that is not here, 1,000.
_PER = {"JPY": 10_000.0, "KRW": 1_000_000.0, "CNY": 10_000.0}


def currency(comparison: Comparison) -> str | None:
    """Return the one currency of the drives' prices; None where none is named, or several are."""
    named = {drive.currency for drive in comparison.drives if drive.price is not None}
    return named.pop() if len(named) == 1 else None


def amount(comparison: Comparison) -> str:
    """Return the money that figures are of: `10,000 JPY`."""
    name = currency(comparison) or ""
    return f"{_PER.get(name, 1000.0):,.0f} {name}"


def price(drive: DriveSummary) -> str:
    """Return a drive's price: `980,000 JPY`."""
    value = drive.price or 0.0
    return f"{value:,.0f} {drive.currency}" if value >= 100 else f"{format_count(value)} {drive.currency}"


def rows(comparison: Comparison) -> list[Row]:
    """Return a row for each workload's first rate, at its highest load, per money; none without prices."""
    name = currency(comparison)
    if name is None:
        return []
    per = {d.name: _PER.get(name, 1000.0) / d.price for d in comparison.drives if d.price}
    found: dict[tuple[str, str], Row] = {}
    for row in comparison.rows:
        # What was offered, or answered around a failure, is not what a drive gives.
        plain = row.rate is None and not row.params.get("outage")
        if plain and row.metric == _rate(row, comparison.rows) and row.better is Better.HIGHER:
            key = (row.workload, row.op)
            if key not in found or _standing(row) >= _standing(found[key]):
                found[key] = row
    return [made for row in found.values() if (made := _priced(row, per, comparison))]


def _standing(row: Row) -> tuple[int, int]:
    """Of a workload's rows the one at the highest load is taken, and of those the one that was repeated most."""
    return row.load, max(own.n for own in row.targets.values())


def _rate(row: Row, every: Sequence[Row]) -> str | None:
    there = dict.fromkeys(r.metric for r in every if r.workload == row.workload)
    rates = [m for m in main_metrics(row.workload, there) if m in ("throughput", "iops", "transactions", "hits")]
    return rates[0] if rates else None


def _priced(row: Row, per: dict[str, float], comparison: Comparison) -> Row | None:
    targets = {name: _scaled(own, per[name]) for name, own in row.targets.items() if name in per}
    base = comparison.baseline
    ratios = {}
    if base in targets:
        for name, ratio in row.ratios.items():
            if name in targets:
                ratios[name] = _ratio(ratio, per[name] / per[base], row, name, base, comparison.resolution)
    metric = row.metric + PER_PRICE
    return replace(row, metric=metric, targets=targets, ratios=ratios) if targets else None


def _scaled(own: Estimate, factor: float) -> Estimate:
    ends = (own.ci95[0] * factor, own.ci95[1] * factor) if own.ci95 else None
    return replace(own, median=own.median * factor, ci95=ends, values=tuple(v * factor for v in own.values))


def _ratio(ratio: Ratio, factor: float, row: Row, name: str, base: str, resolution: float) -> Ratio:
    ends = (ratio.ci95[0] * factor, ratio.ci95[1] * factor) if ratio.ci95 else None
    sound = all(row.targets[drive].verdict is not Verdict.INVALID for drive in (name, base))
    value = ratio.ratio * factor
    return Ratio(value, ends, difference(value, ends if sound else None, resolution))
