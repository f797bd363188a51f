"""`iobench explain`: what a reason means, or why a step was marked, with its figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from iobench import SCHEMA_VERSION
from iobench.campaign.failed import failures
from iobench.campaign.verdict import REASONS
from iobench.cli.listing import complete_campaign
from iobench.cli.options import json_option, results_option
from iobench.cli.tables import Column, clean, print_table
from iobench.errors import UsageError, near_miss
from iobench.model import INVALID_REASONS, Evidence
from iobench.results import CampaignFolder, Store
from iobench.units import format_bytes, format_seconds


@click.command()
@click.argument("what", metavar="REASON|CAMPAIGN", shell_complete=complete_campaign)
@click.argument("step", required=False)
@results_option
@json_option
def explain(what: str, step: str | None, results: Path, as_json: bool) -> None:
    """Explain a REASON, as `page-cache`, or why STEP of CAMPAIGN was marked.

    A STEP can be given by its number, or by the start of its name.
    """
    if step is None and what in REASONS:
        verdict = "invalid" if what in INVALID_REASONS else "suspect"
        if as_json:
            _print_json({"reason": what, "verdict": verdict, "sentence": REASONS[what]})
        else:
            click.echo(f"{what} ({verdict}): {REASONS[what]}")
        return
    store = Store(results)
    if step is None:
        if what == "latest" or any(name.startswith(what) for name in store.ids()):
            raise UsageError(f"which step? `iobench show {what}` lists them; then `iobench explain {what} STEP`")
        raise UsageError(f"{what!r} is neither a reason nor a campaign; {near_miss(what, REASONS)}")
    folder = store.open(what)
    known = _of_step(folder, _find_step(folder, step))
    if as_json:
        _print_json(known)
    else:
        _print(known)


def _find_step(folder: CampaignFolder, wanted: str) -> str:
    steps = [s.id for s in folder.campaign().steps]
    number = f"{int(wanted):04d}-" if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else wanted
    found = [s for s in steps if s == wanted] or [s for s in steps if s.startswith(number)]
    if len(found) != 1:
        raise UsageError(f"{wanted!r} names {len(found) or 'no'} steps of {folder.id}; {near_miss(wanted, steps)}")
    return found[0]


def _of_step(folder: CampaignFolder, step: str) -> dict[str, Any]:
    """What is known of a step: verdict and evidence are None where it has no number, and `error` says why."""
    known: dict[str, Any] = {"campaign": folder.id, "step": step, "verdict": None, "error": None, "findings": []}
    if step not in folder.finished():
        return {**known, "error": failures(folder).get(step, "it was not run"), "evidence": None, "raw": None}
    findings = folder.findings(step)
    (row,) = [row for row in folder.read("evidence").to_pylist() if row["step"] == step]
    return {
        **known,
        "verdict": _verdict({finding["reason"] for finding in findings}),
        "findings": findings,
        "evidence": {field.name: row[field.name] for field in dataclasses.fields(Evidence)},
        "operations": folder.operations(step),
        "raw": str(folder.raw(step)),
    }


def _verdict(reasons: set[str]) -> str:
    if not reasons:
        return "valid"
    return "invalid" if reasons & INVALID_REASONS else "suspect"


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **document}, ensure_ascii=False, indent=1))


def _print(known: dict[str, Any]) -> None:
    step, findings = known["step"], known["findings"]
    if known["evidence"] is None:
        click.echo(f"{step} has no number: {clean(known['error'])}")
        return
    click.echo(f"{step}: {'valid' if not findings else ', '.join(dict.fromkeys(f['reason'] for f in findings))}")
    for finding in findings:
        click.echo(clean(f"\n{finding['reason']}: {finding['sentence']}"))
    click.echo("\nevidence:")
    for name, value in known["evidence"].items():
        click.echo(f"  {name.replace('_', ' '):24} {_text(name, value)}")
    if known["operations"]:
        click.echo("\noperations:")
        columns = (
            Column("OPERATION"),
            Column("COUNT", right=True),
            Column("MEAN", right=True),
            Column("MAX", right=True),
        )
        print_table(columns, [_operation(row) for row in known["operations"]])
    click.echo(f"\nraw outputs: {known['raw']}")


def _operation(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        clean(str(row["op"])),
        f"{row['count']:,}",
        *(format_seconds(row[f"latency_{of}"]) for of in ("mean", "max")),
    )


def _text(name: str, value: Any) -> str:
    if value is None:
        return "not known"
    if "bytes" in name:
        return f"{format_bytes(value)} ({value})"
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))
