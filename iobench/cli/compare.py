"""`iobench compare`: the comparison as a table in the terminal, or as JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from iobench import SCHEMA_VERSION
from iobench.analysis.types import ClaimResult, Comparison, Row
from iobench.cli.document import echo_document
from iobench.cli.options import campaigns_options, json_option, lang_option, open_campaigns, results_option
from iobench.errors import EXIT_OK, EXIT_VERDICT, UsageError
from iobench.model import Verdict
from iobench.texts import Words

DEFAULT_CLAIMS = "talk-2011"


@click.command()
@campaigns_options
@click.option("--baseline", metavar="NAME", help="The drive that ratios are taken to.  [default: sas, else the last]")
@click.option("--resolution", metavar="PERCENT", default="2%", show_default=True, help="A smaller difference is none.")
@click.option("--metric", "metrics", metavar="NAME", multiple=True, help="Only this metric; may be repeated.")
@click.option("--all-metrics", is_flag=True, help="Every metric, and not only a workload's main ones.")
@lang_option
@click.option("--claims", metavar="NAME|FILE", help=f"Claims to hold the figures against.  [default: {DEFAULT_CLAIMS}]")
@results_option
@json_option
def compare(
    campaigns: tuple[str, ...],
    pool: bool,
    anyway: bool,
    baseline: str | None,
    resolution: str,
    metrics: tuple[str, ...],
    all_metrics: bool,
    lang: str,
    claims: str | None,
    results: Path,
    as_json: bool,
) -> int:
    """Compare the drives of campaigns (the latest by default): median, 95 % interval, ratio to a baseline.

    NAME=CAMPAIGN gives a campaign a name, as `before`, that stands behind its drives' names.
    """
    from iobench.analysis import claims as said
    from iobench.analysis import compare as analysis
    from iobench.results import Store

    share, rules, store = parse_share(resolution), said.load(claims or DEFAULT_CLAIMS), Store(results)
    folders, called = open_campaigns(store, campaigns)
    brief = not (as_json or all_metrics or metrics)
    comparison = analysis.compare(
        folders, baseline, share, metrics or None, rules, pool=pool, anyway=anyway, called=called, main=brief
    )
    if as_json:
        echo_document(to_json(comparison))
        return exit_code(comparison)
    from iobench.cli.screen import show  # which imports what the report draws with

    if claims is None and all(claim.result is ClaimResult.NOT_MEASURED for claim in comparison.claims):
        comparison = replace(comparison, claims=())  # drives that nobody made a claim of
    show(comparison, all_metrics=all_metrics or bool(metrics), lang=lang)
    return exit_code(comparison)


def exit_code(comparison: Comparison) -> int:
    """Return 1 where a figure is invalid, else 0."""
    verdicts = {estimate.verdict for row in comparison.rows for estimate in row.targets.values()}
    return EXIT_VERDICT if Verdict.INVALID in verdicts else EXIT_OK


def parse_share(text: str) -> float:
    """Return a share from `2%` or `0.02`. Raises UsageError unless it is from 0 up to 1."""
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise UsageError(f"--resolution {text!r} is not a share below 100 %; write it as 2% or 0.02")
    return share


# --- JSON ----------------------------------------------------------------------------------------------


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as the document that scripts read; `rate` is there in open-loop rows only."""
    words = Words("en")
    return {
        "schema_version": SCHEMA_VERSION,
        "baseline": comparison.baseline,
        "resolution": comparison.resolution,
        "campaigns": list(comparison.campaigns),
        "despite": [words.say(phrase) for phrase in comparison.despite],
        "drives": {drive.name: {"kind": drive.kind, "emulated": drive.emulated} for drive in comparison.drives},
        "rows": [_row_json(row) for row in comparison.rows],
        "claims": [{"id": claim.id, "result": claim.result.value} for claim in comparison.claims],
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "workload": row.workload,
        "op": row.op,
        "metric": row.metric,
        "unit": row.unit,
        "better": row.better.value,
        "load": row.load,
        **({"rate": row.rate} if row.rate is not None else {}),
        "params": dict(row.params),
        "targets": {
            name: {
                "n": e.n,
                "median": e.median,
                "ci95": list(e.ci95) if e.ci95 else None,
                "verdict": e.verdict.value,
                "reasons": list(e.reasons),
            }
            for name, e in row.targets.items()
        },
        "ratios": {
            name: {
                "ratio": r.ratio,
                "ci95": list(r.ci95) if r.ci95 else None,
                "difference": r.difference.value,
            }
            for name, r in row.ratios.items()
        },
    }
