"""A step's result as rows of the four tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from iobench.model import METRICS, Campaign, LatencyBins, StepResult, canonical
from iobench.results.histograms import encode_bins
from iobench.results.plan import plain


def rows_of(campaign: Campaign, result: StepResult) -> dict[str, list[dict[str, Any]]]:
    """Return a step's rows by table, in the order in which they are kept: `samples` last says that all is there."""
    step = result.step.id
    return {
        "latency": [_latency_row(campaign.id, step, bins) for bins in result.reading.latencies],
        "series": [
            {"campaign": campaign.id, "step": step, "t_s": p.t_s, "metric": p.metric, "value": p.value}
            for p in (*result.reading.series, *result.device_series)
        ],
        "evidence": [{"campaign": campaign.id, "step": step, **plain(dataclasses.asdict(result.evidence))}],
        "samples": list(_sample_rows(campaign, result)),
    }


def _sample_rows(campaign: Campaign, result: StepResult) -> Iterator[dict[str, Any]]:
    work = result.step.work
    passport = campaign.passports[result.step.target]
    for sample in result.reading.samples:
        metric = METRICS[sample.metric]
        yield {
            "campaign": campaign.id,
            "step": result.step.id,
            "host": str(campaign.host.get("name", "")),
            "target": result.step.target,
            "kind": passport.kind,
            "emulated": passport.emulated,
            "workload": work.workload,
            "op": sample.op,
            "params": canonical(work.params),
            "load": work.load,
            "rate": work.rate,
            "repeat": result.step.repeat,
            "metric": metric.name,
            "unit": metric.unit,
            "better": metric.better.value,
            "value": sample.value,
            "started_at": result.started_at,
            "duration_s": result.reading.measured_s,
            "verdict": result.verdict.value,
            "reasons": list(dict.fromkeys(finding.reason for finding in result.findings)),
            "tool": result.tool,
        }


def _latency_row(campaign: str, step: str, latency: LatencyBins) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "step": step,
        "op": latency.op,
        "histogram": encode_bins(latency.bins),
        "count": sum(latency.bins.values()),
    }
