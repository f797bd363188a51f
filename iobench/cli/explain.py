"""`iobench explain`: what a reason means, or why a step was marked, with its figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from iobench.campaign.engine import failures
from iobench.campaign.verdict import INVALID, REASONS
from iobench.cli.listing import complete_campaign
from iobench.cli.options import results_option
from iobench.cli.tables import clean
from iobench.errors import UsageError, near_miss
from iobench.model import Evidence
from iobench.results import CampaignFolder, Store
from iobench.units import format_bytes


@click.command()
@click.argument("what", metavar="REASON|CAMPAIGN", shell_complete=complete_campaign)
@click.argument("step", required=False)
@results_option
def explain(what: str, step: str | None, results: Path) -> None:
    """Explain a REASON, as `page-cache`, or why STEP of CAMPAIGN was marked.

    A STEP can be given by its number, or by the start of its name.
    """
    if step is None and what in REASONS:
        click.echo(f"{what} ({'invalid' if what in INVALID else 'suspect'}): {REASONS[what]}")
        return
    store = Store(results)
    if step is None:
        if what == "latest" or any(name.startswith(what) for name in store.ids()):
            raise UsageError(f"which step? `iobench show {what}` lists them; then `iobench explain {what} STEP`")
        raise UsageError(f"{what!r} is neither a reason nor a campaign; {near_miss(what, REASONS)}")
    _explain_step(store.open(what), step)


def _explain_step(folder: CampaignFolder, wanted: str) -> None:
    steps = [s.id for s in folder.campaign().steps]
    number = f"{int(wanted):04d}-" if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 else wanted
    found = [s for s in steps if s == wanted] or [s for s in steps if s.startswith(number)]
    if len(found) != 1:
        raise UsageError(f"{wanted!r} names {len(found) or 'no'} steps of {folder.id}; {near_miss(wanted, steps)}")
    step = found[0]
    if step not in folder.finished():
        error = failures(folder).get(step)
        click.echo(f"{step} has no number: {clean(error) if error else 'it was not run'}")
        return
    findings = folder.findings(step)
    click.echo(f"{step}: {'valid' if not findings else ', '.join(dict.fromkeys(f['reason'] for f in findings))}")
    for finding in findings:
        click.echo(clean(f"\n{finding['reason']}: {finding['sentence']}"))
    rows = [row for row in folder.read("evidence").to_pylist() if row["step"] == step]
    click.echo("\nevidence:")
    for field in dataclasses.fields(Evidence):
        click.echo(f"  {field.name.replace('_', ' '):24} {_text(field.name, rows[0][field.name])}")
    click.echo(f"\nraw outputs: {folder.raw(step)}")


def _text(name: str, value: Any) -> str:
    if value is None:
        return "not known"
    if "bytes" in name:
        return f"{format_bytes(value)} ({value})"
    return f"{value:.4g}" if isinstance(value, float) else clean(str(value))
